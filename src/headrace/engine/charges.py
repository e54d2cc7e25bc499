"""What dated charges came to over a period: price adders at the settled price, and the peaks as they turned out."""

from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.core import epoch_s, from_epoch_s, micro
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.peak_terms import peak_adder_ccy_per_mwh
from headrace.dispatch.problem import Peak
from headrace.dispatch.site import Site
from headrace.energy.tariffs import CoincidentPeaks, FixedCharge, adder_ccy_per_mwh
from headrace.energy.tariffs_monthly import month_peaks_ccy_per_mw
from headrace.energy.tariffs_peaks import peaks_of
from headrace.engine.calendar import LocalCalendar
from headrace.settlement.charges import ChargeFacts, FixedShare, PeakShare

__all__ = ["ChargeTruth", "billed_peak", "charge_columns", "charge_truth"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ChargeTruth(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The dated charges of a site on the control grid."""

    step_s: int
    """Length of a control step, seconds."""
    starts_s: Ints
    """Start of each step, epoch seconds, shape (T,)."""
    month_end_s: Ints
    """End of each step's local month, epoch seconds, shape (T,)."""
    time_zone: str
    """IANA zone of the months."""
    adder_ccy_per_mwh: Floats
    """Price adders and losses, shape (T,)."""
    peak_seen_ccy_per_mwh: Floats | None
    """Price of import for coincident peaks as a planner saw it at each step, shape (T,); None without such a charge."""
    peak_came_ccy_per_mwh: Floats
    """The same with hindsight, shape (T,)."""
    month_peak_ccy_per_mw: Floats
    """Charge on each MW of the month's own peak, 0 where none is in force, shape (T,)."""
    fixed: tuple[FixedCharge, ...]
    """Monthly charges."""
    peaks: tuple[tuple[int, int, PeakShare], ...]
    """Start and end of every peak interval, epoch seconds, and what it bears."""

    def facts(self, first: int, last: int) -> ChargeFacts:
        """Charges of the settlement interval that holds control steps `first` to `last`."""
        start_s, end_s = int(self.starts_s[first]), int(self.starts_s[last]) + self.step_s
        return ChargeFacts(
            adder_micro_per_mwh=micro(float(self.adder_ccy_per_mwh[last])),
            fixed=self._fixed(start_s, end_s, int(self.month_end_s[last])) if self.fixed else (),
            peaks=tuple(share for peak_s, peak_end_s, share in self.peaks if peak_s <= start_s and end_s <= peak_end_s),
            peak_micro_per_mw=micro(float(self.month_peak_ccy_per_mw[last])),
        )

    def _fixed(self, start_s: int, end_s: int, month_end_s: int) -> tuple[FixedShare, ...]:
        """Parts of the month that fixed charges accrue over; a settlement interval lies in one month."""
        zone = ZoneInfo(self.time_zone)
        month_s = epoch_s(from_epoch_s(start_s).astimezone(zone).replace(day=1, hour=0, minute=0, second=0, fold=0))
        return tuple(
            FixedShare(
                month_micro=micro(each.month_ccy),
                from_s=max(start_s, each.start_s) - month_s,
                to_s=min(end_s, each.end_s) - month_s,
                month_s=month_end_s - month_s,
            )
            for each in self.fixed
            if each.start_s < end_s and start_s < each.end_s
        )


def charge_truth(
    site: Site, inputs: Inputs, calendar: LocalCalendar, starts_s: Ints, price_ccy_per_mwh: Floats
) -> ChargeTruth | None:
    """Lay a site's dated charges on the control grid; None for a site that has none.

    Parameters
    ----------
    site, inputs
        The site and its series.
    calendar
        Local time of each step.
    starts_s
        Start of each step, epoch seconds, shape (T,).
    price_ccy_per_mwh
        Settled price, shape (T,).
    """
    if not site.charges:
        return None
    peaks = [
        (at_s, at_s + length_s, PeakShare(year_micro_per_mw=micro(c.peak_ccy_per_mw_year), peaks_s=c.count * length_s))
        for c in site.charges
        if isinstance(c, CoincidentPeaks)
        for at_s, length_s in peaks_of(c, None if c.load is None else inputs.further[c.load], site.time_zone)
        if at_s < int(starts_s[-1]) + site.control_step_s and at_s + length_s > int(starts_s[0])
    ]
    return ChargeTruth(
        step_s=site.control_step_s,
        starts_s=starts_s,
        month_end_s=calendar.month_end_s,
        time_zone=site.time_zone,
        adder_ccy_per_mwh=adder_ccy_per_mwh(site.charges, starts_s, price_ccy_per_mwh, site.time_zone),
        peak_seen_ccy_per_mwh=_seen(site, inputs, starts_s),
        peak_came_ccy_per_mwh=peak_adder_ccy_per_mwh(site, inputs, starts_s, None),
        month_peak_ccy_per_mw=month_peaks_ccy_per_mw(site.charges, starts_s, calendar.month, site.time_zone),
        fixed=tuple(each for each in site.charges if isinstance(each, FixedCharge)),
        peaks=tuple(peaks),
    )


def billed_peak(site: Site, calendar: LocalCalendar, starts_s: Ints) -> Peak | None:
    """The charge on each month's own peak over a whole period, with hindsight; None where none is in force."""
    rate = site.tariff.peak_charge_ccy_per_mw_month + month_peaks_ccy_per_mw(
        site.charges, starts_s, calendar.month, site.time_zone
    )
    if not rate.any():
        return None
    # A month in which a charge begins or ends has parts of its own: what is drawn beside the charge sets no peak.
    turns = (np.diff(calendar.month_count) != 0) | (np.diff(rate > 0.0))
    period = np.concatenate(([0], np.cumsum(turns)))
    charge = rate[np.searchsorted(period, np.arange(period[-1] + 1))]
    return Peak(
        charge_ccy_per_mw=float(charge.max()),
        period=period.astype(np.int64),
        so_far_mw=np.where(charge > 0.0, 0.0, site.connection.import_max_mw),
        period_ratio=None if (charge == charge[0]).all() else charge / charge.max(),
    )


def charge_columns(charges: ChargeTruth | None) -> dict[str, object]:
    """Columns of a run's intervals: the price of coincident peaks as seen and as it came; none without peaks."""
    if charges is None or charges.peak_seen_ccy_per_mwh is None:
        return {}
    return {"peak_seen": charges.peak_seen_ccy_per_mwh, "peak_came": charges.peak_came_ccy_per_mwh}


def _seen(site: Site, inputs: Inputs, starts_s: Ints) -> Floats | None:
    """What a planner saw for the very step it decided on; asked again, step by step, of the same pure forecast."""
    if not any(isinstance(each, CoincidentPeaks) for each in site.charges):
        return None
    return np.array(
        [
            peak_adder_ccy_per_mwh(site, inputs, starts_s[t : t + 1], int(at_s))[0]
            for t, at_s in enumerate(starts_s.tolist())
        ]
    )
