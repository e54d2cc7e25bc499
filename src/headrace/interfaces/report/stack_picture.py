"""Power stacked by use, with the price above it on the same axis: over time, over one day, or ranked by price.

Values are means per bin of about two pixels; the price also shows its lowest and highest in each bin, so that no spike
is averaged away. The dark line is what the sources give; what lies between it and the stack is the residual.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from headrace.dispatch.site import Site
from headrace.interfaces.families import Band, source_bands, use_bands
from headrace.interfaces.report.palette import LOSS, fill_of
from headrace.interfaces.report.svg import Canvas, LinearScale, PriceScale, spread_labels, text_width

__all__ = ["Stack", "stack_by_price", "stack_over_time", "stack_picture"]

Floats = NDArray[np.float64]

PX_PER_BIN = 2.0
"""Bins are no narrower than this."""


class Stack(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What one picture stacks, interval by interval in the order it is drawn."""

    bands: tuple[Band, ...]
    """Uses from the bottom up."""
    given_mw: Floats
    """What the sources give together, shape (T,)."""
    price: Floats
    """Price per MWh, shape (T,)."""
    ticks: tuple[tuple[float, str], ...]
    """Labels of the horizontal axis with their place, 0..1."""
    caption: str
    """What the horizontal axis is."""


def stack_over_time(site: Site, intervals: pl.DataFrame) -> Stack:
    """Intervals in the order of time, with local dates or hours on the axis."""
    starts = intervals["interval_start"]
    step = timedelta(seconds=site.control_step_s)
    return Stack(
        bands=use_bands(site, intervals),
        given_mw=np.sum([band.mw for band in source_bands(site, intervals)], axis=0),
        price=intervals["price"].to_numpy(),
        ticks=_time_ticks(starts[0], starts[-1] + step, site.time_zone),
        caption=f"local time, {site.time_zone}",
    )


def stack_by_price(site: Site, intervals: pl.DataFrame) -> Stack:
    """Intervals from the dearest to the cheapest."""
    ranked = intervals.sort("price", descending=True, maintain_order=True)
    return Stack(
        bands=use_bands(site, ranked),
        given_mw=np.sum([band.mw for band in source_bands(site, ranked)], axis=0),
        price=ranked["price"].to_numpy(),
        ticks=tuple((share / 100.0, f"{share} %") for share in (0, 25, 50, 75, 100)),
        caption="share of time, dearest power first",
    )


def stack_picture(stack: Stack, *, width: float, key: str, title: str, currency: str) -> str:
    """Draw a stack below its price.

    Parameters
    ----------
    stack
        What to draw.
    width
        Width in user units.
    key
        Id unique in the page.
    title
        Title for readers who can't see it.
    currency
        Currency of the price.
    """
    left, right, price_top, price_bottom, top, height = 46.0, 116.0, 20.0, 112.0, 134.0, 360.0
    bottom = height - 34.0
    canvas = Canvas(width, height, key=key, title=title, description=_description(stack, currency))
    n = len(stack.price)
    per_bin = max(1, int(np.ceil(n * PX_PER_BIN / (width - left - right))))
    firsts = np.arange(0, n, per_bin)
    x = LinearScale(0.0, float(n), left, width - right)
    edges = x.array(np.append(firsts, n).astype(np.float64))
    _price_panel(canvas, stack.price, firsts, edges, price_top, price_bottom, currency)
    means = [_means(band.mw, firsts) for band in stack.bands]
    given = _means(stack.given_mw, firsts)
    tops = np.cumsum(means, axis=0)
    y = LinearScale(0.0, max(1e-3, float(np.max(tops[-1])), float(np.max(given))) * 1.05, bottom, top)
    for tick in y.ticks(4):
        canvas.line(left, y(tick), width - right, y(tick), "grid")
        canvas.text(left - 6, y(tick) + 4, f"{tick:,.4g}", kind="mut", anchor="end")
    canvas.text(left - 6, top - 6, "MW", kind="mut", anchor="end")
    canvas.area(edges, y.array(np.maximum(tops[-1], given)), bottom, LOSS)
    for band, mean, upper in reversed(list(zip(stack.bands, means, tops, strict=True))):
        if mean.any():
            canvas.area(edges, y.array(upper), bottom, fill_of(band.family, band.shade))
    canvas.steps(edges, y.array(given), "given")
    _band_labels(canvas, stack.bands, means, y, width - right + 8, top, bottom)
    free_from = 0.0
    for place, label in stack.ticks:
        at = left + place * (width - left - right)
        canvas.line(at, price_top, at, bottom, "grid")
        if at - text_width(label) / 2.0 >= free_from:
            canvas.text(at, bottom + 15, label, kind="mut", anchor="middle")
            free_from = at + text_width(label) / 2.0 + 4.0
    canvas.text(left, height - 4, stack.caption, kind="mut")
    return canvas.render()


def _price_panel(
    canvas: Canvas,
    price: Floats,
    firsts: NDArray[np.int64],
    edges: Floats,
    top: float,
    bottom: float,
    currency: str,
) -> None:
    low, high = np.minimum.reduceat(price, firsts), np.maximum.reduceat(price, firsts)
    y = PriceScale(min(0.0, float(low.min())) * 1.1, max(60.0, float(high.max())) * 1.1, bottom, top)
    for tick in y.ticks(16.0):
        canvas.line(float(edges[0]), y(tick), float(edges[-1]), y(tick), "grid")
        canvas.text(float(edges[0]) - 6, y(tick) + 4, f"{tick:,.0f}", kind="mut", anchor="end")
    canvas.band(edges, y.array(low), y.array(high), "envelope")
    canvas.steps(edges, y.array(_means(price, firsts)), "price")
    canvas.text(float(edges[0]), top - 8, f"Price, {currency}/MWh: mean, lowest and highest", kind="mut")


def _band_labels(
    canvas: Canvas, bands: tuple[Band, ...], means: list[Floats], y: LinearScale, x: float, top: float, bottom: float
) -> None:
    """Names at the right edge, each at the height its band has on average."""
    average = np.array([float(mean.mean()) for mean in means])
    middle = np.cumsum(average) - average / 2.0
    shown = [i for i in range(len(bands)) if float(means[i].max()) > 0.0]
    places = spread_labels([y(float(middle[i])) for i in shown], 15.0, top + 10.0, bottom - 2.0)
    for i, place in zip(shown, places, strict=True):
        canvas.rect(x, place - 8.0, 9.0, 9.0, fill_of(bands[i].family, bands[i].shade))
        canvas.text(x + 13.0, place, bands[i].name[:15])


def _means(values: Floats, firsts: NDArray[np.int64]) -> Floats:
    counts = np.diff(np.append(firsts, len(values)))
    means: Floats = np.add.reduceat(values, firsts) / counts
    return means


def _description(stack: Stack, currency: str) -> str:
    parts = ", ".join(f"{band.name} {band.mw.mean():,.1f}" for band in stack.bands if band.mw.max() > 0.0)
    return (
        f"Mean MW: {parts}. Price from {stack.price.min():,.2f} to {stack.price.max():,.2f} {currency}/MWh, "
        f"mean {stack.price.mean():,.2f}."
    )


def _time_ticks(start: datetime, end: datetime, zone: str) -> tuple[tuple[float, str], ...]:
    """Round local times inside the window, at most nine: hours, days or months."""
    tz = ZoneInfo(zone)
    hours = (end - start) / timedelta(hours=1)
    first = start.astimezone(tz)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if hours <= 50.0:
        step_h = 6 if hours <= 26.0 else 12
        wanted = [midnight.replace(hour=h) + timedelta(days=d) for d in range(4) for h in range(0, 24, step_h)]
        form = "%H:%M"
    elif hours <= 24.0 * 120:
        step_d = max(1, int(np.ceil(hours / 24.0 / 7.0)))
        wanted = [midnight + timedelta(days=step_d * i) for i in range(10)]
        form = "%-d %b"
    else:
        step_m = max(1, int(np.ceil(hours / 730.0 / 6.0)))
        months = [midnight.year * 12 + midnight.month - 1 + step_m * i for i in range(10)]
        wanted = [midnight.replace(year=m // 12, month=m % 12 + 1, day=1) for m in months]
        form = "%b %Y" if hours > 24.0 * 366 else "%b"
    inside = [w for w in wanted if start <= w.astimezone(UTC) < end]
    return tuple(((w.astimezone(UTC) - start) / (end - start), w.strftime(form)) for w in inside)
