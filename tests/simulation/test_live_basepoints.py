"""Base points of a market on a live site: met on registered ramps, told every two seconds, accounted for."""

import math

import msgspec
import pytest

from headrace.control.basepoints import BasePoint, RampCurve, RampPiece, Registration, orders_of
from headrace.control.orders import Authority, OrderKind
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.live.dispatched import Dispatched
from headrace.engine.live.records import Followed
from live_cases import RULES, Campus, order


def curve(mw_per_min: float) -> RampCurve:
    return RampCurve(pieces=(RampPiece(to_mw=10.0, up_mw_per_min=mw_per_min, down_mw_per_min=mw_per_min),))


CLR = Registration(
    name="CLR1", least_mw=2.0, most_mw=25.0, normal=curve(2.0), emergency=curve(10.0), tolerance_least_w=1_000_000
)


PROMPT = msgspec.structs.replace(RULES, asset_poll_s=10.0)


class Master:
    """What a market has read."""

    def __init__(self) -> None:
        self.read: list[tuple[dict, dict]] = []

    def telemetry(self, analog_mw, binary) -> None:
        self.read.append((dict(analog_mw), dict(binary)))


def dispatched(campus, seconds, to_mw, *, beside=()):
    """A run with one base point at 450 s; what the market read, and the records."""
    master, told = Master(), {}

    async def market(site) -> None:
        engine = site._engine
        telling = Dispatched(engine, master, CLR)
        until_s = campus.clock.now_s() + seconds - 5.0
        while campus.clock.now_s() < until_s:
            telling.look()
            await campus.clock.sleep_until(campus.clock.now_s() + 2.0)

    async def point(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + 450.0)
        now_us = campus.clock.now_us()
        told["from"] = site.status().site_mw
        base = BasePoint(at_us=now_us, from_mw=told["from"], to_mw=to_mw, within_s=240.0)
        for each in orders_of(
            base, CLR, id="dnp3.basepoint.m1", authority=Authority.RESERVE, received_us=now_us, issued_by="CLR1"
        ):
            await site.submit(each)
        await campus.clock.sleep_until(campus.window.start_s + 880.0)
        told["status"] = site.status()

    campus.run(seconds, market, point, *beside)
    return master, told, [each for each in campus.records() if isinstance(each, Followed)]


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    campus = Campus(tmp_path_factory.mktemp("points") / "live.jsonl", policy=AlwaysOn, machines=40, rules=PROMPT)
    return campus, *dispatched(campus, 1300.0, 12.0)


def test_the_market_reads_draw_limits_and_ramps_every_two_seconds(followed):
    _, master, _, _ = followed
    assert len(master.read) >= 1300 / 2 - 20
    analog = master.read[-1][0]
    assert (analog["least"], analog["most"], analog["ramp_up"]) == (2.0, 25.0, 2.0)
    assert not math.isnan(analog["draw"])
    assert master.read[0][1]["available"] is False  # nothing is decided yet
    assert any(each["available"] for _, each in master.read)


def test_a_base_point_is_followed_within_its_tolerance_and_accounted_for(followed):
    _, master, told, periods = followed
    first, second = periods[:2]
    assert abs(told["status"].site_mw - 12.0) < 1.0
    assert first.resource == "CLR1"
    assert first.base_mw == second.base_mw == 12.0
    assert second.over_wh + second.under_wh < 0.001 * second.metered_wh
    assert second.worst_w < 1_300_000
    assert abs(second.metered_wh - second.path_wh) < 0.05 * second.path_wh
    assert told["status"].followed == first
    assert any(each["following"] for _, each in master.read)


def test_a_draw_that_stays_off_the_path_is_energy_over_the_tolerance(tmp_path):
    campus = Campus(tmp_path / "live.jsonl", policy=AlwaysOn)

    async def held(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + 440.0)
        await site.submit(order(campus, OrderKind.HOLD, name="op.hold", authority=Authority.SAFETY))

    _, _, periods = dispatched(campus, 1300.0, 12.0, beside=(held,))
    assert periods[1].over_wh > 0
    assert periods[1].worst_w > 1_000_000
    assert periods[1].longest_off_us > 100_000_000
