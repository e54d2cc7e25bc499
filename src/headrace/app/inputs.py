"""Read the series a site needs for a period, and refuse a period that its price does not cover."""

from datetime import timedelta
from typing import Final

from headrace.adapters.feeds import RecordedFeed
from headrace.core import BadInput, Interval, iso
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.site import Site
from headrace.energy import Series
from headrace.loads.cooling import is_flat

__all__ = ["check_period", "read_inputs"]

LOOK_BACK: Final = timedelta(days=8)
"""How much of each series before the period forecasts may use: a week, and a day for late publication."""


def read_inputs(feed: RecordedFeed, site: Site, declared: set[str], window: Interval) -> Inputs:
    """Read every declared series over the period and the days before it.

    Parameters
    ----------
    feed
        Where series come from.
    site
        The site, for what it needs.
    declared
        Roles of the site file's [feeds].
    window
        Period to replay.

    Raises
    ------
    BadInput
        If a needed series is not declared or does not reach the period.
    """
    wide = Interval(start=window.start - LOOK_BACK, end=window.end)
    needed = {"real_time"}
    if site.miners:
        needed |= {"bitcoin_price", "difficulty", "block_reward"}
    if not all(is_flat(c) for c in site.coolings):
        needed.add("temperature")
    own = {g.profile for g in site.generators if g.profile} | {p.profile for p in site.ppas}
    own |= {s.demand for s in site.inference}
    for role in sorted((needed | own) - declared):
        raise BadInput(f"feeds.{role}", "not declared", "Name a series for it in the site file's [feeds]")

    def read(role: str) -> Series | None:
        return feed.series(role, wide) if role in declared and (role in needed or role in optional) else None

    optional = {"day_ahead", "carbon"}
    real_time = feed.series("real_time", wide)
    return Inputs(
        real_time=real_time,
        day_ahead=read("day_ahead"),
        temperature=read("temperature"),
        bitcoin_price=read("bitcoin_price"),
        difficulty=read("difficulty"),
        block_reward=read("block_reward"),
        carbon=read("carbon"),
        profiles={role: feed.series(role, wide) for role in sorted(own)},
    )


def check_period(feed: RecordedFeed, site: Site, window: Interval) -> None:
    """Refuse a period outside the price's record, or one that starts or ends inside a settlement interval."""
    step_s = max(site.control_step_s, site.market.settlement_step_s)
    for name, at_s in (("start", window.start_s), ("end", window.end_s)):
        if at_s % step_s:
            raise BadInput(
                f"period {name} {iso(at_s)}",
                f"inside a settlement interval of {step_s // 60} minutes",
                "Give a time on the interval's boundary",
            )
    span = feed.span("real_time")
    if window.start < span.start or window.end > span.end:
        raise BadInput(
            f"period {iso(window.start_s)} to {iso(window.end_s)}",
            f"the price on record runs from {iso(span.start_s)} to {iso(span.end_s)}",
            "Choose a period inside it with --from and --to, or another series",
        )
