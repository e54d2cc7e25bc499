"""WhatsMiner's API 3: JSON behind a four-byte little-endian length on TCP 4433, over a connection that stays.

Every command that changes the machine carries `ts`, epoch seconds, and `token`, the first eight letters of the base64
of sha256(command + password + salt + ts); the salt comes from `get.device.info`. A frame of length zero is a heartbeat;
the miner closes after 300 s of silence and takes ten clients. Code 0 is success, -4 no permission. How old `ts` may be
is not documented: frames are made again with each sign-in. `set.miner.power_limit` restarts the miner's service.
A miner can be told to wait a random time before it stops (`set.system.time_randomized`): leave that at zero.
Source: apidoc.whatsminer.com (API 3.0.x, November 2025) as its readers republished it.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from headrace.adapters.miners.cgminer import JsonReply, number, text
from headrace.adapters.miners.codec import (
    REPLY_MAX_BYTES,
    Acknowledged,
    Closed,
    Credentials,
    Facts,
    MinerStatus,
    Move,
    Refused,
    Say,
    Session,
    SignedIn,
)
from headrace.adapters.miners.exchange import Exchange, Follow, NotReadable, shortened
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["WhatsMinerV3"]

ACCOUNT: Final = "super"
"""Account used if none is named; "admin" is no longer taken by this API."""
FRAMES_GOOD_S: Final = 300
"""How long a salt, and frames made with it, are used before they are made again (assumed)."""
NO_PERMISSION: Final = -4
HEADER_BYTES: Final = 4


class _Keys(msgspec.Struct, frozen=True, array_like=True):
    """What signs a command."""

    account: str
    password: str
    salt: str


_KEYS = msgspec.msgpack.Decoder(_Keys)
_REPLY = msgspec.json.Decoder(dict[str, object])
_ACKNOWLEDGED = Acknowledged()


class WhatsMinerV3:
    """Codec of WhatsMiner's API 3."""

    dialect = "whatsminer-v3"
    port = 4433
    keeps_idle_connections = True

    def sign_in(self, credentials: Credentials, facts: Facts) -> Exchange[JsonReply]:
        """Ask for the salt; the password itself is never sent."""

        def read(reply: JsonReply) -> Move:
            refused = _refusal(reply)
            if refused is not None:
                return refused
            salt = _section(reply, "msg").get("salt")
            if not isinstance(salt, str) or not salt:
                return Refused(reason="no salt in its answer", is_garbled=True)
            keys = _Keys(credentials.user or ACCOUNT, credentials.password, salt)
            expires_s = facts.now_s + FRAMES_GOOD_S
            return SignedIn(session=Session(token=msgspec.msgpack.encode(keys), expires_s=expires_s))

        return _exchange(_frame({"cmd": "get.device.info", "param": "salt"}), read)

    def command(
        self, action: Action, power_w: int | None, session: Session | None, facts: Facts
    ) -> Exchange[JsonReply]:
        """Stop or start the mining service, or set the power limit; a run with `power_w` also lifts the limit to it."""
        if session is None:
            raise BadInput("whatsminer-v3 miner", "no session", "Sign in first.")
        keys = _KEYS.decode(session.token)
        match action:
            case Action.STOP:
                return _exchange(_signed(keys, "set.miner.service", "stop", facts), _done())
            case Action.RUN:
                then = b"" if power_w is None else _signed(keys, "set.miner.power_limit", power_w, facts)
                return _exchange(_signed(keys, "set.miner.service", "start", facts), _done(then=then))
            case Action.CAP if power_w is not None:
                return _exchange(_signed(keys, "set.miner.power_limit", power_w, facts), _done())
            case _:
                raise BadInput(f"whatsminer-v3 miner, {action}", "not a miner's command", "Use stop, run or cap.")

    def status(self, session: Session | None, facts: Facts) -> Exchange[JsonReply]:
        """Ask for hash rate, power and temperature, then for model and firmware on the same connection."""
        return _exchange(_frame({"cmd": "get.miner.status", "param": "summary"}), _read_status)


class _LengthFraming:
    """Gathers one JSON object behind its length, past heartbeats."""

    __slots__ = ("_gathered",)

    def __init__(self) -> None:
        self._gathered = b""

    def feed(self, data: bytes | Closed) -> JsonReply | NotReadable | None:
        """Take in the next piece; None while the object is not whole."""
        if isinstance(data, Closed):
            return NotReadable(why="cut short" if self._gathered else "closed without an answer")
        self._gathered += data
        while len(self._gathered) >= HEADER_BYTES:
            length = int.from_bytes(self._gathered[:HEADER_BYTES], "little")
            if length == 0:
                self._gathered = self._gathered[HEADER_BYTES:]
                continue
            if length > REPLY_MAX_BYTES:
                return NotReadable(why=f"longer than {REPLY_MAX_BYTES} bytes")
            if len(self._gathered) < HEADER_BYTES + length:
                return None
            try:
                return _REPLY.decode(self._gathered[HEADER_BYTES : HEADER_BYTES + length])
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                return NotReadable(why="no JSON object behind its length")
        return None


def _exchange(frame: bytes, read: Callable[[JsonReply], Move | Follow[JsonReply]]) -> Exchange[JsonReply]:
    return Exchange(frame, _LengthFraming, read)


def _frame(command: dict[str, object]) -> bytes:
    body = msgspec.json.encode(command)
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def _signed(keys: _Keys, command: str, param: str | int, facts: Facts) -> bytes:
    digest = hashlib.sha256(f"{command}{keys.password}{keys.salt}{facts.now_s}".encode()).digest()
    token = base64.b64encode(digest)[:8].decode()
    return _frame({"cmd": command, "ts": facts.now_s, "token": token, "account": keys.account, "param": param})


def _done(then: bytes = b"") -> Callable[[JsonReply], Move | Follow[JsonReply]]:
    """Read the answer to a command; if it did that, go on with the frame `then`."""

    def read(reply: JsonReply) -> Move | Follow[JsonReply]:
        refused = _refusal(reply)
        if refused is not None:
            return refused
        return Follow(say=Say(data=then), read=_done()) if then else _ACKNOWLEDGED

    return read


def _refusal(reply: JsonReply) -> Refused | None:
    code = reply.get("code")
    if not isinstance(code, int) or isinstance(code, bool):
        return Refused(reason=f"no code in its answer: {shortened(dict(reply))}", is_garbled=True)
    if code == 0:
        return None
    return Refused(reason=f"code {code}: {shortened(reply.get('msg', ''))}", needs_sign_in=code == NO_PERMISSION)


def _section(row: JsonReply, name: str) -> JsonReply:
    found = row.get(name)
    return found if isinstance(found, dict) else {}


def _read_status(reply: JsonReply) -> Move | Follow[JsonReply]:
    refused = _refusal(reply)
    if refused is not None:
        return refused
    row = _section(_section(reply, "msg"), "summary")
    if not row:
        return Refused(reason="no summary in its answer", is_garbled=True)
    hashrate_ths = number(row, "hash-realtime", "hash-1min", "hash-average")
    power_w = number(row, "power-realtime", "power-5min")
    status = MinerStatus(
        is_mining=None if hashrate_ths is None else hashrate_ths > 0.0,
        hashrate_ths=hashrate_ths,
        power_w=None if power_w is None else round(power_w),
        temp_c=number(row, "chip-temp-max", "chip-temp-avg"),
    )

    def read_info(info: JsonReply) -> Move:
        """A miner that will not say what it is has still told how it runs."""
        found = _section(info, "msg")
        return msgspec.structs.replace(
            status,
            model=text(_section(found, "miner"), "type"),
            firmware=text(_section(found, "system"), "fwversion"),
        )

    return Follow(say=Say(data=_frame({"cmd": "get.device.info"})), read=read_info)
