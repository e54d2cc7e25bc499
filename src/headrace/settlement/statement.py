"""What one settlement interval earned and cost, line by line."""

from operator import attrgetter
from typing import Final

import msgspec

from headrace.settlement.owners import OwnerLine
from headrace.settlement.position import Position

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
    "day_ahead",
    "hedge",
    "basis",
    "supply_fees",
    "fixed_charges",
    "transmission",
    "reserve",
    "reserve_penalties",
    "jobs",
    "job_penalties",
    "hosting",
    "hosting_payouts",
    "shell",
    "starts",
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
    owners: tuple[OwnerLine, ...] = ()
    """What each hosting contract, then each powered-shell tenant, adds to the lines below."""
    position: Position | None = None
    """What became of the volume of the supply contracts; None without any."""
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
    day_ahead: int = 0
    """Day-ahead purchases and sales: real-time less day-ahead price on the volume bought ahead."""
    hedge: int = 0
    """Fixed-price blocks and shaped purchases, at the site's own price less strike."""
    basis: int = 0
    """What a hedge settled at a hub gains or loses against the site's own price: hub less zone on its volume."""
    supply_fees: int = 0
    """Supplier's fees: per MWh, for imbalance, for volume not taken."""
    fixed_charges: int = 0
    """Dated tariffs that do not follow the interval's energy: monthly charges, class adjustments."""
    transmission: int = 0
    """Charges by coincident peak, accrued at the peak and billed later."""
    reserve: int = 0
    """Capacity and deployment payments of reserves sold."""
    reserve_penalties: int = 0
    """Charges for reserve sold and not held or not delivered."""
    jobs: int = 0
    """Value of the work of batch jobs that was saved in time."""
    job_penalties: int = 0
    """Lateness of batch jobs."""
    hosting: int = 0
    """What owners of hosted machines pay the site: power, fee, share of profit."""
    hosting_payouts: int = 0
    """What the site pays them: their mining revenue, credits for guaranteed uptime."""
    shell: int = 0
    """Powered-shell tenants: take-or-pay rent, power passed through, availability credits."""
    starts: int = 0
    """Starts of generators."""

    @property
    def amounts(self) -> tuple[int, ...]:
        """Every line in the order of `LINES`, micro-units."""
        return _AMOUNTS(self)

    @property
    def margin_micro(self) -> int:
        """Sum of the lines, micro-units."""
        return sum(_AMOUNTS(self))


_AMOUNTS: Final = attrgetter(*LINES)
