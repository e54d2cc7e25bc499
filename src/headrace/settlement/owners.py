"""What owners of hosted machines and powered-shell tenants pay and are owed in one interval, in integers.

Hosting    power      fixed: IT Wh × price; pass-through: bus Wh × (market + adder) + IT Wh × fee
           share      profit share × max(0, mining − power)
           credits    owner's share × max(0, saved − bill) on what was not delivered, and the guarantee's credit on what
                      lies beyond the month's allowance
Shell      power      fixed or passed through, on what was drawn
           rent       contracted W × duration × rent, and take-or-pay on what was asked for too little of
           credits    on what was asked for and not delivered

Mining of a hosted class is paid by its pool to the owner's own account: it is in no line of the site's statement.
Rounding is in the customer's favour: what they pay down, what they are owed up.
"""

from typing import Final

import msgspec

from headrace.core import divide_down, divide_up

__all__ = ["HostedMeter", "HostingRate", "OwnerLine", "ShellMeter", "ShellRate", "settle_hosting", "settle_shell"]

PER_MILLION: Final = 1_000_000
S_PER_H: Final = 3600
W_S_PER_MW_H: Final = 1_000_000 * S_PER_H


class HostingRate(msgspec.Struct, frozen=True, kw_only=True):
    """A hosting contract's prices, micro-units of the site's currency."""

    is_fixed: bool
    """Fixed price, else pass-through with the price as a fee."""
    price_micro_per_mwh: int
    """Price or fee per IT MWh."""
    profit_share_ppm: int
    """Site's share of mining above the power bill, parts per million."""
    curtailment_share_ppm: int
    """Owner's share of what a stop saves, parts per million."""
    credit_micro_per_mwh: int
    """Owed per IT MWh not delivered beyond the allowance."""
    full_w: int
    """IT power of the machines at full work, W."""
    guaranteed_ppm: int
    """Guaranteed uptime, parts per million of the local month; 0 guarantees nothing."""
    free_s: int
    """Seconds of full stop a month beside what the guarantee leaves."""

    def allowed_wh(self, month_s: int) -> int | None:
        """IT energy that may be missing in a month of `month_s` seconds, Wh; None where nothing is guaranteed."""
        if self.guaranteed_ppm == 0:
            return None
        allowed_s = self.free_s + divide_down(month_s * (PER_MILLION - self.guaranteed_ppm), PER_MILLION)
        return divide_down(self.full_w * allowed_s, S_PER_H)


class ShellRate(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's prices, micro-units of the site's currency."""

    is_fixed: bool
    """Fixed price, else pass-through with the price as a fee."""
    price_micro_per_mwh: int
    """Price or fee per MWh at the hall's meter."""
    rent_micro_per_mw_h: int
    """Rent per MW contracted and hour."""
    contracted_w: int
    """Contracted power, W."""
    take_or_pay_ppm: int
    """Least share of the contracted energy billed, parts per million."""
    credit_micro_per_mwh: int
    """Owed per MWh asked for and not delivered."""


class HostedMeter(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Meters of one hosting contract over one interval."""

    it_wh: int
    """Energy at the machines' terminals."""
    bus_wh: int
    """The same with its cooling, at the site's bus."""
    short_it_wh: int
    """IT energy the machines could have taken and were not given."""
    short_bus_wh: int
    """The same at the bus."""

    def plus(self, other: "HostedMeter") -> "HostedMeter":
        """Sum of two intervals."""
        return HostedMeter(
            it_wh=self.it_wh + other.it_wh,
            bus_wh=self.bus_wh + other.bus_wh,
            short_it_wh=self.short_it_wh + other.short_it_wh,
            short_bus_wh=self.short_bus_wh + other.short_bus_wh,
        )


class ShellMeter(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Meters of one tenant over one interval."""

    wh: int
    """Energy drawn at the hall's meter."""
    short_wh: int
    """Energy asked for and not delivered."""

    def plus(self, other: "ShellMeter") -> "ShellMeter":
        """Sum of two intervals."""
        return ShellMeter(wh=self.wh + other.wh, short_wh=self.short_wh + other.short_wh)


class OwnerLine(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One owner's or tenant's part of one interval; money in micro-units."""

    wh: int
    """Energy billed to it, Wh at its meter."""
    short_wh: int
    """Energy not delivered, Wh at its meter."""
    power: int
    """Owed to the site for power."""
    further: int
    """Owed to the site beyond that: profit share; rent and take-or-pay."""
    credits: int
    """Owed by the site."""
    sats: int
    """Satoshis its pool pays it directly; none of the site's."""


def settle_hosting(
    rate: HostingRate,
    meter: HostedMeter,
    *,
    energy_micro_per_mwh: int,
    mining_micro: int,
    sats: int,
    beyond_it_wh: int,
) -> OwnerLine:
    """Settle one hosting contract.

    Parameters
    ----------
    rate, meter
        Prices and meters.
    energy_micro_per_mwh
        What a MWh at the bus costs the site: market price and adder.
    mining_micro, sats
        What the machines' work earns after the pool's fee: fair value, and satoshis.
    beyond_it_wh
        IT energy of this interval's shortfall that lies beyond the month's allowance.
    """
    if rate.is_fixed:
        power = divide_down(meter.it_wh * rate.price_micro_per_mwh, PER_MILLION)
        unspent = meter.short_it_wh * rate.price_micro_per_mwh
    else:
        passed = meter.bus_wh * energy_micro_per_mwh + meter.it_wh * rate.price_micro_per_mwh
        power = divide_down(passed, PER_MILLION)
        unspent = meter.short_bus_wh * energy_micro_per_mwh + meter.short_it_wh * rate.price_micro_per_mwh
    saved = max(0, meter.short_bus_wh * energy_micro_per_mwh - unspent)
    return OwnerLine(
        wh=meter.it_wh,
        short_wh=meter.short_it_wh,
        power=power,
        further=divide_down(max(0, mining_micro - power) * rate.profit_share_ppm, PER_MILLION),
        credits=divide_up(saved * rate.curtailment_share_ppm, PER_MILLION**2)
        + divide_up(beyond_it_wh * rate.credit_micro_per_mwh, PER_MILLION),
        sats=sats,
    )


def settle_shell(rate: ShellRate, meter: ShellMeter, *, energy_micro_per_mwh: int, duration_s: int) -> OwnerLine:
    """Settle one tenant.

    Parameters
    ----------
    rate, meter
        Prices and meters.
    energy_micro_per_mwh
        What a MWh at the bus costs the site: market price and adder.
    duration_s
        Length of the interval, seconds.
    """
    per_mwh = rate.price_micro_per_mwh if rate.is_fixed else energy_micro_per_mwh + rate.price_micro_per_mwh
    contracted_wh = divide_down(rate.contracted_w * duration_s, S_PER_H)
    least_wh = divide_down(contracted_wh * rate.take_or_pay_ppm, PER_MILLION)
    untaken_wh = max(0, least_wh - meter.wh - meter.short_wh)
    return OwnerLine(
        wh=meter.wh,
        short_wh=meter.short_wh,
        power=divide_down(meter.wh * per_mwh, PER_MILLION),
        further=divide_down(rate.contracted_w * duration_s * rate.rent_micro_per_mw_h, W_S_PER_MW_H)
        + divide_down(untaken_wh * max(0, rate.price_micro_per_mwh), PER_MILLION),
        credits=divide_up(meter.short_wh * rate.credit_micro_per_mwh, PER_MILLION),
        sats=0,
    )
