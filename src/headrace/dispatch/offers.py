"""What the site bids for energy: the MW it would draw at each price, from the worth of its blocks and from its plan.

A block that uses power is drawn for up to its worth; a generator that could run instead, up to its cost; what the plan
charges, up to what giving it up would cost (the ask), and what it discharges, up to what one more MWh is worth (the
bid). Sorted by price, these widths are a curve that never rises:

    draw(p) = least + Σ width_k [ worth_k ≥ p + adder ]             clipped to what the connection carries

The plan itself lies on the curve. At the price it was made for, what the plan draws is bid at that price or above and
what it leaves is bid below, whatever rounding, merging and limits that the blocks' worth does not tell do to them: the
market that clears at the expected price gives the site what it planned. Elsewhere rounding and merging lower a bid,
never raise it: the site pays no more for a MWh than it is worth to it.
"""

import math
from collections.abc import Iterable, Sequence

import msgspec

from headrace.core import require
from headrace.dispatch.plan import Plan
from headrace.dispatch.problem import Problem

__all__ = ["BidBlock", "BidCurve", "BidPoint", "CurveRules", "bid_curve", "drawn_mw", "plan_curve"]

FLAT_MW = 1e-6
"""Width below which a block is not there."""


class CurveRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a market takes for a curve."""

    points_max: int = 10
    """Most points."""
    price_step_ccy_per_mwh: float = 0.01
    """Prices are whole multiples of it."""
    power_step_mw: float = 0.1
    """Powers are whole multiples of it."""
    price_min_ccy_per_mwh: float = -250.0
    """Lowest bid."""
    price_max_ccy_per_mwh: float = 5000.0
    """Highest bid; what must run is bid at it."""


class BidBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A width of draw with its worth."""

    mw: float
    """Width, MW >= 0."""
    worth_ccy_per_mwh: float
    """Highest market price at which it is drawn; inf for what must run."""


class BidPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a curve: up to `mw` is drawn at a price of `ccy_per_mwh` or less."""

    mw: float
    """Power up to which the price holds, MW."""
    ccy_per_mwh: float
    """Price."""


class BidCurve(msgspec.Struct, frozen=True, kw_only=True):
    """A demand curve in steps: powers rise from point to point, prices fall."""

    least_mw: float
    """Power drawn at any price: where the curve begins, MW."""
    points: tuple[BidPoint, ...]
    """Steps, dearest first; empty if nothing depends on the price."""

    @property
    def most_mw(self) -> float:
        """Power drawn at the lowest price, MW."""
        return self.points[-1].mw if self.points else self.least_mw


def bid_curve(
    blocks: Iterable[BidBlock],
    *,
    least_mw: float,
    most_mw: float,
    planned_mw: float,
    price_ccy_per_mwh: float,
    rules: CurveRules,
) -> BidCurve:
    """Make a curve of blocks that goes through the plan.

    Parameters
    ----------
    blocks
        Widths with their worth, in any order.
    least_mw, most_mw
        Draw at any price, and the most the connection carries, MW.
    planned_mw
        What the plan draws, from `least_mw` to `most_mw`, MW.
    price_ccy_per_mwh
        Market price that the plan was made for.
    rules
        What the market takes.
    """
    require(least_mw - FLAT_MW <= planned_mw <= most_mw + FLAT_MW, f"a plan of {planned_mw} MW is off the curve")
    require(rules.points_max >= 2, "a curve needs a point on each side of the plan")
    least_mw, most_mw, planned_mw = (_on(mw, rules.power_step_mw) for mw in (least_mw, most_mw, planned_mw))
    above, below = _around(price_ccy_per_mwh, rules)
    edges = _edges(blocks, least_mw, most_mw, planned_mw, rules)
    bought = [(mw, max(_ticks(worth, rules), above)) for mw, worth in edges if mw <= planned_mw]
    left = [(mw, min(_ticks(worth, rules), below)) for mw, worth in edges if mw > planned_mw]
    biddable = [(mw, ticks) for mw, ticks in left if ticks >= _ticks(rules.price_min_ccy_per_mwh, rules)]
    steps = _merged(_joined(bought), _joined(biddable), least_mw, rules.points_max)
    points = (BidPoint(mw=mw, ccy_per_mwh=_money(ticks, rules)) for mw, ticks in steps)
    return BidCurve(least_mw=least_mw, points=tuple(points))


def drawn_mw(curve: BidCurve, price_ccy_per_mwh: float) -> float:
    """Power that the curve draws where the market clears at a price: everything bid at it or above, MW."""
    taken = [point.mw for point in curve.points if point.ccy_per_mwh >= price_ccy_per_mwh - 1e-9]
    return taken[-1] if taken else curve.least_mw


def plan_curve(problem: Problem, plan: Plan, step: int, *, price_ccy_per_mwh: float, rules: CurveRules) -> BidCurve:
    """The curve of one step of a plan, in market prices.

    Parameters
    ----------
    problem, plan
        What was asked and answered.
    step
        Step index t.
    price_ccy_per_mwh
        Market price, without adders, that step was planned for.
    rules
        What the market takes.
    """
    adder = float(problem.import_cost_ccy_per_mwh[step]) - price_ccy_per_mwh
    bid, ask = float(plan.bid_ccy_per_mwh[step]), float(plan.ask_ccy_per_mwh[step])
    charge_mw, discharge_mw = float(plan.charge_mw[step]), float(plan.discharge_mw[step])
    here = float(problem.import_cost_ccy_per_mwh[step])
    widths = [
        *zip(problem.use_max_mw[:, step].tolist(), problem.use_value_ccy_per_mwh[:, step].tolist(), strict=True),
        *zip(
            (problem.source_max_mw[:, step] - problem.source_min_mw[:, step]).tolist(),
            problem.source_cost_ccy_per_mwh[:, step].tolist(),
            strict=True,
        ),
        (charge_mw, ask if math.isfinite(ask) else here),
        (discharge_mw, bid if math.isfinite(bid) else here),
    ]
    blocks = [BidBlock(mw=mw, worth_ccy_per_mwh=worth - adder) for mw, worth in widths]
    must_mw = float(problem.firm_mw[step] - problem.source_max_mw[:, step].sum()) - discharge_mw
    planned_mw = float(plan.import_mw[step])
    most_mw = float(problem.import_max_mw[step])
    if problem.peak is not None:  # more would raise the month's peak, which no bid for an hour can price
        most_mw = min(most_mw, float(plan.peak_mw[problem.peak.period[step]]))
    return bid_curve(
        blocks if must_mw >= 0.0 else _less(blocks, -must_mw),
        least_mw=min(max(must_mw, 0.0), planned_mw),
        most_mw=max(most_mw, planned_mw),
        planned_mw=planned_mw,
        price_ccy_per_mwh=price_ccy_per_mwh,
        rules=rules,
    )


def _less(blocks: Sequence[BidBlock], mw: float) -> list[BidBlock]:
    """The blocks without their first `mw`, dearest first: what generation on site carries without the grid."""
    left: list[BidBlock] = []
    for block in sorted(blocks, key=lambda block: -block.worth_ccy_per_mwh):
        kept_mw = max(block.mw - mw, 0.0)
        mw -= block.mw - kept_mw
        left.append(msgspec.structs.replace(block, mw=kept_mw))
    return left


def _edges(
    blocks: Iterable[BidBlock], least_mw: float, most_mw: float, planned_mw: float, rules: CurveRules
) -> list[tuple[float, float]]:
    """(upper edge, worth) of each step, dearest first, rounded, with an edge at the plan.

    What the connection carries beyond the blocks that are known is bid at the lowest price up to the plan alone.
    """
    edges: list[tuple[float, float]] = []
    reached_mw = least_mw
    for block in sorted(blocks, key=lambda block: -block.worth_ccy_per_mwh):
        if block.mw <= FLAT_MW or reached_mw >= most_mw:
            continue
        before_mw, reached_mw = reached_mw, min(reached_mw + block.mw, most_mw)
        if before_mw < planned_mw < reached_mw:
            edges.append((planned_mw, block.worth_ccy_per_mwh))
        edges.append((reached_mw, block.worth_ccy_per_mwh))
    if reached_mw < planned_mw:
        edges.append((planned_mw, rules.price_min_ccy_per_mwh))
    rounded = [(_on(mw, rules.power_step_mw), worth) for mw, worth in edges]
    return [(mw, worth) for mw, worth in rounded if mw > least_mw + FLAT_MW]


def _joined(steps: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Steps of one price as one, and none without a width; prices made to fall where rounding left them level."""
    joined: list[tuple[float, int]] = []
    for mw, ticks in steps:
        if joined and (joined[-1][1] <= ticks or mw <= joined[-1][0]):
            joined[-1] = (max(mw, joined[-1][0]), joined[-1][1])
        else:
            joined.append((mw, ticks))
    return joined


def _merged(
    bought: list[tuple[float, int]], left: list[tuple[float, int]], least_mw: float, points_max: int
) -> list[tuple[float, int]]:
    """Both halves in no more points than the market takes: the merger that gives up least is made first.

    Two steps merged are bid at the lower price, which gives up the difference on the first one's width. Steps on two
    sides of the plan are never merged.
    """
    halves = [list(bought), list(left)]
    while sum(map(len, halves)) > points_max:
        losses = []
        for half, steps in enumerate(halves):
            for i in range(len(steps) - 1):
                from_mw = steps[i - 1][0] if i else (least_mw if half == 0 or not bought else bought[-1][0])
                losses.append(((steps[i][0] - from_mw) * (steps[i][1] - steps[i + 1][1]), half, i))
        if not losses:
            break
        _, half, i = min(losses)
        halves[half][i : i + 2] = [halves[half][i + 1]]
    return halves[0] + halves[1]


def _around(price_ccy_per_mwh: float, rules: CurveRules) -> tuple[int, int]:
    """The lowest bid at a price or above, and the highest below it, in price steps."""
    at = price_ccy_per_mwh / rules.price_step_ccy_per_mwh
    above = math.ceil(at - 1e-6)
    return min(above, _ticks(rules.price_max_ccy_per_mwh, rules)), above - 1


def _ticks(worth_ccy_per_mwh: float, rules: CurveRules) -> int:
    """A worth as a bid, in price steps, rounded down."""
    within = min(max(worth_ccy_per_mwh, rules.price_min_ccy_per_mwh), rules.price_max_ccy_per_mwh)
    return math.floor(within / rules.price_step_ccy_per_mwh + 1e-9)


def _money(ticks: int, rules: CurveRules) -> float:
    return round(ticks * rules.price_step_ccy_per_mwh, 6)


def _on(mw: float, step_mw: float) -> float:
    """A power on the market's grid, to the nearest."""
    return round(round(mw / step_mw) * step_mw, 6)
