"""LuxOS: cgminer's API on TCP 4028; what changes the machine needs a session, of which there is one at a time.

`logon` opens a session if there is none and names it, `session` tells the one there is, `logoff` ends it. It ends by
itself a minute after its last use. Luxor says that sessions are no security feature, only a way for programs not to
step on each other; a site in charge of its power takes the session over when somebody else holds it.
`curtail` with `sleep` switches boards and power supply off, and that survives a restart; `wakeup` ramps as after a
reboot. A cap is `profileset` with a power selector ("3000W"), which picks a profile by its estimated power: whether the
nearest or the next lower one is not documented, the feeder's meter is the judge.
Source: docs.luxor.tech/firmware/api (sessions, logon, session, curtail, profileset), 2024 to 2026.
"""

import re
from typing import Final

import msgspec

from headrace.adapters.miners.cgminer import (
    JsonConversation,
    JsonRead,
    JsonReply,
    acknowledged,
    follow,
    number,
    objects,
    refusal,
    request,
    text,
    under,
)
from headrace.adapters.miners.codec import Credentials, Facts, MinerStatus, Move, Refused, Session, SignedIn
from headrace.adapters.miners.exchange import Follow
from headrace.control.commands import Action
from headrace.core import BadInput

__all__ = ["LuxOs"]

SESSION_LASTS_S: Final = 60
RENEW_BEFORE_S: Final = 10
"""Seconds before its end at which a session is no longer used."""
SESSION_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What is taken for a session's name: it goes into the next command unquoted."""

_LOGON = request("logon")
_SESSION = request("session")
_STATUS = request("summary+version+power+temps")


class LuxOs:
    """Codec of LuxOS on 4028."""

    dialect = "luxos"
    port = 4028
    keeps_idle_connections = True

    def sign_in(self, credentials: Credentials, facts: Facts) -> JsonConversation:
        """Open a session; one that somebody else holds is ended first."""
        return JsonConversation(_LOGON, _read_logon(facts, is_last=False))

    def command(self, action: Action, power_w: int | None, session: Session | None, facts: Facts) -> JsonConversation:
        """Sleep, wake up, or choose a profile by power; a run with `power_w` chooses one too."""
        if session is None:
            raise BadInput("luxos miner", "no session", "Sign in first.")
        name = session.token.decode()
        match action:
            case Action.STOP:
                return JsonConversation(request("curtail", f"{name},sleep"), _done())
            case Action.RUN if power_w is None:
                return JsonConversation(request("curtail", f"{name},wakeup"), _done())
            case Action.RUN:
                return JsonConversation(request("curtail", f"{name},wakeup"), _done(then=_profile(name, power_w)))
            case Action.CAP if power_w is not None:
                return JsonConversation(_profile(name, power_w), _done())
            case _:
                raise BadInput(f"luxos miner, {action}", "not a miner's command", "Use stop, run or cap.")

    def status(self, session: Session | None, facts: Facts) -> JsonConversation:
        """Ask for hash rate, power, temperatures and version in one frame."""
        return JsonConversation(_STATUS, _read_status)


def _profile(name: str, power_w: int | None) -> bytes:
    return request("profileset", f"{name},{power_w}W")


def _read_logon(facts: Facts, *, is_last: bool) -> JsonRead:
    def read(reply: JsonReply) -> Move | Follow[JsonReply]:
        refused = refusal(reply)
        if refused is not None:
            return refused if is_last or refused.is_garbled else follow(_SESSION, _read_session(facts))
        name = _session_name(reply)
        if not name:
            return Refused(reason="no session in its answer to a log-on", is_garbled=True)
        expires_s = facts.now_s + SESSION_LASTS_S - RENEW_BEFORE_S
        return SignedIn(session=Session(token=name.encode(), expires_s=expires_s))

    return read


def _read_session(facts: Facts) -> JsonRead:
    """Somebody holds a session: end it, then log on."""

    def read(reply: JsonReply) -> Move | Follow[JsonReply]:
        name = _session_name(reply)
        again = follow(_LOGON, _read_logon(facts, is_last=True))
        return follow(request("logoff", name), lambda _: again) if name else again

    return read


def _session_name(reply: JsonReply) -> str:
    """Session that an answer names; empty if it names none or no plausible one."""
    for row in objects(reply.get("SESSION")):
        name = row.get("SessionID")
        if isinstance(name, str) and SESSION_NAME.fullmatch(name):
            return name
    return ""


def _done(then: bytes = b"") -> JsonRead:
    """Read the answer to a command; if it did that, go on with the frame `then`."""

    def read(reply: JsonReply) -> Move | Follow[JsonReply]:
        refused = refusal(reply)
        if refused is not None:
            return msgspec.structs.replace(refused, needs_sign_in="session" in refused.reason.lower())
        return follow(then, _done()) if then else acknowledged(reply)

    return read


def _read_status(reply: JsonReply) -> Move | Follow[JsonReply]:
    rows = under(reply, "summary", "SUMMARY")
    if not rows:
        return refusal(reply) or Refused(reason="no SUMMARY in its answer", is_garbled=True)
    ghs = number(rows[0], "GHS 5s", "GHS av")
    power = under(reply, "power", "POWER")
    power_w = number(power[0], "Watts") if power else None
    versions = under(reply, "version", "VERSION")
    temps_c = [number(row, name) for row in under(reply, "temps", "TEMPS") for name in row if name != "ID"]
    return MinerStatus(
        model=text(versions[0], "Type") if versions else "",
        firmware=text(versions[0], "LUXminer", "Miner") if versions else "",
        is_mining=None if ghs is None else ghs > 0.0,
        hashrate_ths=None if ghs is None else ghs * 1e-3,
        power_w=None if power_w is None else round(power_w),
        temp_c=max((temp_c for temp_c in temps_c if temp_c is not None), default=None),
    )
