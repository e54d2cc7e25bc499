"""Braiins OS through its public REST API: what 4028 offers, and a power target.

A log-in yields a token and how long it lasts; every request carries it as its Authorization. Pause, resume and the
power target (`{"watt": n}`) are one request each and are met without a restart. Resuming keeps an earlier target.
Source: Braiins OS Public REST API 1.4 to 1.7 (openapi.json) as its readers republished it. Readers differ on whether
the token stands alone or behind the word Bearer; it stands alone here, as the page has it.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from headrace.adapters.miners.cgminer import number
from headrace.adapters.miners.codec import (
    Acknowledged,
    Credentials,
    Facts,
    MinerStatus,
    Move,
    Refused,
    Say,
    Session,
    SignedIn,
)
from headrace.adapters.miners.exchange import Exchange, Follow, shortened
from headrace.adapters.miners.http import HttpFraming, HttpReply, http_request
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["BraiinsRest"]

HOST: Final = "miner"
USER: Final = "root"
TOKEN_LASTS_S: Final = 3600
"""How long a token lasts if the machine does not say."""
RENEW_BEFORE_S: Final = 120
TOKEN_MAX_CHARS: Final = 1024

Read: TypeAlias = Callable[[HttpReply], Move | Follow[HttpReply]]


class BraiinsRest:
    """Codec of Braiins OS over REST."""

    dialect = "braiins-rest"
    port = 80
    keeps_idle_connections = False

    def sign_in(self, credentials: Credentials, facts: Facts) -> Exchange[HttpReply]:
        """Exchange the password for a token."""
        body = msgspec.json.encode({"username": credentials.user or USER, "password": credentials.password})

        def read(reply: HttpReply) -> Move:
            found = _page(reply)
            if isinstance(found, Refused):
                return msgspec.structs.replace(found, needs_sign_in=False)
            token = found.get("token")
            if not isinstance(token, str) or not _is_header(token):
                return Refused(reason="no token in its answer to a log-in", is_garbled=True)
            lasts_s = int(number(found, "timeout_s") or TOKEN_LASTS_S)
            expires_s = facts.now_s + max(lasts_s - RENEW_BEFORE_S, lasts_s // 2)
            return SignedIn(session=Session(token=token.encode(), expires_s=expires_s))

        return _exchange(http_request("POST", "/api/v1/auth/login", HOST, body=body), read)

    def command(
        self, action: Action, power_w: int | None, session: Session | None, facts: Facts
    ) -> Exchange[HttpReply]:
        """Pause, resume, or set the power target; a run with `power_w` also sets it."""
        login = _login(session)
        match action:
            case Action.STOP:
                return _exchange(_put("actions/pause", login), _done())
            case Action.RUN:
                then = b"" if power_w is None else _target(login, power_w)
                return _exchange(_put("actions/resume", login), _done(then=then))
            case Action.CAP if power_w is not None:
                return _exchange(_target(login, power_w), _done())
            case _:
                raise BadInput(f"braiins-rest miner, {action}", "not a miner's command", "Use stop, run or cap.")

    def status(self, session: Session | None, facts: Facts) -> Exchange[HttpReply]:
        """Ask for hash rate and power, then for model and firmware."""
        login = _login(session)
        return _exchange(http_request("GET", "/api/v1/miner/stats", HOST, login=login), _read_stats(login))


def _login(session: Session | None) -> str:
    if session is None:
        raise BadInput("braiins-rest miner", "no session", "Sign in first.")
    return session.token.decode()


def _is_header(token: str) -> bool:
    return 0 < len(token) <= TOKEN_MAX_CHARS and token.isascii() and token.isprintable() and " " not in token


def _exchange(request: bytes, read: Read) -> Exchange[HttpReply]:
    return Exchange(request, HttpFraming, read)


def _put(path: str, login: str, body: bytes = b"") -> bytes:
    return http_request("PUT", f"/api/v1/{path}", HOST, login=login, body=body)


def _target(login: str, power_w: int) -> bytes:
    return _put("performance/power-target", login, msgspec.json.encode({"watt": power_w}))


def _done(then: bytes = b"") -> Read:
    """Read the answer to a command; if it did that, go on with the request `then`."""

    def read(reply: HttpReply) -> Move | Follow[HttpReply]:
        if reply.status not in (200, 204):
            return _refused(reply)
        if then:
            return Follow(say=Say(data=then, on_new_connection=reply.closes), read=_done())
        return Acknowledged()

    return read


def _refused(reply: HttpReply) -> Refused:
    words = shortened(reply.body.decode("utf-8", "replace"))
    reason = f"HTTP {reply.status}: {words}" if words else f"HTTP {reply.status}"
    return Refused(reason=shortened(reason), needs_sign_in=reply.status == 401)


def _page(reply: HttpReply) -> Mapping[str, object] | Refused:
    if reply.status != 200:
        return _refused(reply)
    try:
        return msgspec.json.decode(reply.body, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Refused(reason="its page is no JSON object", is_garbled=True)


def _inside(page: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Object at the end of a path of names; empty if the path ends before."""
    for name in names:
        found = page.get(name)
        if not isinstance(found, dict):
            return {}
        page = found
    return page


def _words(page: Mapping[str, object], name: str) -> str:
    found = page.get(name)
    return shortened(found) if isinstance(found, str) else ""


def _read_stats(login: str) -> Read:
    def read(reply: HttpReply) -> Move | Follow[HttpReply]:
        page = _page(reply)
        if isinstance(page, Refused):
            return page
        rates = _inside(page, "miner_stats", "real_hashrate")
        if not rates:
            return Refused(reason="no hash rate in its statistics", is_garbled=True)
        found = (number(_inside(rates, span), "gigahash_per_second") for span in ("last_5s", "last_1m"))
        ghs = next((rate for rate in found if rate is not None), None)
        power_w = number(_inside(page, "power_stats", "approximated_consumption"), "watt")
        status = MinerStatus(
            is_mining=None if ghs is None else ghs > 0.0,
            hashrate_ths=None if ghs is None else ghs * 1e-3,
            power_w=None if power_w is None else round(power_w),
        )
        details = http_request("GET", "/api/v1/miner/details", HOST, login=login)
        return Follow(say=Say(data=details, on_new_connection=reply.closes), read=_read_details(status))

    return read


def _read_details(status: MinerStatus) -> Read:
    """A machine that will not say what it is has still told how it runs."""

    def read(reply: HttpReply) -> Move:
        page = _page(reply)
        if isinstance(page, Refused):
            return status
        return msgspec.structs.replace(
            status,
            model=_words(_inside(page, "miner_identity"), "name")
            or _words(_inside(page, "miner_identity"), "miner_model"),
            firmware=_words(_inside(page, "bos_version"), "current"),
        )

    return read
