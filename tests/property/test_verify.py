"""A meter that is right accuses nobody who did as told, and overlooks no feeder on which somebody did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cases import NOW_US, S, asset, running, site
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import MeterReading
from headrace.control.verify import narrow_suspicion, verify


@st.composite
def stories(draw):
    """Machines on two feeders, all told to stop and all saying that they did; some of them lie."""
    sizes_mw = st.sampled_from((0.3, 0.5, 0.7, 1.0, 1.0, 1.0))
    assets = [asset(f"a{k}", draw(st.sampled_from(("f1", "f2"))), full_mw=draw(sizes_mw)) for k in range(8)]
    layout = site(assets)
    told = draw(st.sets(st.sampled_from([each.name for each in assets]), min_size=1))
    liars = draw(st.sets(st.sampled_from(sorted(told)), max_size=3))
    return layout, sorted(told), liars


def tell(layout, told, liars):
    commands = [
        Command(id=f"r.{name}", asset=name, action=Action.STOP, commanded_us=NOW_US, expires_us=NOW_US + S, reason="t")
        for name in told
    ]
    outcomes = {
        each.id: CommandOutcome(
            command=each.id,
            asset=each.asset,
            result=Result.ACKNOWLEDGED,
            commanded_us=NOW_US,
            acknowledged_us=NOW_US + 1,
        )
        for each in commands
    }
    meters = [
        MeterReading(
            meter=feeder.meter,
            at_us=NOW_US + S,
            power_w=round(
                1e6
                * sum(
                    each.full_mw
                    for each in layout.inventory.assets
                    if each.feeder == feeder.name and (each.name not in told or each.name in liars)
                )
            ),
        )
        for feeder in layout.inventory.feeders
    ]
    return verify(layout, running(layout), commands, outcomes, meters)


@pytest.mark.inv("L10")
@given(stories())
def test_a_right_meter_accuses_no_honest_device_and_misses_no_feeder(story):
    layout, told, liars = story
    found = tell(layout, told, liars)
    assert set(found.liars) <= liars
    assert not set(found.confirmed) & liars
    suspected = {name for suspicion in found.suspects for name, _ in suspicion.drops_mw}
    assert liars <= set(found.liars) | suspected
    assert set(found.confirmed) | set(found.liars) | suspected == set(told)
    for feeder in layout.inventory.feeders:
        own = {each.name for each in layout.inventory.assets if each.feeder == feeder.name} & set(told)
        if not own & liars:
            assert own <= set(found.confirmed)


@pytest.mark.inv("L10")
@given(stories())
def test_halving_the_suspects_finds_every_liar_and_nobody_else(story):
    layout, told, liars = story
    waiting, caught = list(tell(layout, told, liars).suspects), set(tell(layout, told, liars).liars)
    sizes_mw = {each.name: each.full_mw for each in layout.inventory.assets}
    for _ in range(20):
        if not waiting:
            break
        suspicion = waiting.pop()
        names = [name for name, _ in suspicion.drops_mw]
        started = names[: max(len(names) // 2, 1)]
        missing_mw = sum(sizes_mw[name] for name in started if name in liars)
        named, left = narrow_suspicion(suspicion, started, missing_mw, tolerance_mw=0.01)
        caught |= set(named)
        waiting += left
    assert caught == liars
