"""Simulated time stands still while anybody works, however long a chain of awaits is, and jumps when nobody does."""

import asyncio

from headrace.engine.clock import SimulatedClock


async def test_no_time_passes_while_a_long_chain_of_awaits_goes_on():
    clock = SimulatedClock(1000.0)
    moving = asyncio.ensure_future(clock.run())
    waiting = asyncio.ensure_future(clock.sleep_until(1060.0))
    await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
    assert clock.now_s() == 1000.0
    await waiting
    assert clock.now_s() == 1060.0
    moving.cancel()


async def test_whoever_gave_up_waiting_moves_no_time():
    clock = SimulatedClock(0.0)
    moving = asyncio.ensure_future(clock.run())
    gone = asyncio.ensure_future(clock.sleep_until(10.0))
    await asyncio.sleep(0)
    gone.cancel()
    await clock.sleep_until(20.0)
    assert clock.now_s() == 20.0
    moving.cancel()
