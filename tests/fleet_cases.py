"""Small live sites for tests: assets behind feeders, heard and running, and orders about them."""

import msgspec
import numpy as np
from hypothesis import strategies as st

from headrace.control.assets import Asset, AssetKind, Feeder, Inventory, WhenLost
from headrace.control.fleet import absorb, first_belief
from headrace.control.layout import layout_of
from headrace.control.orders import Authority, Order, OrderKind
from headrace.control.readings import AssetReading, MeterReading

NOW_US = 1_800_000_000_000_000
"""When these tests happen."""
S = 1_000_000
"""A second, in microseconds."""


def asset(name, feeder="f1", *, load="s21", full_mw=1.0, kind=AssetKind.MINER, **more):
    return Asset(name=name, kind=kind, load=load, feeder=feeder, driver="sim", address=name, full_mw=full_mw, **more)


def feeder(name, **more):
    given = {"limit_mw": 100.0, "ramp_up_max_mw_per_min": 6.0, **more}
    return Feeder(name=name, meter=f"{name}.meter", **given)


def site(assets, feeders=None, **more):
    names = dict.fromkeys(each.feeder for each in assets)
    given = {"ramp_up_max_mw_per_min": 6.0, "ramp_down_max_mw_per_min": 6.0, **more}
    return layout_of(
        Inventory(
            assets=tuple(assets),
            feeders=tuple(feeders or (feeder(name) for name in names)),
            site_meter="site.meter",
            battery_meter="battery.meter",
            **given,
        )
    )


def running(layout, *, stopped=(), at_us=NOW_US - S, soc_ratio=0.8):
    """Every asset heard a second ago, running at full but for those stopped; the battery idle."""
    news = []
    for each in layout.inventory.assets:
        is_running = each.name not in stopped
        idle = each.kind is AssetKind.BATTERY
        power_w = 0 if idle else round((each.full_mw if is_running else each.standby_mw) * 1e6)
        news.append(AssetReading(asset=each.name, at_us=at_us, is_running=is_running, power_w=power_w))
    news.append(MeterReading(meter="battery.meter", at_us=at_us, power_w=0, soc_ratio=soc_ratio))
    return metered(layout, absorb(layout, first_belief(layout), news), at_us)


def metered(layout, fleet, at_us):
    """The fleet with every feeder's meter showing what is believed behind it."""
    news = []
    for f, each in enumerate(layout.inventory.feeders):
        mw = each.base_mw + fleet.drawn_mw[layout.feeder_of == f].sum()
        news.append(MeterReading(meter=each.meter, at_us=at_us, power_w=round(mw * 1e6)))
    return absorb(layout, fleet, news)


def order(kind=OrderKind.SHED, authority=Authority.GRID, *, name="o1", mw=0.0, **more):
    given = {"received_us": NOW_US, "starts_us": NOW_US, "within_s": 1.0, "issued_by": "test", "reason": "test", **more}
    return Order(id=name, kind=kind, authority=authority, mw=mw, **given)


@st.composite
def fleets(draw, most=12):
    """A layout of mixed machines on up to three feeders, and a fleet some of which is stopped, lost or in doubt."""
    count = draw(st.integers(min(3, most), most))
    loads = ("s21", "s19", "train", "firm")
    assets = []
    for k in range(count):
        full_mw = draw(st.sampled_from((0.1, 0.3, 0.5, 1.0, 2.0, 4.0)))
        least_mw = draw(st.sampled_from((None, None, full_mw * 0.5)))
        assets.append(
            asset(
                f"a{k}",
                draw(st.sampled_from(("f1", "f2", "f3"))),
                load=draw(st.sampled_from(loads)),
                full_mw=full_mw,
                standby_mw=draw(st.sampled_from((0.0, full_mw * 0.05))),
                least_mw=least_mw,
                when_lost=draw(st.sampled_from(WhenLost)),
                min_off_s=draw(st.sampled_from((0.0, 600.0))),
            )
        )
    if draw(st.booleans()):
        assets.append(asset("bess", "f1", load="battery", full_mw=2.0, kind=AssetKind.BATTERY))
    layout = site(assets)
    machines = [each.name for each in assets if each.kind is AssetKind.MINER]
    stopped = draw(st.sets(st.sampled_from(machines), max_size=len(machines) // 2))
    fleet = running(layout, stopped=stopped, at_us=NOW_US - 3600 * S)
    flags = st.lists(st.sampled_from((False,) * 7 + (True,)), min_size=len(assets), max_size=len(assets))
    doubt = st.lists(st.sampled_from((0,) * 9 + (1, 2, 3)), min_size=len(assets), max_size=len(assets))
    since_s = st.lists(st.sampled_from((1, 300, 3600)), min_size=len(assets), max_size=len(assets))
    return layout, msgspec.structs.replace(
        fleet,
        is_lost=fleet.is_lost | draw(flags),
        doubt=np.array(draw(doubt), np.int8),
        changed_us=NOW_US - S * np.array(draw(since_s), np.int64),
    )
