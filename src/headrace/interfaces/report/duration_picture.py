"""Duration curves: the highest value first, so that one can read for which share of time a level is passed."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.interfaces.report.svg import Canvas, LinearScale, PriceScale

__all__ = ["Curve", "duration_picture", "quantiles"]

Floats = NDArray[np.float64]

SHARES = (0, 1, 10, 50, 90, 99, 100)
"""Shares of time, percent, at which the table reads the curves."""


class Curve(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One curve."""

    name: str
    """What a reader calls it."""
    values: Floats
    """Values in any order, shape (T,)."""
    stroke: str
    """Colour."""


def duration_picture(curves: Sequence[Curve], *, width: float, key: str, title: str, is_money: bool) -> str:
    """Draw duration curves over one axis.

    Parameters
    ----------
    curves
        What to draw, most important last (it lies on top).
    width
        Width in user units.
    key
        Id unique in the page.
    title
        Quantity and unit.
    is_money
        Use the scale that shows both spikes and everyday values.
    """
    height, left, right, top, bottom = 210.0, 52.0, 8.0, 26.0, 176.0
    told = "; ".join(f"{c.name} {c.values.max():,.2f} to {c.values.min():,.2f}" for c in curves)
    canvas = Canvas(width, height, key=key, title=f"Duration curve: {title}", description=told)
    x = LinearScale(0.0, 100.0, left, width - right)
    low = min(0.0, *(float(c.values.min()) for c in curves))
    high = max(1e-3, *(float(c.values.max()) for c in curves))
    y: PriceScale | LinearScale
    if is_money:
        typical = float(np.quantile(np.abs(curves[-1].values), 0.5))
        y = PriceScale(low * 1.05, high * 1.05, bottom, top, near=max(1.0, typical / 2.0))
        ticks = y.ticks(20.0)
    else:
        y = LinearScale(low * 1.05, high * 1.05, bottom, top)
        ticks = y.ticks(4)
    for tick in ticks:
        canvas.line(left, y(tick), width - right, y(tick), "grid")
        canvas.text(
            left - 6,
            y(tick) + 4,
            f"{tick:,.4g}" if abs(tick) < 1e4 else f"{tick / 1e3:,.0f}k",
            kind="mut",
            anchor="end",
        )
    shares = np.concatenate(
        [np.linspace(0.0, 2.0, 25), np.linspace(2.0, 98.0, 97)[1:], np.linspace(98.0, 100.0, 25)[1:]]
    )
    for curve in curves:
        levels = np.quantile(curve.values, 1.0 - shares / 100.0)
        canvas.polyline(x.array(shares), y.array(levels), "curve", stroke=curve.stroke)
    canvas.text(left, 14.0, title, kind="strong")
    for tick in (0.0, 50.0, 100.0):
        anchor = {0.0: "start", 50.0: "middle", 100.0: "end"}[tick]
        canvas.text(x(tick), bottom + 16, f"{tick:.0f} %", kind="mut", anchor=anchor)  # type: ignore[arg-type]  # str of a table of literals
    at = left
    for curve in curves if len(curves) > 1 else ():
        canvas.rect(at, height - 12.0, 9.0, 9.0, curve.stroke)
        canvas.text(at + 13.0, height - 4.0, curve.name)
        at += 30.0 + 7.0 * len(curve.name)
    return canvas.render()


def quantiles(values: Floats) -> tuple[float, ...]:
    """Levels passed for each of `SHARES` of the time."""
    return tuple(float(level) for level in np.quantile(values, [1.0 - share / 100.0 for share in SHARES]))
