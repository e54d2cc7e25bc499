"""The ladder as a picture: uses best first, sources cheapest first, cut where the power here now meets them."""

import numpy as np

from headrace.dispatch.ladder import Ladder, Rung, RungKind
from headrace.dispatch.moment import TOLERANCE_CCY_PER_MWH, power_text
from headrace.dispatch.site import Site
from headrace.interfaces.families import Family, family_of
from headrace.interfaces.report.palette import fill_of
from headrace.interfaces.report.svg import Canvas, LinearScale, PriceScale, text_width

__all__ = ["ladder_picture", "rung_fills"]

KIND_FAMILY = {
    RungKind.FIRM: Family.FIRM,
    RungKind.CHARGE: Family.CHARGE,
    RungKind.EXPORT: Family.EXPORT,
    RungKind.IMPORT: Family.IMPORT,
    RungKind.GENERATION: Family.GENERATION,
    RungKind.DISCHARGE: Family.DISCHARGE,
}


def rung_fills(site: Site, ladder: Ladder) -> tuple[str, ...]:
    """Colour of each rung of the uses, the same as in every other picture."""
    names = [miner.name for miner in site.miners]
    fills = []
    for rung in ladder.rungs:
        family = KIND_FAMILY[rung.kind] if rung.kind in KIND_FAMILY else family_of(site, rung.name)
        shade = next((i for i, name in enumerate(names) if rung.name.startswith(name)), 0)
        fills.append(fill_of(family, shade if family is Family.MINING else 0))
    return tuple(fills)


def ladder_picture(site: Site, ladder: Ladder, *, width: float, key: str) -> str:
    """Draw one ladder.

    Parameters
    ----------
    site
        Gives each use its kind, hence its colour.
    ladder
        What to draw.
    width
        Width in user units; labels that do not fit are left to the table.
    key
        Id unique in the page.
    """
    height, left, right, top, bottom = 300.0, 52.0, 10.0, 26.0, 34.0
    unit = f"{ladder.currency}/MWh"
    canvas = Canvas(
        width,
        height,
        key=key,
        title="The ladder",
        description=f"Uses of power by worth per MWh; {power_text(ladder.taken_mw)} here now. " + ladder.sentences[0],
    )
    demand_mw = sum(rung.max_mw for rung in ladder.rungs)
    x = LinearScale(0.0, max(demand_mw, ladder.taken_mw, 1e-3), left, width - right)
    y = _price_scale(ladder, top, height - bottom)
    for tick in y.ticks():
        canvas.line(left, y(tick), width - right, y(tick), "grid")
        canvas.text(left - 6, y(tick) + 4, f"{tick:,.0f}", kind="mut", anchor="end")
    _draw_uses(canvas, ladder, rung_fills(site, ladder), x, y)
    _draw_sources(canvas, ladder, x, y)
    cut_y, taken_x = y(ladder.cut_ccy_per_mwh), x(ladder.taken_mw)
    canvas.line(taken_x, top - 4, taken_x, height - bottom, "now")
    canvas.line(left, cut_y, width - right, cut_y, "cut")
    told = f"{power_text(ladder.taken_mw)} here, worth {ladder.cut_ccy_per_mwh:,.2f} a MWh"
    if ladder.ask_ccy_per_mwh - ladder.bid_ccy_per_mwh > TOLERANCE_CCY_PER_MWH:
        told += " (midpoint)"
        for edge in (ladder.bid_ccy_per_mwh, ladder.ask_ccy_per_mwh):
            if np.isfinite(edge):
                canvas.line(taken_x - 14, y(edge), taken_x + 14, y(edge), "now")
    _beside(canvas, taken_x, top - 12, told, left, width - right)
    _name_uses(canvas, ladder, x, y)
    for tick in x.ticks(5 if width > 600 else 3):
        canvas.text(x(tick), height - bottom + 16, f"{tick:,.4g}", kind="mut", anchor="middle")
    canvas.text(left, height - 4, f"{unit}, best use first", kind="mut")
    canvas.text(width - right, height - 4, "MW", kind="mut", anchor="end")
    return canvas.render()


def _price_scale(ladder: Ladder, top: float, bottom: float) -> PriceScale:
    shown = [rung.ccy_per_mwh for rung in (*ladder.rungs, *ladder.sources) if rung.ccy_per_mwh is not None]
    shown += [ladder.cut_ccy_per_mwh, ladder.bid_ccy_per_mwh]
    low = min(0.0, *shown)
    return PriceScale(low * 1.3, max(60.0, *shown) * 1.5, bottom, top)


def _draw_uses(canvas: Canvas, ladder: Ladder, fills: tuple[str, ...], x: LinearScale, y: PriceScale) -> None:
    at_mw = 0.0
    zero_y = y(0.0)
    for rung, fill in zip(ladder.rungs, fills, strict=True):
        worth = y.high if rung.ccy_per_mwh is None else rung.ccy_per_mwh
        x0, x1, top = x(at_mw), x(at_mw + rung.max_mw), y(worth)
        canvas.rect(x0, zero_y, x1 - x0, top - zero_y, fill, is_pale=True)
        canvas.rect(x0, zero_y, x(at_mw + rung.mw) - x0, top - zero_y, fill, title=_told(rung, ladder))
        room = x1 - x0 - 6
        if text_width(rung.name) <= room:
            inside = rung.ccy_per_mwh is None or top < y.array(np.array([y.high]))[0] + 14
            canvas.text(
                x0 + 4, top + 15 if inside else min(top, zero_y) - 5, rung.name, kind="onfill" if inside else ""
            )
        at_mw += rung.max_mw


def _name_uses(canvas: Canvas, ladder: Ladder, x: LinearScale, y: PriceScale) -> None:
    """Names on the rungs: level where they fit, else upright, above the rung or (halo) inside it."""
    at_mw, roof = 0.0, y(y.high)
    for rung in ladder.rungs:
        x0, x1 = x(at_mw), x(at_mw + rung.max_mw)
        at_mw += rung.max_mw
        if rung.ccy_per_mwh is None:
            canvas.text(x0 + 4, roof + 15, rung.name, kind="onfill")
            continue
        top, middle = min(y(rung.ccy_per_mwh), y(0.0)), (x0 + x1) / 2.0 + 4.0
        if text_width(rung.name) <= x1 - x0 - 4 and top - roof > 12.0:
            canvas.text(x0 + 4, top - 5, rung.name)
        elif x1 - x0 >= 12.0:
            is_above = top - roof >= text_width(rung.name)
            canvas.text(
                middle,
                top - 5 if is_above else top + 5,
                rung.name,
                anchor="start" if is_above else "end",
                is_upright=True,
            )


def _draw_sources(canvas: Canvas, ladder: Ladder, x: LinearScale, y: PriceScale) -> None:
    """Sources as a rising line, cheapest first, as far as the picture reaches."""
    edges, costs, at_mw = [0.0], [], 0.0
    for rung in ladder.sources:
        if rung.ccy_per_mwh is None or at_mw >= x.high:
            continue
        at_mw = min(at_mw + rung.max_mw, x.high)
        edges.append(at_mw)
        costs.append(rung.ccy_per_mwh)
    if costs:
        canvas.steps(x.array(np.array(edges)), y.array(np.array(costs)), "source")
        if at_mw < x.high:
            canvas.line(x(at_mw), y(costs[-1]), x(at_mw), y(y.high), "source")


def _told(rung: Rung, ladder: Ladder) -> str:
    worth = "never cut for price" if rung.ccy_per_mwh is None else f"{rung.ccy_per_mwh:,.2f} {ladder.currency}/MWh"
    return f"{rung.name}: {power_text(rung.mw)} of {power_text(rung.max_mw)}, {worth}; {rung.why}"


def _beside(canvas: Canvas, x: float, y: float, text: str, left: float, right: float) -> None:
    """Label to the right of a vertical line, or to its left where there is no room."""
    if x + 6 + 1.1 * text_width(text) <= right:
        canvas.text(x + 6, y + 4, text, kind="strong")
    else:
        canvas.text(min(right, max(x - 6, left + 1.1 * text_width(text))), y + 4, text, kind="strong", anchor="end")
