"""The log of a live process: JSON lines beside the journal, for whoever watches processes.

The journal is the truth and has everything; the log says in static names what a person wants to be told: starts and
stops, alarms, orders and how they were met, what doors turned away. Times are the site's, and the wall's beside them.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from headrace.adapters.grid.refusals import Refusals
from headrace.control.ports import Signals
from headrace.core import iso
from headrace.engine.atomic import refused
from headrace.engine.live.records import (
    Alarmed,
    Attested,
    Closed,
    Delivered,
    LiveRecord,
    Locked,
    Ordered,
    OrdersEnded,
    Outcomes,
    Released,
    Started,
    Stopped,
    Waking,
)

__all__ = ["LiveLog", "opened_log"]

US_PER_S: Final = 1_000_000
WORDS_CHARS: Final = 300
"""How much of words from outside a line repeats."""


class LiveLog:
    """Turns records into lines.

    Parameters
    ----------
    stream
        Where lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._log: Any = structlog.wrap_logger(
            structlog.WriteLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="wall"),
                structlog.processors.JSONRenderer(),
            ],
        )
        self._doors: list[tuple[str, Refusals]] = []
        self._told: Counter[int] = Counter()

    def watch(self, doors: Sequence[Signals]) -> None:
        """Also tell what these doors turn away."""
        held = [(type(door).__name__.lower(), getattr(door, "refusals", None)) for door in doors]
        self._doors = [(name, each) for name, each in held if isinstance(each, Refusals)]

    def began(self, **fields: str | int | bool | None) -> None:
        """Say what has begun to run."""
        self._log.info("live.began", **fields)

    def noted(self, record: LiveRecord) -> None:
        """Tell a record, if it is one that a person wants to be told."""
        if (tell := TOLD.get(type(record))) is not None:
            tell(self._log, record, iso(record.at_us // US_PER_S))
        if isinstance(record, Closed):
            self.look()

    def look(self) -> None:
        """Tell what doors turned away since the last look."""
        for number, (door, refusals) in enumerate(self._doors):
            count = sum(refusals.counts.values())
            news = min(count - self._told[number], len(refusals.last))
            self._told[number] = count
            for each in list(refusals.last)[len(refusals.last) - news :]:
                at = iso(each.at_us // US_PER_S)
                self._log.warning("door.refused", at=at, door=door, why=each.why, what=each.what, reason=each.reason)


@contextmanager
def opened_log(path: Path | None) -> Iterator[LiveLog]:
    """A log into a file, or to standard error.

    Raises
    ------
    headrace.core.BadInput
        If the file can't be written.
    """
    if path is None:
        yield LiveLog(sys.stderr)
        return
    try:
        file = path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise refused(path, error) from error
    with file:
        yield LiveLog(file)


def _started(log: Any, record: Started, at: str) -> None:  # noqa: ANN401  structlog binds its methods late; so below
    log.info("live.started", at=at, first=iso(record.first_s))


def _stopped(log: Any, record: Stopped, at: str) -> None:  # noqa: ANN401
    log.info("live.stopped", at=at, reason=record.reason)


def _alarmed(log: Any, record: Alarmed, at: str) -> None:  # noqa: ANN401
    if record.is_up:
        log.warning("alarm.up", at=at, code=record.code, text=record.text[:WORDS_CHARS])
    else:
        log.info("alarm.cleared", at=at, code=record.code)


def _ordered(log: Any, record: Ordered, at: str) -> None:  # noqa: ANN401
    order = record.order
    fields = {
        "at": at,
        "order": order.id,
        "kind": order.kind.value,
        "authority": order.authority.name.lower(),
        "mw": order.mw,
        "feeder": order.feeder,
        "issued_by": order.issued_by[:WORDS_CHARS],
    }
    if record.refused:
        log.warning("order.refused", **fields, reason=record.refused)
    else:
        log.info("order.taken", **fields)


def _delivered(log: Any, record: Delivered, at: str) -> None:  # noqa: ANN401
    log.info(
        "order.delivered",
        at=at,
        order=record.order,
        asked_mw=record.asked_mw,
        met_mw=record.met_mw,
        is_met=record.is_met,
        reasons=record.reasons,
    )


def _ended(log: Any, record: OrdersEnded, at: str) -> None:  # noqa: ANN401
    log.info("order.ended", at=at, orders=record.orders, reason=record.reason)


def _waking(log: Any, record: Waking, at: str) -> None:  # noqa: ANN401
    if record.record:
        log.info("restoration.began", at=at, record=record.record)
    else:
        log.info("restoration.done", at=at)


def _outcomes(log: Any, record: Outcomes, at: str) -> None:  # noqa: ANN401
    log.info("commands.answered", at=at, **Counter(each.result.value for each in record.outcomes))


def _locked(log: Any, record: Locked, at: str) -> None:  # noqa: ANN401
    log.info("lock.set", at=at, asset=record.lock.asset, holder=record.lock.holder)


def _released(log: Any, record: Released, at: str) -> None:  # noqa: ANN401
    log.info("lock.released", at=at, asset=record.asset, by=record.by, refused=record.refused)


def _attested(log: Any, record: Attested, at: str) -> None:  # noqa: ANN401
    log.info("telemetry.signed", at=at, sequence=record.sequence, readings=record.readings, root=record.root)


TOLD: Final[dict[type, Callable[[Any, Any, str], None]]] = {
    Started: _started,
    Stopped: _stopped,
    Alarmed: _alarmed,
    Ordered: _ordered,
    Delivered: _delivered,
    OrdersEnded: _ended,
    Waking: _waking,
    Outcomes: _outcomes,
    Locked: _locked,
    Released: _released,
    Attested: _attested,
}
"""Records that are told, and how."""
