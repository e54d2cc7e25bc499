"""The feeder's meter finds who acknowledged and still draws, or at least where."""

import msgspec
import pytest

from fleet_cases import NOW_US, S, asset, feeder, order, running, site
from headrace.control.assets import AssetKind
from headrace.control.authority import LadderRules
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.escalate import escalate
from headrace.control.orders import Authority
from headrace.control.readings import AssetReading, MeterReading
from headrace.control.verify import attribute, narrow_suspicion, verify

LATER_US = NOW_US + S


def stops(*names):
    return [
        Command(id=f"r.{name}", asset=name, action=Action.STOP, commanded_us=NOW_US, expires_us=LATER_US, reason="t")
        for name in names
    ]


def answers(commands, **other):
    return {
        command.id: CommandOutcome(
            command=command.id,
            asset=command.asset,
            result=other.get(command.asset, Result.ACKNOWLEDGED),
            commanded_us=NOW_US,
            sent_us=NOW_US + 1,
            acknowledged_us=None if command.asset in other else NOW_US + 2,
        )
        for command in commands
    }


def shows(mw, name="f1", at_us=LATER_US):
    return MeterReading(meter=f"{name}.meter", at_us=at_us, power_w=round(mw * 1e6))


def test_a_feeder_that_fell_as_told_confirms_everybody_on_it():
    layout = site([asset("a"), asset("b"), asset("c")])
    told = stops("a", "b")
    found = verify(layout, running(layout), told, answers(told), [shows(1.0)])
    assert found.confirmed == ("a", "b")
    assert all(each.result is Result.METERED and each.metered_us == LATER_US for each in found.outcomes)
    assert (found.liars, found.suspects, found.metered_mw) == ((), (), pytest.approx(2.0))


def test_a_liar_of_its_own_size_is_named():
    layout = site([asset("a"), asset("b"), asset("odd", full_mw=0.7)])
    told = stops("a", "b", "odd")
    found = verify(layout, running(layout), told, answers(told), [shows(0.7)])
    assert found.liars == ("odd",)
    assert found.confirmed == ("a", "b")


def test_a_liar_among_equals_makes_all_of_them_suspects_and_starting_half_finds_it():
    layout = site([asset(f"a{k}") for k in range(4)])
    told = stops("a0", "a1", "a2", "a3")
    found = verify(layout, running(layout), told, answers(told), [shows(1.0)])
    assert (found.liars, found.confirmed) == ((), ())
    (suspicion,) = found.suspects
    assert suspicion.residual_mw == pytest.approx(1.0)
    liars, (left,) = narrow_suspicion(suspicion, ("a0", "a1"), 1.0, tolerance_mw=0.01)
    assert not liars
    assert [name for name, _ in left.drops_mw] == ["a0", "a1"]
    assert narrow_suspicion(left, ("a0",), 0.0, tolerance_mw=0.01) == (("a1",), ())


def test_a_device_that_says_itself_that_it_works_is_named():
    layout = site([asset(f"a{k}") for k in range(4)])
    told = stops("a0", "a1", "a2", "a3")
    claims = {"a2": AssetReading(asset="a2", at_us=LATER_US, is_running=True, power_w=1_000_000)}
    found = verify(layout, running(layout), told, answers(told), [shows(1.0)], claims=claims)
    assert found.liars == ("a2",)
    assert found.confirmed == ("a0", "a1", "a3")


def test_a_mute_device_that_stopped_is_confirmed_and_one_that_did_not_is_no_liar():
    layout = site([asset("a"), asset("b")])
    told = stops("a", "b")
    heard = answers(told, b=Result.MUTE)
    assert verify(layout, running(layout), told, heard, [shows(0.0)]).confirmed == ("a", "b")
    still = verify(layout, running(layout), told, heard, [shows(1.0)])
    assert (still.confirmed, still.liars) == (("a",), ())


def test_a_meter_that_has_not_spoken_since_judges_nobody():
    layout = site([asset("a")])
    told = stops("a")
    found = verify(layout, running(layout), told, answers(told), [shows(0.0, at_us=NOW_US)])
    assert (found.awaited, found.outcomes) == (("f1",), ())


def test_a_feeder_that_fell_further_than_told_has_tripped():
    layout = site([asset("a"), asset("b")])
    told = stops("a")
    (trip,) = verify(layout, running(layout), told, answers(told), [shows(0.4)]).trips
    assert (trip.feeder, trip.excess_mw) == ("f1", pytest.approx(0.6))


def test_a_switch_that_opened_one_pole_is_found_out():
    layout = site(
        [asset("a"), asset("b"), asset("k1", "main", load="", full_mw=0.0, kind=AssetKind.CONTACTOR)],
        [feeder("f1", contactor="k1"), feeder("main")],
    )
    told = [msgspec.structs.replace(stops("k1")[0], action=Action.OPEN)]
    found = verify(layout, running(layout), told, answers(told), [shows(0.7)])
    assert found.liars == ("k1",)
    assert "fell by 1.300 MW" in found.outcomes[0].reason


def test_own_figures_that_are_all_off_by_a_little_accuse_nobody():
    layout = site([asset(f"a{k}") for k in range(100)])
    told = stops(*(f"a{k}" for k in range(100)))
    before = running(layout)
    before = msgspec.structs.replace(before, feeders=(shows(97.0, at_us=NOW_US - S),))
    assert len(verify(layout, before, told, answers(told), [shows(0.0)]).confirmed) == 100


def test_attribution_names_a_set_only_if_it_is_the_only_one():
    sizes = [("a", 1.0), ("b", 2.0), ("c", 4.0)]
    assert attribute(sizes, 5.0, 0.01) == ("a", "c")
    assert attribute([*sizes, ("d", 3.0)], 3.0, 0.01) == ()
    assert attribute([(f"m{k}", 1.0) for k in range(300)], 150.5, 0.01) == ()
    assert attribute([(f"m{k}", 1.0) for k in range(5)], 5.0, 0.01) == ("m0", "m1", "m2", "m3", "m4")


WORTH = {"s21": 60.0, "llm": 2000.0}
RULES = LadderRules(firm=("llm",))


@pytest.fixture
def hall():
    switches = [asset(f"k{f}", "main", load="", full_mw=0.0, kind=AssetKind.CONTACTOR) for f in (1, 2, 3)]
    machines = [asset("a", "f1"), asset("b", "f2", full_mw=2.0), asset("n", "f3", load="llm", kind=AssetKind.NODE)]
    return site([*machines, *switches], [*(feeder(f"f{f}", contactor=f"k{f}") for f in (1, 2, 3)), feeder("main")])


def opened(hall, fleet, short_mw, *, authority=Authority.GRID, now_us=LATER_US, rules=RULES):
    commands = escalate(
        hall, fleet, WORTH, short_mw, order=order(authority=authority), feeder_mw=fleet.drawn_mw[[0, 1, 2, 3]],
        record="e1", now_us=now_us, rules=rules,
    )  # fmt: skip
    assert all(command.action is Action.OPEN for command in commands)
    return [command.asset for command in commands]


def test_the_switch_that_costs_least_opens_and_none_before_its_time(hall):
    fleet = running(hall)
    assert opened(hall, fleet, 0.5) == ["k1"]
    assert opened(hall, fleet, 2.0) == ["k2"]
    assert opened(hall, fleet, 3.5) == ["k1", "k2", "k3"]
    assert opened(hall, fleet, 0.5, now_us=NOW_US) == []
    assert opened(hall, fleet, 0.5, authority=Authority.RESERVE) == []


def test_a_locked_switch_stays_closed(hall):
    fleet = running(hall)
    fleet = msgspec.structs.replace(fleet, is_locked=fleet.is_locked | [False, False, False, True, False, False])
    assert opened(hall, fleet, 0.5) == ["k2"]
