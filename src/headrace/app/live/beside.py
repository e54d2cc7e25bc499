"""What runs beside a live site as long as it does; one that fails is an alarm, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headrace.engine.live.engine import Engine
from headrace.engine.live.site import LiveSite

__all__ = ["Beside", "Companions"]

Beside = Callable[[LiveSite], Awaitable[None]]
"""Something that runs as long as the site does: an API, metrics, a scenario. It is cancelled at the end."""

AGAIN_S: Final = 30.0
"""Time before one that failed is tried again, seconds of the wall."""


class Companions:
    """Tasks that live as long as the site.

    Parameters
    ----------
    site, engine
        What they run beside, and who takes their alarms.
    beside
        What runs, each with its name.
    """

    def __init__(self, site: LiveSite, engine: Engine, beside: Sequence[tuple[str, Beside]]) -> None:
        self._site = site
        self._engine = engine
        self._beside = beside
        self._tasks: list[asyncio.Future[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.ensure_future(self._keep(name, each)) for name, each in self._beside]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name: str, run: Beside) -> None:
        code = f"beside.{name}"
        while True:
            try:
                await run(self._site)
            except Exception as error:  # noqa: BLE001  what runs beside must not end the site
                self._engine.alarm(code, f"{type(error).__name__}: {error}", is_up=True)
                await asyncio.sleep(AGAIN_S)
                self._engine.alarm(code, "", is_up=False)
            else:
                return
