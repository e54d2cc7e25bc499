"""Small SVG pictures: scales, axes, lines, bands, bars. Text takes its colour from the page, so dark and light work.

Coordinates are user units; a picture drawn `width` units wide is shown at that many pixels or scaled by the page.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["TEXT_WIDTH_RATIO", "Canvas", "LinearScale", "PriceScale", "round_steps", "spread_labels", "text_width"]

Floats = NDArray[np.float64]

TEXT_WIDTH_RATIO: Final = 0.58
"""Mean width of a character over the font size, generous for system fonts."""

FONT_PX: Final = 12.0


def text_width(text: str, font_px: float = FONT_PX) -> float:
    """Room a text needs, user units."""
    return TEXT_WIDTH_RATIO * font_px * len(text)


class LinearScale:
    """Maps values to coordinates in proportion.

    Parameters
    ----------
    low, high
        Values at the ends; equal ends are widened by one.
    start, end
        Coordinates there.
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if high <= low:
            low, high = low - 0.5, low + 0.5
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        """Coordinate of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def array(self, values: Floats) -> Floats:
        """Coordinates of many values."""
        return self.start + (values - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, count: int = 5) -> tuple[float, ...]:
        """About `count` round values inside the scale."""
        step = round_steps(self.high - self.low, count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1))


class PriceScale:
    """Maps money to coordinates like a logarithm far from zero and in proportion near it: negative prices have a place.

    Parameters
    ----------
    low, high
        Amounts at the ends.
    start, end
        Coordinates there.
    near
        Amount below which the scale is in proportion: 20 per MWh suits power prices.
    """

    def __init__(self, low: float, high: float, start: float, end: float, *, near: float = 20.0) -> None:
        self.low, self.high, self._near = low, max(high, low + 1.0), near
        self._inner = LinearScale(self._bend(self.low), self._bend(self.high), start, end)

    def __call__(self, value: float) -> float:
        """Coordinate of a price."""
        return self._inner(self._bend(value))

    def array(self, values: Floats) -> Floats:
        """Coordinates of many prices."""
        return self._inner.array(np.arcsinh(values / self._near))

    def ticks(self, gap: float = 22.0) -> tuple[float, ...]:
        """Round prices inside the scale that stand at least `gap` units apart; zero first, then the largest."""
        sizes = [m * 10.0**e for e in range(1, 9) for m in (1.0, 3.0)]
        wanted = [0.0, *(s for size in reversed(sizes) for s in (size, -size))]
        kept: list[float] = []
        for tick in wanted:
            inside = self.low <= tick <= self.high
            if inside and all(abs(self(tick) - self(other)) >= gap for other in kept):
                kept.append(tick)
        return tuple(sorted(kept))

    def _bend(self, value: float) -> float:
        return math.asinh(value / self._near)


def round_steps(span: float, count: int) -> float:
    """Round step (1, 2 or 5 times a power of ten) that divides `span` into about `count` parts."""
    raw = span / max(1, count)
    size = 10.0 ** math.floor(math.log10(raw))
    return next(m * size for m in (1.0, 2.0, 5.0, 10.0) if m * size >= raw * 0.999)


def spread_labels(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart to at least `gap`, keeping their order and staying within `low..high` if they fit."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed


def _n(value: float) -> str:
    """One decimal, shortest form."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


class Canvas:
    """One picture under construction.

    Parameters
    ----------
    width, height
        Size, user units.
    key
        Id that no other picture of the page has; title and description hang on it.
    title, description
        What a reader who can't see it is told.
    """

    def __init__(self, width: float, height: float, *, key: str, title: str, description: str) -> None:
        self.width, self.height = width, height
        self._parts = [
            f'<svg viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-labelledby="{key}-t {key}-d">'
            f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
        ]

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> Self:
        """Straight line of a CSS class."""
        self._parts.append(f'<path class="{kind}" d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}"/>')
        return self

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        is_pale: bool = False,
        title: str = "",
    ) -> Self:
        """Filled rectangle with an optional hover title; corners may be given in any order."""
        x, width = (x, width) if width >= 0.0 else (x + width, -width)
        y, height = (y, height) if height >= 0.0 else (y + height, -height)
        pale = ' fill-opacity=".2"' if is_pale else ""
        told = f"><title>{escape(title)}</title></rect>" if title else "/>"
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}"{pale}{told}'
        )
        return self

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        kind: str = "",
        anchor: Literal["start", "middle", "end"] = "start",
        is_upright: bool = False,
    ) -> Self:
        """Text of a CSS class; upright text runs from bottom to top."""
        named = f' class="{kind}"' if kind else ""
        anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
        place = f'transform="translate({_n(x)} {_n(y)})rotate(-90)"' if is_upright else f'x="{_n(x)}" y="{_n(y)}"'
        self._parts.append(f"<text {place}{named}{anchored}>{escape(text)}</text>")
        return self

    def polyline(self, xs: Floats, ys: Floats, kind: str, *, stroke: str = "") -> Self:
        """Open line through points."""
        coloured = f' stroke="{stroke}"' if stroke else ""
        self._parts.append(f'<path class="{kind}"{coloured} d="{_path(xs, ys)}"/>')
        return self

    def steps(self, edges: Floats, ys: Floats, kind: str, *, stroke: str = "") -> Self:
        """Line that holds each of N values between N+1 edges."""
        coloured = f' stroke="{stroke}"' if stroke else ""
        self._parts.append(f'<path class="{kind}"{coloured} d="{_steps(edges, ys)}"/>')
        return self

    def band(self, edges: Floats, lower: Floats, upper: Floats, kind: str) -> Self:
        """Area between two step lines over N+1 edges, filled by its CSS class."""
        back = _steps(edges[::-1], lower[::-1]).replace("M", "L", 1)
        self._parts.append(f'<path class="{kind}" d="{_steps(edges, upper)}{back}Z"/>')
        return self

    def area(self, edges: Floats, upper: Floats, floor: float, fill: str) -> Self:
        """Area between a step line over N+1 edges and a level below it."""
        down = f"V{_n(floor)}H{_n(float(edges[0]))}Z"
        self._parts.append(f'<path class="band" fill="{fill}" d="{_steps(edges, upper)}{down}"/>')
        return self

    def render(self) -> str:
        """The finished element."""
        return "".join([*self._parts, "</svg>"])


def _path(xs: Floats, ys: Floats) -> str:
    points = [f"{_n(x)} {_n(y)}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
    return "M" + "L".join(points)


def _steps(edges: Floats, ys: Floats) -> str:
    """Horizontal and vertical moves only, relative ones as they are shorter; runs of one value are one move."""
    x, y = np.round(edges, 1).tolist(), np.round(ys, 1).tolist()
    parts = [f"M{_n(x[0])} {_n(y[0])}"]
    from_x = x[0]
    for i in range(1, len(y)):
        if y[i] != y[i - 1]:
            parts.append(f"h{_n(x[i] - from_x)}v{_n(y[i] - y[i - 1])}")
            from_x = x[i]
    parts.append(f"h{_n(x[-1] - from_x)}")
    return "".join(parts)
