"""The reference campus: a stated input on which dispatch algorithms are compared, no business case.

Import 100 MW, export 30 MW, adders +4 and −2 USD/MWh; 40 MW firm AI; 20 MW curtailable AI worth 350 USD per IT MWh,
and 150 more in compensation when it is cut; ASIC classes of 15, 20 and 30 J/TH, 10 MW each; battery 20 MW, 40 MWh,
0.92 each way, 8 USD/MWh wear. PUE (1.04 to 1.35) and hashprice (a random walk around 52 USD/PH/day) come from fixed
seeds, so that shares of gain measured by anyone on the same prices compare: `PUE_SEED` draws one normal number per day,
`HASHPRICE_SEED` one daily step of the walk, both with NumPy's default generator.

Rent of the firm AI is left out of every objective, and the compensation for all curtailable energy stands apart
(`margin_offset_usd`): both are constants and move no share of gain.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.closed_loop import LoopSite
from headrace.energy import Battery

__all__ = ["BATTERY", "campus", "hashprice_walk", "margin_offset_usd", "pue_walk"]

Floats = NDArray[np.float64]

IMPORT_MAX_MW: Final = 100.0
EXPORT_MAX_MW: Final = 30.0
IMPORT_ADDER_USD_PER_MWH: Final = 4.0
EXPORT_DEDUCTION_USD_PER_MWH: Final = 2.0
FIRM_IT_MW: Final = 40.0
CURTAILABLE_IT_MW: Final = 20.0
CURTAILABLE_VALUE_USD_PER_MWH: Final = 350.0
COMPENSATION_USD_PER_MWH: Final = 150.0
ASIC_J_PER_TH: Final = (15.0, 20.0, 30.0)
ASIC_IT_MW: Final = 10.0
PUE_SEED: Final = 7
HASHPRICE_SEED: Final = 13
HASHPRICE_MEAN_USD_PER_PHS_DAY: Final = 52.0

BATTERY: Final = Battery(
    charge_max_mw=20.0,
    discharge_max_mw=20.0,
    stored_min_mwh=0.0,
    stored_max_mwh=40.0,
    stored_start_mwh=20.0,
    charge_efficiency_ratio=0.92,
    discharge_efficiency_ratio=0.92,
    wear_ccy_per_mwh=8.0,
)


def campus(steps: int, step_h: float, hashprice_usd_per_phs_day: tuple[Floats, Floats] | None = None) -> LoopSite:
    """Lay out the campus over `steps` control steps.

    Parameters
    ----------
    steps
        T.
    step_h
        Length of a control step, hours.
    hashprice_usd_per_phs_day
        Hashprice (known, earned) in each step, shape (T,) each; None for the walk, which is known on its day.
    """
    known, earned = hashprice_usd_per_phs_day or (hashprice_walk(steps, step_h),) * 2
    names = ("curtailable AI", *(f"ASIC {efficiency:.0f} J/TH" for efficiency in ASIC_J_PER_TH))
    return LoopSite(
        step_h=step_h,
        import_max_mw=IMPORT_MAX_MW,
        export_max_mw=EXPORT_MAX_MW,
        import_adder_ccy_per_mwh=IMPORT_ADDER_USD_PER_MWH,
        export_deduction_ccy_per_mwh=EXPORT_DEDUCTION_USD_PER_MWH,
        pue_ratio=pue_walk(steps, step_h),
        firm_it_mw=FIRM_IT_MW,
        use_names=names,
        use_it_max_mw=np.array([CURTAILABLE_IT_MW] + [ASIC_IT_MW] * len(ASIC_J_PER_TH)),
        use_known_ccy_per_mwh=_use_values(known),
        use_earned_ccy_per_mwh=_use_values(earned),
        battery=BATTERY,
    )


def margin_offset_usd(steps: int, step_h: float) -> float:
    """Compensation for all curtailable energy: comes off a margin that values serving it at rent plus compensation."""
    return CURTAILABLE_IT_MW * COMPENSATION_USD_PER_MWH * steps * step_h


def pue_walk(steps: int, step_h: float) -> Floats:
    """Cooling overhead by season, hour and a daily draw, clipped to 1.04..1.35, shape (T,)."""
    hours = np.arange(steps) * step_h
    season = np.sin((hours / 8760.0 - 0.3) * 2.0 * np.pi)
    hour = np.sin((hours % 24.0 - 9.0) / 24.0 * 2.0 * np.pi)
    draws = np.random.default_rng(PUE_SEED).normal(size=int(steps * step_h / 24.0) + 2)
    daily = np.repeat(draws, _steps_per_day(step_h))[:steps]
    pue: Floats = np.clip(1.14 + 0.05 * season + 0.04 * hour + 0.01 * daily, 1.04, 1.35)
    return pue


def hashprice_walk(steps: int, step_h: float) -> Floats:
    """Hashprice as a daily log walk around 52 USD/PH/day, at most 35 % (in the log) away from it, shape (T,)."""
    days = int(np.ceil(steps * step_h / 24.0)) + 1
    walk = np.cumsum(np.random.default_rng(HASHPRICE_SEED).normal(0.0, 0.012, days))
    daily = HASHPRICE_MEAN_USD_PER_PHS_DAY * np.exp(np.clip(walk, -0.35, 0.35))
    return np.repeat(daily, _steps_per_day(step_h))[:steps]


def _use_values(hashprice_usd_per_phs_day: Floats) -> Floats:
    """Worth of one IT MWh: rent and compensation of the AI, hashprice over (24 h × J/TH) of each ASIC class."""
    leased = np.full(len(hashprice_usd_per_phs_day), CURTAILABLE_VALUE_USD_PER_MWH + COMPENSATION_USD_PER_MWH)
    # 1 MW at j J/TH is 1000 / j PH/s, and 1 PH/s earns the hashprice in 24 h.
    mined = [hashprice_usd_per_phs_day / (24.0 * efficiency / 1000.0) for efficiency in ASIC_J_PER_TH]
    return np.stack([leased, *mined])


def _steps_per_day(step_h: float) -> int:
    return round(24.0 / step_h)
