"""A live site's statements on their way into its books: behind the journal, never in its way.

The journal is what counts. What it says is booked in a thread as it comes, and at the next start whatever a crash left
out; books that can't be written are an alarm, and tried again.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from headrace.adapters.store.live_books import LiveBooks, Settled
from headrace.core import BadInput
from headrace.engine.live.engine import Engine
from headrace.engine.live.records import Closed, LiveRecord, Resettled
from headrace.settlement import Statement

__all__ = ["Booking"]

LOOK_S: Final = 1.0
"""How often it looks for statements to book, seconds of the wall."""
AGAIN_S: Final = 30.0
"""Time before books that refused are tried again, seconds of the wall."""
UNWRITTEN: Final = "books.unwritten"


class Booking:
    """Books what the journal settles.

    Parameters
    ----------
    books
        Where to.
    records
        What the journal holds by now.
    may_write
        False while the disk has nothing to spare for books; None for always.
    """

    def __init__(
        self, books: LiveBooks, records: Iterable[LiveRecord], *, may_write: Callable[[], bool] | None = None
    ) -> None:
        self._books = books
        self._may_write = may_write
        self._waiting: list[Settled] = []
        self._estimated: dict[int, Statement] = {}
        for record in records:
            self.noted(record)

    def noted(self, record: LiveRecord) -> None:
        """Take a record in; one that settles something waits to be booked."""
        match record:
            case Closed() if record.cycle.statement is not None:
                statement, version, before = record.cycle.statement, 1, None
            case Resettled():
                statement, version = record.statement, record.version
                before = self._estimated.pop(statement.interval_start_s, None)
                if before is None:
                    return
            case _:
                return
        if statement.is_estimated:
            self._estimated[statement.interval_start_s] = statement
        self._waiting.append(Settled(version=version, statement=statement, before=before))

    async def run(self, engine: Engine) -> None:
        """Book until cancelled."""
        while True:
            wait_s = LOOK_S
            if self._waiting and (self._may_write is None or self._may_write()):
                try:
                    await asyncio.to_thread(self.book)
                except BadInput as error:
                    engine.alarm(UNWRITTEN, str(error), is_up=True)
                    wait_s = AGAIN_S
                else:
                    engine.alarm(UNWRITTEN, "", is_up=False)
            await asyncio.sleep(wait_s)

    def book(self) -> None:
        """Book everything that waits.

        Raises
        ------
        headrace.core.BadInput
            If the books refuse; everything goes on waiting.
        """
        waiting = list(self._waiting)
        self._books.book(waiting)
        del self._waiting[: len(waiting)]
