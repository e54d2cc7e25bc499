"""What is said to one miner to carry out a command, to arm it, or to read it, step by step."""

from collections.abc import Callable
from typing import assert_never

from headrace.adapters.miners.codec import Acknowledged, MinerStatus, Refused, SignedIn
from headrace.adapters.miners.miner import Miner, fresh_facts
from headrace.adapters.miners.steps import Steps
from headrace.adapters.miners.wire import Dropped, Ended, How, Late, Mute, Opened, Talk, Unreachable, words_of
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading
from headrace.core import BadInput

__all__ = ["ask_status", "carry_out", "make_ready", "read_status"]

NowS = Callable[[], int]


def carry_out(miner: Miner, command: Command, now_s: NowS) -> Steps[CommandOutcome]:
    """Carry out a command: on what lies ready, after a fresh log-in if the session is stale, once more if that broke.

    Saying it again does no harm, as a command sets a state; it is done only where the first time cannot have worked:
    the session had gone stale, or the connection that was kept had died.
    """
    has_signed_in = has_reopened = False
    while True:
        if not miner.has_session(now_s()):
            ended = yield from _sign_in(miner, now_s, command.expires_us)
            has_signed_in = True
            if not isinstance(ended.how, SignedIn):
                return _outcome(command, Ended(how=ended.how, sent_us=None, ended_us=ended.ended_us), "log-in: ")
        try:
            talk = _talk_of(miner, command, now_s)
        except BadInput as error:
            return _told(command, Result.REFUSED, str(error))
        was_kept = talk.sock is not None
        ended = yield from _alone(miner, talk)
        how = ended.how
        if isinstance(how, Refused) and how.needs_sign_in and miner.needs_session and not has_signed_in:
            miner.forget_session()
        elif was_kept and not has_reopened and _had_died(how, talk):
            has_reopened = True
        else:
            return _outcome(command, ended)


def make_ready(miner: Miner, now_s: NowS, margin_s: int) -> Steps[tuple[str, "Opened | None"]]:
    """Log in where the session ends within `margin_s`, make the stop frame, open a connection where it may idle.

    Returns
    -------
    tuple
        Why it is not ready (empty if it is), and the connection that was opened.
    """
    if not miner.has_session(now_s() + margin_s):
        ended = yield from _sign_in(miner, now_s, None)
        if not isinstance(ended.how, SignedIn):
            return f"log-in: {words_of(ended.how)}", None
    try:
        miner.make_stop(fresh_facts(now_s()))
    except BadInput as error:
        return str(error), None
    if miner.sock is not None or not miner.codec.keeps_idle_connections:
        return "", None
    ended = yield from _alone(miner, Talk(miner.host, miner.port, None))
    return ("", ended.how) if isinstance(ended.how, Opened) else (words_of(ended.how), None)


def read_status(miner: Miner, now_s: NowS) -> Steps[AssetReading]:
    """Ask a miner how it is; most tell it to anybody, the others are logged in to."""
    name = miner.name
    ended = yield from ask_status(miner, now_s)
    how = ended.how
    if not isinstance(how, MinerStatus):
        return AssetReading(asset=name, at_us=ended.ended_us, is_running=None, reason=words_of(how))
    return AssetReading(
        asset=name,
        at_us=ended.ended_us,
        is_running=how.is_mining,
        power_w=how.power_w,
        temp_c=how.temp_c,
        reason="" if how.is_mining is not None else "it does not say whether it hashes",
    )


def ask_status(miner: Miner, now_s: NowS) -> Steps[Ended]:
    """Status of a miner, or why there is none."""
    has_signed_in = False
    while True:
        session = miner.session if miner.has_session(now_s()) else None
        try:
            conversation = miner.codec.status(session, fresh_facts(now_s()))
        except BadInput:
            conversation = None  # this dialect tells nothing without a session
        if conversation is not None:
            ended = yield Talk(miner.host, miner.port, conversation)
            is_stale = isinstance(ended.how, Refused) and ended.how.needs_sign_in
            if has_signed_in or not is_stale:
                return ended
            miner.forget_session()
        log_in = miner.codec.sign_in(miner.credentials, fresh_facts(now_s()))
        ended = yield Talk(miner.host, miner.port, log_in)
        if has_signed_in or not isinstance(ended.how, SignedIn):
            return ended
        has_signed_in = True
        miner.session = ended.how.session


def _sign_in(miner: Miner, now_s: NowS, expires_us: int | None) -> Steps[Ended]:
    conversation = miner.codec.sign_in(miner.credentials, fresh_facts(now_s()))
    ended = yield from _alone(miner, Talk(miner.host, miner.port, conversation, expires_us=expires_us))
    if isinstance(ended.how, SignedIn):
        miner.session = ended.how.session
    return ended


def _alone(miner: Miner, talk: Talk) -> Steps[Ended]:
    """A talk that a later command to the same miner may drop."""
    miner.talk = talk
    ended = yield talk
    if miner.talk is talk:
        miner.talk = None
    return ended


def _talk_of(miner: Miner, command: Command, now_s: NowS) -> Talk:
    """Talk of a command, on what lies ready if anything does."""
    conversation, frame = miner.take_stop() if command.action is Action.STOP else (None, b"")
    if conversation is None:
        power_mw = command.power_mw
        if command.action is Action.RUN and power_mw is None:
            power_mw = miner.full_mw  # else one that was capped once wakes capped
        power_w = None if power_mw is None else round(power_mw * 1e6)
        conversation = miner.codec.command(command.action, power_w, miner.session, fresh_facts(now_s()))
        frame = conversation.begin()
    return Talk(
        miner.host,
        miner.port,
        conversation,
        sock=miner.take_connection(),
        frame=frame,
        expires_us=command.expires_us,
    )


def _had_died(how: How, talk: Talk) -> bool:
    """Was the connection that was kept dead before anything was said on it?"""
    return isinstance(how, Unreachable) or (isinstance(how, Refused) and how.is_garbled and talk.taken_bytes == 0)


def _outcome(command: Command, ended: Ended, where: str = "") -> CommandOutcome:
    is_sent = ended.sent_us is not None
    match ended.how:
        case Acknowledged():
            result = Result.ACKNOWLEDGED
        case Refused(is_garbled=is_garbled):
            result = Result.GARBLED if is_garbled else Result.REFUSED
        case Mute():
            result = Result.MUTE
        case Unreachable():
            result = Result.UNREACHABLE
        case Late():
            result = Result.EXPIRED
        case Dropped():
            result = Result.SENT if is_sent else Result.EXPIRED
        case SignedIn() | MinerStatus() | Opened():
            result = Result.GARBLED
        case _ as never:
            assert_never(never)
    return _told(command, result, "" if result is Result.ACKNOWLEDGED else where + words_of(ended.how), ended)


def _told(command: Command, result: Result, reason: str, ended: Ended | None = None) -> CommandOutcome:
    return CommandOutcome(
        command=command.id,
        asset=command.asset,
        result=result,
        commanded_us=command.commanded_us,
        sent_us=None if ended is None else ended.sent_us,
        acknowledged_us=ended.ended_us if ended is not None and result is Result.ACKNOWLEDGED else None,
        reason=reason,
    )
