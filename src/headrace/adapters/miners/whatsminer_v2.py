"""WhatsMiner's API 2: JSON on TCP 4028; what changes the machine is encrypted with a key made from its password.

`get_token` yields a time and two salts. With md5-crypt, key = crypt(password, salt) and
sign = crypt(key + time, newsalt). A command is JSON with the sign as `token`, padded with NULs, AES-256-ECB under
sha256(key), base64, inside `{"enc": 1, "data": ...}`; the answer comes back the same way inside `{"enc": ...}`, a
refusal in the clear. A token lasts 30 minutes. ECB hides little and nothing is authenticated: the protocol is the
maker's, keep it off other networks. `adjust_power_limit` restarts the miner's service.
Source: WhatsMiner API 2.0.x as its public clients describe it; codes 131 done, 135 and 136 token wrong or worn out.
"""

import base64
import binascii
import hashlib
from typing import Final

import msgspec

from headrace.adapters.miners.cgminer import (
    JsonConversation,
    JsonRead,
    JsonReply,
    acknowledged,
    follow,
    number,
    refusal,
    text,
    under,
)
from headrace.adapters.miners.codec import Credentials, Facts, MinerStatus, Move, Refused, Session, SignedIn
from headrace.adapters.miners.exchange import Follow
from headrace.adapters.miners.md5_crypt import md5_crypt
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["WhatsMinerV2"]

TOKEN_LASTS_S: Final = 1800
RENEW_BEFORE_S: Final = 120
"""Seconds before its end at which a token is no longer used."""
TOKEN_ENDED: Final = (135, 136)
"""Codes of an answer that a new token would change."""
BLOCK_BYTES: Final = 16
FIELD_MAX_CHARS: Final = 64
"""Longest time or salt that is hashed: a thousand rounds over more would be an attack on us."""


class _Keys(msgspec.Struct, frozen=True, array_like=True):
    """What a token comes down to."""

    sign: str
    key: bytes


_KEYS = msgspec.msgpack.Decoder(_Keys)
_STATUS_FRAME = msgspec.json.encode({"cmd": "summary"})
_VERSION_FRAME = msgspec.json.encode({"cmd": "get_version"})
_TOKEN_FRAME = msgspec.json.encode({"cmd": "get_token"})


class WhatsMinerV2:
    """Codec of WhatsMiner's API 2."""

    dialect = "whatsminer-v2"
    port = 4028
    keeps_idle_connections = False

    def sign_in(self, credentials: Credentials, facts: Facts) -> JsonConversation:
        """Ask for a token; the password itself is never sent."""

        def read(reply: JsonReply) -> Move:
            keys = _keys(credentials, reply)
            if isinstance(keys, Refused):
                return keys
            expires_s = facts.now_s + TOKEN_LASTS_S - RENEW_BEFORE_S
            return SignedIn(session=Session(token=msgspec.msgpack.encode(keys), expires_s=expires_s))

        return JsonConversation(_TOKEN_FRAME, read)

    def command(self, action: Action, power_w: int | None, session: Session | None, facts: Facts) -> JsonConversation:
        """Power off or on, or set the power limit; a run with `power_w` also lifts the limit to it."""
        if session is None:
            raise BadInput("whatsminer-v2 miner", "no session", "Sign in first.")
        keys = _KEYS.decode(session.token)
        match action:
            case Action.STOP:
                return JsonConversation(_sealed(keys, {"cmd": "power_off", "respbefore": "true"}), _done(keys))
            case Action.RUN if power_w is None:
                return JsonConversation(_sealed(keys, {"cmd": "power_on"}), _done(keys))
            case Action.RUN:
                limit = _limit(keys, power_w)
                return JsonConversation(_sealed(keys, {"cmd": "power_on"}), _done(keys, then=limit))
            case Action.CAP if power_w is not None:
                return JsonConversation(_limit(keys, power_w), _done(keys))
            case _:
                raise BadInput(f"whatsminer-v2 miner, {action}", "not a miner's command", "Use stop, run or cap.")

    def status(self, session: Session | None, facts: Facts) -> JsonConversation:
        """Ask for hash rate, power and temperature in the clear."""
        return JsonConversation(_STATUS_FRAME, _read_status)


def _keys(credentials: Credentials, reply: JsonReply) -> _Keys | Refused:
    found = reply.get("Msg")
    if not isinstance(found, dict):
        return refusal(reply) or Refused(reason="no token in its answer", is_garbled=True)
    time, salt, newsalt = (found.get(name) for name in ("time", "salt", "newsalt"))
    if not (isinstance(time, str) and isinstance(salt, str) and isinstance(newsalt, str)):
        return Refused(reason="a token without time, salt and newsalt", is_garbled=True)
    if max(len(time), len(salt), len(newsalt)) > FIELD_MAX_CHARS:
        return Refused(reason=f"a token with a field of more than {FIELD_MAX_CHARS} letters", is_garbled=True)
    hashed = md5_crypt(credentials.password.encode(), salt.encode("utf-8", "replace"))
    sign = md5_crypt((hashed + time).encode("utf-8", "replace"), newsalt.encode("utf-8", "replace"))
    return _Keys(sign, hashlib.sha256(hashed.encode()).digest())


def _limit(keys: _Keys, power_w: int | None) -> bytes:
    return _sealed(keys, {"cmd": "adjust_power_limit", "power_limit": str(power_w)})


def _sealed(keys: _Keys, command: dict[str, str]) -> bytes:
    plain = msgspec.json.encode({**command, "token": keys.sign})
    plain += b"\0" * (-len(plain) % BLOCK_BYTES)
    return msgspec.json.encode({"enc": 1, "data": base64.b64encode(_ecb(keys.key, plain, seals=True)).decode()})


def _done(keys: _Keys, then: bytes = b"") -> JsonRead:
    """Read the answer to a command; if it did that, go on with the frame `then`."""

    def read(reply: JsonReply) -> Move | Follow[JsonReply]:
        opened = _opened(keys, reply)
        if isinstance(opened, Refused):
            return opened
        refused = refusal(opened)
        if refused is not None:
            ended = number(opened, "Code") in TOKEN_ENDED
            return msgspec.structs.replace(refused, needs_sign_in=True) if ended else refused
        return follow(then, _done(keys)) if then else acknowledged(opened)

    return read


def _opened(keys: _Keys, reply: JsonReply) -> JsonReply | Refused:
    sealed = reply.get("enc")
    if not isinstance(sealed, str):
        return reply
    try:
        data = base64.b64decode(sealed, validate=True)
        opened = msgspec.json.decode(_ecb(keys.key, data, seals=False).rstrip(b"\0"), type=dict[str, object])
    except (binascii.Error, ValueError, RecursionError):
        return Refused(reason="its encrypted answer does not open", is_garbled=True, needs_sign_in=True)
    return opened


def _ecb(key: bytes, data: bytes, *, seals: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415  # an extra

    cipher = Cipher(algorithms.AES(key), modes.ECB())  # the protocol's mode
    step = cipher.encryptor() if seals else cipher.decryptor()
    return step.update(data) + step.finalize()


def _read_status(reply: JsonReply) -> Move | Follow[JsonReply]:
    rows = under(reply, "summary", "SUMMARY")
    if not rows:
        return refusal(reply) or Refused(reason="no SUMMARY in its answer", is_garbled=True)
    mhs = number(rows[0], "MHS 5s", "HS RT", "MHS 1m", "MHS av")
    power_w = number(rows[0], "Power")
    return MinerStatus(
        firmware=text(rows[0], "Firmware Version").strip("'"),
        is_mining=None if mhs is None else mhs > 0.0,
        hashrate_ths=None if mhs is None else mhs * 1e-6,
        power_w=None if power_w is None else round(power_w),
        temp_c=number(rows[0], "Chip Temp Max", "Temperature"),
    )
