"""Doors that orders come from: each order is followed at once, and a door that fails is an alarm and tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from headrace.control.orders import Order
from headrace.control.ports import Signals
from headrace.engine.live.engine import Engine, JournalLost
from headrace.engine.live.records import Delivered

__all__ = ["listen"]


async def listen(engine: Engine, doors: Sequence[Signals], submit: Callable[[Order], Awaitable[Delivered]]) -> None:
    """Take orders from every door until cancelled; what was asked for is told what the meter showed.

    Parameters
    ----------
    engine
        Clock and alarms.
    doors
        Where orders come from.
    submit
        Follows one and waits for the meter's word.
    """
    await asyncio.gather(*(_listen(engine, number, door, submit) for number, door in enumerate(doors, start=1)))


async def _listen(engine: Engine, number: int, door: Signals, submit: Callable[[Order], Awaitable[Delivered]]) -> None:
    """Take orders from one door; one that waits for its meter keeps none that comes after it waiting."""
    code = f"door.signals.{number}"
    following: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                async for order in door.orders():
                    engine.alarm(code, "", is_up=False)
                    task = asyncio.ensure_future(_follow(engine, code, door, order, submit))
                    following.add(task)
                    task.add_done_callback(following.discard)
                return
            except Exception as error:  # noqa: BLE001  a door that can't start or breaks must not end the site
                engine.alarm(code, f"{type(door).__name__}: {type(error).__name__}: {error}", is_up=True)
            await engine.clock.sleep_until(engine.clock.now_s() + engine.state.rules.feed_poll_s)
    finally:
        for task in following:
            task.cancel()


async def _follow(
    engine: Engine, code: str, door: Signals, order: Order, submit: Callable[[Order], Awaitable[Delivered]]
) -> None:
    try:
        delivered = await submit(order)
        await door.report(order.id, delivered.met_mw, delivered.at_us)
    except JournalLost:
        return  # the loops beside it stop the site for the same reason
    except Exception as error:  # noqa: BLE001  one order's fault must not end the door
        engine.alarm(code, f"{order.id}: {type(error).__name__}: {error}", is_up=True)
