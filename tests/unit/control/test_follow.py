"""What services that follow demand may draw: never beyond what meters leave, all of it once mining has made room."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.control.assets import Asset, AssetKind, Feeder, Inventory
from headrace.control.commands import Action
from headrace.control.fleet import absorb, first_belief, note_commands
from headrace.control.follow import let, let_mw, rising_mw, wanted_mw
from headrace.control.layout import layout_of
from headrace.control.readings import AssetReading

NOW_US = 1_000_000_000
SERVERS = 8


def campus(limit_mw: float = 9.0):
    """Eight servers of 1 MW on two feeders, four miners of 1 MW on a third."""
    assets = [
        Asset(
            name=f"s{n}",
            kind=AssetKind.NODE,
            load="chat",
            feeder=f"f{n % 2}",
            driver="d",
            address="",
            full_mw=1.0,
            standby_mw=0.3,
            least_mw=0.3,
        )
        for n in range(SERVERS)
    ]
    assets += [
        Asset(name=f"m{n}", kind=AssetKind.MINER, load="s21", feeder="f2", driver="m", address="", full_mw=1.0)
        for n in range(4)
    ]
    feeders = tuple(
        Feeder(name=f"f{f}", meter=f"f{f}.m", limit_mw=limit_mw, ramp_up_max_mw_per_min=10.0) for f in range(3)
    )
    return layout_of(
        Inventory(
            assets=tuple(assets),
            feeders=feeders,
            site_meter="poi",
            ramp_up_max_mw_per_min=10.0,
            ramp_down_max_mw_per_min=10.0,
        )
    )


def heard(layout, drawn_mw: float):
    """Every server draws so much, every miner its full power."""
    readings = [
        AssetReading(
            asset=each.name,
            at_us=NOW_US - 1,
            is_running=True,
            power_w=round((drawn_mw if each.load == "chat" else 1.0) * 1e6),
        )
        for each in layout.inventory.assets
    ]
    return absorb(layout, first_belief(layout), readings)


def letting(layout, fleet, wanted: float, *, most_mw: float, rising: float = 0.0, pue: float = 1.0):
    drawn_mw = fleet.drawn_mw[layout.is_load & (layout.load_of == 0)].sum()
    return let(
        layout,
        fleet,
        {"chat": wanted},
        {"chat": pue},
        {},
        site_mw=float(drawn_mw) * pue + 4.0,
        most_mw=most_mw,
        rising_mw=rising,
        feeder_mw=np.bincount(layout.feeder_of, fleet.drawn_mw, 3),
        record="f1",
        now_us=NOW_US,
    )


@pytest.mark.inv("L17")
@given(
    drawn=st.floats(0.3, 1.0),
    wanted=st.floats(0.0, 8.0),
    most=st.floats(6.5, 14.0),
    limit=st.floats(1.3, 5.0),
    pue=st.floats(1.0, 1.4),
)
def test_caps_and_everything_else_stay_below_connection_and_feeders(drawn, wanted, most, limit, pue):
    layout = campus(limit)
    fleet = heard(layout, drawn)
    found = letting(layout, fleet, wanted, most_mw=most, pue=pue)
    fleet = note_commands(layout, fleet, found.commands)
    told = [0.0] * 3
    for i in range(SERVERS):
        command = fleet.told[i]
        told[int(layout.feeder_of[i])] += 1.0 if command is None else command.power_mw
    floor_mw = SERVERS * 0.3
    slack_mw = 0.005 * SERVERS + 1e-6
    assert sum(told) * pue + 4.0 <= max(most, floor_mw * pue + 4.0) + slack_mw * pue
    assert all(mw <= max(limit, 4 * 0.3) + slack_mw for mw in told[:2])
    assert let_mw(layout, fleet, "chat") == pytest.approx(sum(told))


def test_what_there_is_room_for_is_let_and_the_rest_is_short():
    layout = campus()
    found = letting(layout, heard(layout, 0.5), 7.0, most_mw=10.0)
    assert found.let_mw["chat"] == pytest.approx(6.0)
    assert found.short_mw == pytest.approx(1.0)
    assert {command.action for command in found.commands} == {Action.CAP}


def test_power_under_way_elsewhere_takes_room_from_rises_and_cuts_no_cap():
    layout = campus()
    fleet = heard(layout, 0.5)
    fleet = note_commands(layout, fleet, letting(layout, fleet, 5.0, most_mw=9.0).commands)
    fleet = heard_again(layout, fleet, 0.5)
    found = letting(layout, fleet, 7.0, most_mw=9.5, rising=3.0)
    assert found.let_mw["chat"] == pytest.approx(5.0)


def heard_again(layout, fleet, drawn_mw: float):
    readings = [
        AssetReading(asset=f"s{n}", at_us=NOW_US, is_running=True, power_w=round(drawn_mw * 1e6))
        for n in range(SERVERS)
    ]
    return absorb(layout, fleet, readings)


def test_a_server_that_an_order_stopped_is_not_told_to_rise():
    layout = campus()
    fleet = heard(layout, 0.5)
    capped = letting(layout, fleet, 4.0, most_mw=14.0).commands[0]
    fleet = note_commands(layout, fleet, [msgspec.structs.replace(capped, action=Action.STOP, power_mw=None)])
    found = letting(layout, fleet, 8.0, most_mw=14.0)
    assert capped.asset not in {command.asset for command in found.commands}


def test_a_service_without_a_word_asks_for_all_when_it_draws_what_it_may():
    given = {"asked_mw": None, "let_now_mw": 4.0, "full_mw": 8.0, "headroom_mw": 1.0}
    assert wanted_mw(drawn_mw=3.9, **given) == 8.0
    assert wanted_mw(drawn_mw=2.0, **given) == 3.0
    assert wanted_mw(drawn_mw=3.9, **(given | {"asked_mw": 5.0})) == 6.0


def test_rises_that_were_told_count_until_meters_can_show_them():
    layout = campus()
    fleet = heard(layout, 0.5)
    told = msgspec.structs.replace(
        letting(layout, fleet, 4.0, most_mw=14.0).commands[0], asset="m1", action=Action.RUN, power_mw=None
    )
    fleet = note_commands(layout, fleet, [told])
    assert rising_mw(layout, fleet, since_us=NOW_US - 1, besides=("chat",)) == pytest.approx(1.0)
    assert rising_mw(layout, fleet, since_us=NOW_US + 1, besides=("chat",)) == 0.0
