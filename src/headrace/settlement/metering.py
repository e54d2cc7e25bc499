"""What the meters say: integers per settlement interval, from which everything that is owed follows.

Energy is in watt-hours, work in whole units: GPU-seconds for leases, requests for inference, petahashes (1e15
hashes) for mining. Rooms before this one decide in floats; from here on nothing is a float.
"""

import msgspec

__all__ = ["MeteredInterval", "SettlementPrices"]


class MeteredInterval(msgspec.Struct, frozen=True, kw_only=True):
    """One settlement interval's meters, summed over its control intervals; tuples follow the site's order."""

    interval_start_s: int
    """Start, epoch seconds."""
    duration_s: int
    """Length, seconds (the settlement step, or less at a replay's edge)."""
    import_wh: int
    """Energy drawn from the grid."""
    export_wh: int
    """Energy fed to the grid."""
    charge_wh: int
    """Energy the battery drew at the bus."""
    discharge_wh: int
    """Energy the battery fed at the bus."""
    generated_wh: tuple[int, ...]
    """Energy of each on-site generator."""
    it_wh: int
    """Energy of all IT equipment."""
    lease_delivered_gpu_s: tuple[int, ...]
    """GPU-seconds delivered to each lease."""
    lease_short_gpu_s: tuple[int, ...]
    """GPU-seconds each lease was let and did not get."""
    requests_served: tuple[int, ...]
    """Requests served by each inference service."""
    requests_asked: tuple[int, ...]
    """Requests that came to each inference service."""
    work_ph: tuple[int, ...]
    """Petahashes done by each miner class."""
    heat_wh: tuple[int, ...]
    """Heat sold through each off-take."""
    ppa_wh: tuple[int, ...]
    """Energy generated for the site under each power purchase agreement."""
    import_peak_w: int
    """Highest control-interval mean import inside the interval, watts."""


class SettlementPrices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices and network facts that one settlement interval is settled at."""

    energy_micro_per_mwh: int
    """Market price at the settlement point, micro-units of the site's currency per MWh; may be negative."""
    is_estimated: bool
    """The market's price is missing and this is the declared substitute; the amounts are marked so."""
    block_reward_sats: int
    """Subsidy plus mean fees per block, satoshis."""
    difficulty: int
    """Network difficulty; expected hashes per block are difficulty × 2³²."""
    btc_micro: int
    """Fair value of one bitcoin, micro-units of the site's currency."""
