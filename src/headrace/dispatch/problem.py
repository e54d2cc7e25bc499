"""One dispatch problem: the core site over a horizon, at the bus, as arrays.

Steps t = 0..T-1 have length `step_h[t]`. Everything is facility power at the bus, so PUE is already inside widths and
values. Find import g⁺, export g⁻, uses x_i, sources y_j, charge c, discharge d, stored energy s that maximise

    Σ_t h_t [ Σ_i v_it x_it − Σ_j k_jt y_jt − p⁺_t g⁺_t + p⁻_t g⁻_t − w d_t ] + ω s_T − Σ_m K (D_m − D⁰_m)

    balance   g⁺_t + Σ_j y_jt + d_t = g⁻_t + firm_t + Σ_i x_it + c_t
    storage   s_{t+1} = s_t + h_t (η_c c_t − d_t / η_d),   s_min ≤ s ≤ s_max
    bounds    0 ≤ g⁺ ≤ ḡ⁺_t,  0 ≤ g⁻ ≤ ḡ⁻_t,  0 ≤ x_i ≤ x̄_it,  y̲_jt ≤ y_j ≤ ȳ_jt,  0 ≤ c ≤ c̄,  0 ≤ d ≤ d̄
    peak      g⁺_t ≤ D_m(t),   D_m ≥ D⁰_m        (only if K > 0)
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.terms import Terms
from headrace.energy import Battery

__all__ = ["Peak", "Problem"]

Floats = NDArray[np.float64]


class Peak(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Charge on the highest import of each billing period that the horizon touches."""

    charge_ccy_per_mw: float
    """K: charge per MW of new peak, already amortised to the horizon where the horizon is a window of the period; the
    highest of the periods' where they differ."""
    period: NDArray[np.int64]
    """m(t): billing period of each step, 0..M-1, never decreasing, shape (T,)."""
    so_far_mw: Floats
    """D⁰: peak that each period already has (paid for whatever happens), shape (M,)."""
    period_ratio: Floats | None = None
    """Each period's own charge over K, 0..1, shape (M,); None where they are alike."""

    @property
    def charges_ccy_per_mw(self) -> Floats:
        """Charge of each period, shape (M,)."""
        ratio = np.ones(len(self.so_far_mw)) if self.period_ratio is None else self.period_ratio
        return self.charge_ccy_per_mw * ratio

    def paid_ccy(self, peak_mw: Floats) -> float:
        """Charge on the rise of each period's peak to this one, shape (M,)."""
        rise_mw = peak_mw - self.so_far_mw
        return self.charge_ccy_per_mw * float(
            (rise_mw if self.period_ratio is None else self.period_ratio * rise_mw).sum()
        )


class Problem(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The core problem; shapes (T,), (N, T) for N uses, (M, T) for M sources."""

    step_h: Floats
    """Length of each step, hours > 0."""
    import_cost_ccy_per_mwh: Floats
    """p⁺: market price plus adders; may be negative."""
    export_value_ccy_per_mwh: Floats
    """p⁻: market price less deductions; never above p⁺."""
    import_max_mw: Floats
    export_max_mw: Floats
    firm_mw: Floats
    """Power that must be served: firm leases, idle power, each with its cooling; >= 0."""
    use_names: tuple[str, ...]
    use_value_ccy_per_mwh: Floats
    """v: worth of one MWh at the bus to each use, shape (N, T); any sign."""
    use_max_mw: Floats
    """x̄: shape (N, T), >= 0."""
    source_names: tuple[str, ...]
    source_cost_ccy_per_mwh: Floats
    """k: cost of one MWh from each source, shape (M, T)."""
    source_min_mw: Floats
    """y̲: output that cannot be turned down, shape (M, T)."""
    source_max_mw: Floats
    """ȳ: available output, shape (M, T)."""
    battery: Battery | None
    stored_mwh: float
    """s_0; ignored without a battery."""
    end_value_ccy_per_mwh: float
    """ω: worth of one MWh in store at the horizon's end."""
    peak: Peak | None
    terms: Terms | None = None
    """What contracts, tariffs, plant and sold reserve changed, already inside the arrays above; None for nothing."""
    unit_is_on: NDArray[np.bool_] | None = None
    """Which units burn fuel, shape (U, T), already inside the sources' limits; None where nobody committed them."""

    def units_at(self, step: int) -> tuple[bool, ...]:
        """Which units burn fuel in a step; empty where nobody committed them."""
        return () if self.unit_is_on is None else tuple(self.unit_is_on[:, step].tolist())

    @property
    def steps(self) -> int:
        """T."""
        return len(self.step_h)
