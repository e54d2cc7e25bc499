"""What each feeder leaves to the blocks behind it, as this interval's setpoints rank them."""

from headrace.control.setpoints import Setpoints

__all__ = ["behind_feeders"]


def behind_feeders(
    setpoints: Setpoints, width_mw: list[float], feeder_of: list[int], room_mw: list[float]
) -> tuple[float, ...]:
    """Widths within every feeder: sold reserve first, then what is asked for, then what more could be taken.

    Parameters
    ----------
    setpoints
        This interval's; of equal claim the worthier block comes first.
    width_mw
        What each block could take.
    feeder_of
        Feeder of each block, -1 for none.
    room_mw
        What each feeder leaves above its firm load.
    """
    asked_mw = [
        most if limit is None else min(most, limit)
        for most, limit in zip(width_mw, setpoints.use_limit_mw, strict=True)
    ]
    got_mw = [most if feeder < 0 else 0.0 for most, feeder in zip(width_mw, feeder_of, strict=True)]
    left_mw = list(room_mw)
    order = sorted(
        (i for i, feeder in enumerate(feeder_of) if feeder >= 0),
        key=setpoints.use_worth_ccy_per_mwh.__getitem__,
        reverse=True,
    )
    for claim_mw in (setpoints.use_min_mw or [0.0] * len(width_mw), asked_mw, width_mw):
        for i in order:
            more_mw = min(claim_mw[i], width_mw[i]) - got_mw[i]
            more_mw = max(0.0, min(more_mw, left_mw[feeder_of[i]]))
            got_mw[i] += more_mw
            left_mw[feeder_of[i]] -= more_mw
    return tuple(got_mw)
