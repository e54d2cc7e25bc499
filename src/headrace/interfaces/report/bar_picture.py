"""Bars of money: a waterfall of its sources, and the gain of each policy on the way to the bound."""

from collections.abc import Sequence

from headrace.interfaces.report.palette import BOUND, DESK, HEADLINE, LOSS
from headrace.interfaces.report.svg import Canvas, LinearScale, text_width
from headrace.interfaces.wording import first_capital, share, short_money

__all__ = ["gain_picture", "waterfall_picture"]

ROW = 24.0


def waterfall_picture(
    steps: Sequence[tuple[str, float]], *, total: str, width: float, key: str, title: str, currency: str
) -> str:
    """Draw sources of money from top to bottom, each starting where the last ended, and their total.

    Parameters
    ----------
    steps
        (name, amount in currency) in order.
    total
        Name of the sum.
    width
        Width in user units.
    key
        Id unique in the page.
    title
        Title for readers who can't see it.
    currency
        Currency of the amounts.
    """
    left, right, top = 150.0, 66.0, 8.0
    height = top + ROW * (len(steps) + 1) + 8.0
    spans, at = [], 0.0
    for name, amount in steps:
        spans.append((name, at, at + amount))
        at += amount
    told = "; ".join(f"{name} {amount:+,.0f}" for name, amount in steps)
    canvas = Canvas(width, height, key=key, title=title, description=f"{told}; {total} {at:+,.0f} {currency}")
    ends = [0.0, *(end for _, _, end in spans)]
    x = LinearScale(min(ends), max(ends), left + 4, width - right)
    canvas.line(x(0.0), top, x(0.0), height - 8.0, "axis")
    for row, (name, start, end) in enumerate([*spans, (total, 0.0, at)]):
        y = top + ROW * row
        is_total = row == len(spans)
        fill = DESK if is_total else HEADLINE if end >= start else LOSS
        canvas.text(left - 4, y + 16, first_capital(name)[:24], kind="strong" if is_total else "", anchor="end")
        canvas.rect(x(start), y + 4, _visible(x(end) - x(start)), ROW - 8, fill)
        amount = end - start
        canvas.text(
            max(x(start), x(end)) + 5,
            y + 16,
            ("+" if amount > 0.0 and not is_total else "") + short_money(amount),
            kind="strong" if is_total else "mut",
        )
        if not is_total:
            canvas.line(x(end), y + ROW - 4, x(end), y + ROW + 4, "axis")
    return canvas.render()


def gain_picture(
    rows: Sequence[tuple[str, float, float | None, bool]], *, width: float, key: str, currency: str
) -> str:
    """Draw each policy's margin above always-on.

    Parameters
    ----------
    rows
        (name, gain in currency, share of gain, is it the headline).
    width
        Width in user units.
    key
        Id unique in the page.
    currency
        Currency of the amounts.
    """
    is_narrow = width < 600.0
    left, row_px, top = (8.0, 44.0, 2.0) if is_narrow else (190.0, 30.0, 4.0)
    height = top + row_px * len(rows) + 6.0
    of_gain = "" if is_narrow else " of the gain"
    labels = [
        f"{short_money(gain)} {currency}" + (f", {share(ratio)}{of_gain}" if ratio is not None else "")
        for _, gain, ratio, _ in rows
    ]
    told = "; ".join(f"{row[0]} {label}" for row, label in zip(rows, labels, strict=True))
    canvas = Canvas(width, height, key=key, title="Margin above always-on, by policy", description=told)
    room = 8.0 if is_narrow else 8.0 + max(text_width(label) for label in labels)
    x = LinearScale(min(0.0, *(r[1] for r in rows)), max(1.0, *(r[1] for r in rows)), left, width - room)
    for i, ((name, gain, _, is_headline), label) in enumerate(zip(rows, labels, strict=True)):
        y = top + row_px * i
        bar_y = y + (20.0 if is_narrow else 5.0)
        fill = HEADLINE if is_headline else BOUND if i == len(rows) - 1 else DESK
        kind = "strong" if is_headline else ""
        canvas.rect(x(0.0), bar_y, _visible(x(gain) - x(0.0)), 18.0, fill)
        if is_narrow:
            canvas.text(left, y + 14, f"{name}: {label}", kind=kind)
        else:
            canvas.text(left - 8, y + 19, name, kind=kind, anchor="end")
            canvas.text(max(x(0.0), x(gain)) + 6, y + 19, label, kind=kind)
    canvas.line(x(0.0), top, x(0.0), height - 4.0, "axis")
    return canvas.render()


def _visible(width: float) -> float:
    """A bar too thin to see is a hairline."""
    return width if abs(width) >= 1.0 else 1.0
