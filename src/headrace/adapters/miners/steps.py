"""Several talks one after another with one miner, written as one function, and many of those at a time.

Steps are a generator: it yields a talk, is given its end, and returns what all of it came to. No task stands behind
it, so five thousand of them cost what their talks cost.
"""

import asyncio
from collections.abc import Generator, Iterable, Iterator
from typing import Final, Generic, TypeVar

from headrace.adapters.miners.wire import Ended, Talk, Wire

__all__ = ["Steps", "run_all"]

OUT_OF_TIME: Final = "the call's time was up"
T = TypeVar("T")
Steps = Generator[Talk, Ended, T]


async def run_all(wire: Wire, work: Iterable[Steps[T]], *, at_once_max: int, within_s: float) -> list[T]:
    """Run steps side by side, at most `at_once_max` at a time, and end after `within_s` whatever is mute.

    Parameters
    ----------
    wire
        Carries their talks.
    work
        What to do; taken as there is room.
    at_once_max
        Most of them at a time.
    within_s
        When those under way are cut short and the rest begins only to be cut short, seconds.

    Returns
    -------
    list
        What each returned, in the order of `work`.
    """
    loop = asyncio.get_running_loop()
    crew = _Crew(wire, iter(work), at_once_max, loop.create_future())
    timer = loop.call_later(within_s, crew.cut)
    try:
        crew.fill()
        await crew.finished
    finally:
        timer.cancel()
        crew.cut()
    return [crew.results[number] for number in range(len(crew.results))]


class _Crew(Generic[T]):
    """Takes up the next steps whenever some are done."""

    def __init__(
        self, wire: Wire, work: Iterator[Steps[T]], at_once_max: int, finished: "asyncio.Future[None]"
    ) -> None:
        self.results: dict[int, T] = {}
        self.finished = finished
        self._wire = wire
        self._work = work
        self._at_once_max = at_once_max
        self._talks: dict[int, Talk] = {}
        self._under_way = 0
        self._taken = 0
        self._is_cut = False
        self._is_filling = False

    def fill(self) -> None:
        """Begin as many of those left as there is room for."""
        if self._is_filling:
            return
        self._is_filling = True
        steps = None
        while self._under_way < self._at_once_max and (steps := next(self._work, None)) is not None:
            self._under_way += 1
            number, self._taken = self._taken, self._taken + 1
            self._go_on(number, steps, None)
        self._is_filling = False
        if not self._under_way and steps is None and not self.finished.done():
            self.finished.set_result(None)

    def cut(self) -> None:
        """Out of time: end what is under way, and let what is left begin only to end."""
        self._is_cut = True
        for talk in list(self._talks.values()):
            self._wire.cut(talk, OUT_OF_TIME)

    def _go_on(self, number: int, steps: Steps[T], ended: Ended | None) -> None:
        try:
            talk = next(steps) if ended is None else steps.send(ended)
        except StopIteration as end:
            self.results[number] = end.value
            self._talks.pop(number, None)
            self._under_way -= 1
            self.fill()
            return
        self._talks[number] = talk
        self._wire.begin(talk, lambda end: self._go_on(number, steps, end))
        if self._is_cut:
            self._wire.cut(talk, OUT_OF_TIME)
