"""What the orders in force leave of the site's freedom: a band for its net import, the highest authority first.

Each authority asks for a band: no more than the lowest of its limits, no less than the highest of its raises. Going
down the ladder, a band is clipped into what those above have left, so that nothing below ever widens it:

    low, high = 0, inf;  for each authority:  high' = clip(its high, low, high),  low' = clip(its low, low, high')

Within one authority the limit wins over the raise. A limit or a raise of an emergency holds at once; of any other it is
a base point, reached in a straight line in the time it allows.

An order ends when its time is over or a restore ends it. Orders of people, equipment and grid end by a restore of their
own authority alone: what was shed stays off until whoever asked for it permits.
"""

import math
from collections.abc import Iterable

import msgspec

from headrace.control.authority import NO_EXCEPTIONS, LadderRules, is_emergency
from headrace.control.layout import US_PER_S
from headrace.control.orders import Authority, Order, OrderKind
from headrace.control.ramps import ramped_mw
from headrace.control.setpoints import Setpoints

__all__ = ["Binding", "HeldOrder", "bind", "is_active", "narrow", "refuse_restore"]


class HeldOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that came and has not been ended."""

    order: Order
    before_mw: float
    """Net import of what it is about when it came, MW: what a shed is measured from."""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What binds now."""

    most_mw: float = math.inf
    """Most net import; infinite if no order limits it."""
    most_by: Order | None = None
    """The order that sets it."""
    least_mw: float = -math.inf
    """Least net import, as far as there is load for it; minus infinity if no order asks for any."""
    least_by: Order | None = None
    """The order that sets it."""
    is_held: bool = False
    """Nothing changes for money's sake."""
    held_by: Order | None = None
    """The order that says so."""
    reasons: tuple[str, ...] = ()
    """Reason code of each order that binds, highest authority first."""


def bind(held: Iterable[HeldOrder], *, now_us: int, feeder: str = "", rules: LadderRules = NO_EXCEPTIONS) -> Binding:
    """What orders leave of the site's net import, or of one feeder's, at an instant.

    Parameters
    ----------
    held
        Orders that have not been ended.
    now_us
        Now, epoch microseconds.
    feeder
        Name of the feeder; empty for the whole site.
    rules
        What the site declares of its ladder.
    """
    own = [each for each in held if each.order.feeder == feeder and is_active(each.order, now_us=now_us, rules=rules)]
    binding = Binding()
    for authority in sorted({each.order.authority for each in own}):
        binding = _narrowed(binding, [each for each in own if each.order.authority is authority], now_us)
    return binding


def is_active(order: Order, *, now_us: int, rules: LadderRules = NO_EXCEPTIONS) -> bool:
    """Does it bind now, if no restore has ended it?"""
    is_over = order.ends_us is not None and now_us >= order.ends_us
    return order.starts_us <= now_us and (not is_over or order.authority in rules.needs_permission)


def refuse_restore(restore: Order, ended: Order | None, rules: LadderRules = NO_EXCEPTIONS) -> str:
    """Why a restore cannot end an order; empty if it can.

    What needs permission is ended by its own authority alone; anything else by its own or a higher one.
    """
    if ended is None:
        return "restore.unknown_order"
    if ended.authority in rules.needs_permission and restore.authority is not ended.authority:
        return f"restore.needs_{ended.authority.name.lower()}"
    return "restore.no_authority" if restore.authority > ended.authority else ""


def narrow(setpoints: Setpoints, binding: Binding, *, expected_mw: float) -> Setpoints:
    """Setpoints within what orders leave.

    A limit from above firm leases becomes the connection's own, to which everything yields, firm load last; from below
    them it binds mining and charging, as the plan's own import limit does. A raise opens every block that the plan kept
    small, up to it. A limit below zero asks for export, which setpoints do not promise: it is met as far as zero here.

    Parameters
    ----------
    setpoints
        What the plan became.
    binding
        Orders that bind now.
    expected_mw
        Net import that these setpoints would lead to, MW.
    """
    if binding.least_mw > expected_mw:
        blocks = len(setpoints.use_limit_mw)
        setpoints = msgspec.structs.replace(
            setpoints,
            use_limit_mw=(None,) * blocks,
            may_fill=(True,) * blocks,
            import_limit_mw=min(binding.least_mw, setpoints.import_max_mw),
            discharge_mw=0.0,
            reasons=(*setpoints.reasons, _reason(binding.least_by)),
        )
    most_mw = max(binding.most_mw, 0.0)
    binds_all = binding.most_by is not None and binding.most_by.authority < Authority.FIRM
    if most_mw >= setpoints.import_limit_mw and (most_mw >= setpoints.import_max_mw or not binds_all):
        return setpoints
    return msgspec.structs.replace(
        setpoints,
        import_limit_mw=min(setpoints.import_limit_mw, most_mw),
        import_max_mw=min(setpoints.import_max_mw, most_mw) if binds_all else setpoints.import_max_mw,
        reasons=(*setpoints.reasons, _reason(binding.most_by)),
    )


def _narrowed(above: Binding, own: list[HeldOrder], now_us: int) -> Binding:
    """The band that one authority leaves of what those above it have left."""
    limits = [
        (_most_mw(each, now_us), each.order) for each in own if each.order.kind in (OrderKind.SHED, OrderKind.LIMIT)
    ]
    raises = [(_point_mw(each, now_us), each.order) for each in own if each.order.kind is OrderKind.RAISE]
    holds = [each.order for each in own if each.order.kind is OrderKind.HOLD]
    most_mw, most_by = min(limits, key=lambda each: each[0], default=(math.inf, None))
    most_mw = max(most_mw, above.least_mw)
    if most_by is None or most_mw >= above.most_mw:
        most_mw, most_by = above.most_mw, above.most_by
    least_mw, least_by = max(raises, key=lambda each: each[0], default=(-math.inf, None))
    least_mw = min(least_mw, most_mw)
    if least_by is None or least_mw <= above.least_mw:
        least_mw, least_by = above.least_mw, above.least_by
    return Binding(
        most_mw=most_mw,
        most_by=most_by,
        least_mw=least_mw,
        least_by=least_by,
        is_held=above.is_held or bool(holds),
        held_by=above.held_by or (holds[0] if holds else None),
        reasons=above.reasons + tuple(_reason(each.order) for each in own),
    )


def _most_mw(held: HeldOrder, now_us: int) -> float:
    """Most net import under a shed or a limit now."""
    if held.order.kind is OrderKind.SHED:
        return held.before_mw - held.order.mw
    return _point_mw(held, now_us)


def _point_mw(held: HeldOrder, now_us: int) -> float:
    """Where a limit or a raise stands now on its way from what was drawn before."""
    order = held.order
    if is_emergency(order.authority):
        return order.mw
    since_s = (now_us - order.starts_us) / US_PER_S
    return ramped_mw(held.before_mw, order.mw, since_s=since_s, within_s=order.within_s)


def _reason(order: Order | None) -> str:
    return "" if order is None else f"order.{order.authority.name.lower()}.{order.kind.value}"
