"""What every door to power limits does; run on each, and for NVML in a process of its own beside a stub library."""

import asyncio
import sys
import time


def wall_us() -> int:
    return time.time_ns() // 1000


async def keep_the_contract(caps) -> None:
    """Two units, 200 to 700 W, up to 1980 MHz, that would draw 650 W."""
    states = await caps.states()
    assert [s.reason for s in states] == ["", ""], states
    a, b = (s.unit for s in states)
    assert [(s.least_w, s.most_w, s.limit_w, s.power_w) for s in states] == [(200, 700, 700, 650)] * 2, states

    outcomes = await caps.limit_power({a: 400, b: 199})
    assert [o.is_in_force for o in outcomes] == [True, False], outcomes
    assert "200 to 700 W" in outcomes[1].reason
    assert [(s.limit_w, s.power_w) for s in await caps.states()] == [(400, 400), (700, 650)]

    assert (await caps.limit_power({a: 400}))[0].is_in_force  # twice is once
    assert (await caps.limit_power({a: None}))[0].is_in_force
    assert [s.limit_w for s in await caps.states()] == [700, 700]

    outcomes = await caps.lock_clock({b: 1200, a: 5000})
    assert [(o.unit, o.is_in_force) for o in outcomes] == [(b, True), (a, False)], outcomes
    states = await caps.states()
    assert [s.clock_max_mhz for s in states] == [None, 1200]
    assert states[1].power_w < 650
    assert (await caps.lock_clock({b: None}))[0].is_in_force
    assert [s.clock_max_mhz for s in await caps.states()] == [None, None]

    (outcome,) = await caps.limit_power({"nobody": 400})
    assert not outcome.is_in_force
    assert outcome.reason.startswith("no such")
    await caps.close()


async def one_is_lost(caps) -> None:
    states = await caps.states()
    assert [bool(s.reason) for s in states] == [False, True], states
    outcomes = await caps.limit_power({s.unit: 300 for s in states})
    assert [o.is_in_force for o in outcomes] == [True, False], outcomes
    assert "lost" in outcomes[1].reason.lower()


if __name__ == "__main__":
    from headrace.adapters.caps.nvml import NvmlCaps

    asyncio.run({"contract": keep_the_contract, "lost": one_is_lost}[sys.argv[1]](NvmlCaps(now_us=wall_us)))
    print("kept")
