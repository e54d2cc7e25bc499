"""Registered ramps: how far the site's load may move in a time, both ways; only an emergency may step.

    rise <= ramp_up_max_mw_per_min / 60 * elapsed_s        fall <= ramp_down_max_mw_per_min / 60 * elapsed_s

A ramp is the site's, not a load's: mining that makes room for AI moves nothing at the meter.
"""

import math

__all__ = ["ramped_mw", "shaped_mw", "trimmed_mw"]


def shaped_mw(
    now_mw: float,
    wanted_mw: float,
    *,
    elapsed_s: float,
    up_max_mw_per_min: float,
    down_max_mw_per_min: float,
    may_step: bool = False,
) -> float:
    """Power as near to what is wanted as the ramp lets it come in the time, MW."""
    if may_step:
        return wanted_mw
    elapsed_min = elapsed_s / 60.0
    low_mw, high_mw = now_mw - down_max_mw_per_min * elapsed_min, now_mw + up_max_mw_per_min * elapsed_min
    return min(max(wanted_mw, low_mw), high_mw)


def ramped_mw(from_mw: float, to_mw: float, *, since_s: float, within_s: float) -> float:
    """Power on the straight line that leaves `from_mw` at the start and reaches `to_mw` after `within_s`, MW."""
    if within_s <= 0.0:
        return to_mw
    return from_mw + (to_mw - from_mw) * min(max(since_s / within_s, 0.0), 1.0)


def trimmed_mw(
    up_mw: float,
    down_mw: float,
    *,
    elapsed_s: float,
    up_max_mw_per_min: float,
    down_max_mw_per_min: float,
) -> tuple[float, float]:
    """How much of all rises and of all falls may be carried out together, MW: their difference is the site's ramp."""
    elapsed_min = elapsed_s / 60.0
    up_room_mw = up_max_mw_per_min * elapsed_min if math.isfinite(up_max_mw_per_min) else math.inf
    down_room_mw = down_max_mw_per_min * elapsed_min if math.isfinite(down_max_mw_per_min) else math.inf
    return min(up_mw, down_mw + up_room_mw), min(down_mw, up_mw + down_room_mw)
