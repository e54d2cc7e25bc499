"""What one settlement interval earned and cost, line by line."""

from operator import attrgetter
from typing import Final

import msgspec

__all__ = ["LINES", "Statement"]

LINES: Final = (
    "energy_bought",
    "energy_sold",
    "adders",
    "mining",
    "pool_fees",
    "ai_firm",
    "ai_curtailable",
    "inference",
    "heat",
    "service_credits",
    "ppa",
    "peak",
    "generation",
    "wear",
)
"""Statement lines, in the order of the waterfall; margin is their sum."""


class Statement(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One settlement interval in micro-units of the site's currency: revenue plus, cost minus."""

    interval_start_s: int
    """Start, epoch seconds."""
    duration_s: int
    """Length, seconds."""
    is_estimated: bool
    """The market's price was missing and a declared substitute stood in."""
    import_wh: int
    """Energy billed as bought."""
    export_wh: int
    """Energy billed as sold."""
    mining_sats: int
    """Satoshis the pools pay out, net of their fees."""
    energy_bought: int
    """Import at the market price; an income, still in this line, where the price is negative."""
    energy_sold: int
    """Export at the market price; a cost where the price is negative."""
    adders: int
    """Regulated and contractual parts on import and export."""
    mining: int
    """Fair value of the work's expected reward before pool fees."""
    pool_fees: int
    """What the pools keep: `mining` + `pool_fees` is the fair value of `mining_sats`."""
    ai_firm: int
    """Rent of delivered firm GPU time."""
    ai_curtailable: int
    """Rent of delivered curtailable GPU time."""
    inference: int
    """Revenue of served requests."""
    heat: int
    """Revenue of heat sold."""
    service_credits: int
    """Owed to tenants for GPU time let and not delivered."""
    ppa: int
    """Agreements' output at market price less strike."""
    peak: int
    """Rise of the month's peak charge in this interval."""
    generation: int
    """Marginal cost of on-site output."""
    wear: int
    """Provision for battery wear."""

    @property
    def amounts(self) -> tuple[int, ...]:
        """Every line in the order of `LINES`, micro-units."""
        return _AMOUNTS(self)

    @property
    def margin_micro(self) -> int:
        """Sum of the lines, micro-units."""
        return sum(_AMOUNTS(self))


_AMOUNTS: Final = attrgetter(*LINES)
