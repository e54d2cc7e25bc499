"""The site's flexible loads as merit-order blocks, and its firm draw: the static half of every dispatch problem.

Each block is one straight piece of a concave value curve: a segment of a miner class, the interruptible part of a
curtailable lease, the demand-following part of an inference service. A load whose heat is sold is cut in two: the part
whose heat the buyer still takes is worth more.

    value at the bus = (value per IT MWh + heat) / PUE        width at the bus = IT MW × PUE
"""

from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.site import Site
from headrace.loads import Firmness, HeatOfftake
from headrace.loads.curve import segments

__all__ = ["MWH_PER_WH", "SiteModel", "Use", "UseKind", "model_of"]

MWH_PER_WH = 1e-6
"""MWh in one Wh."""


class UseKind(StrEnum):
    """What a block turns power into."""

    LEASE = "lease"
    INFERENCE = "inference"
    MINING = "mining"


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One merit-order block."""

    name: str
    """Load's name, with the segment's number for a curve of several."""
    kind: UseKind
    load: int
    """Position of the load among the site's loads of its kind."""
    cooling: int
    """Position of its cooling."""
    it_max_mw: float
    """Widest it can be, IT MW."""
    value_ccy_per_mwh: float
    """Worth of one IT MWh, without mining and heat."""
    hash_phs_per_mw: float
    """Hash rate that one IT MW adds; 0 for AI."""
    kept_ratio: float
    """Share of mining revenue left after the pool's fee."""
    heat_ccy_per_mwh: float
    """Heat revenue of one IT MWh, in the months it is taken; 0 for the part whose heat nobody buys."""
    heat_it_from_mw: float
    """This block is the part of the load's IT power from here ..."""
    heat_it_to_mw: float
    """... to here (only the part under the buyer's limit earns heat); inf without a limit."""
    heat_months: tuple[int, ...]
    """Months in which heat is taken; empty without an off-take."""


class SiteModel(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A site with its blocks and the arrays that never change."""

    site: Site
    uses: tuple[Use, ...]
    use_names: tuple[str, ...]
    source_names: tuple[str, ...]
    value_ccy_per_mwh: NDArray[np.float64]
    """Value of each block per IT MWh without mining and heat, shape (N, 1)."""
    kept_hash_phs_per_mw: NDArray[np.float64]
    """Hash rate per IT MW that the site is paid for, after the pool's fee, shape (N, 1)."""
    it_max_mw: NDArray[np.float64]
    """Shape (N, 1)."""
    cooling: NDArray[np.int64]
    """Cooling of each block, shape (N,)."""
    firm_it_mw: NDArray[np.float64]
    """IT power that always runs, by cooling, shape (C,)."""
    inference_rows: tuple[int, ...]
    """Blocks that follow demand."""
    heat_rows: tuple[int, ...]
    """Blocks with a heat off-take."""
    source_cost_ccy_per_mwh: NDArray[np.float64]
    """Shape (M, 1)."""
    source_capacity_mw: NDArray[np.float64]
    """Shape (M, 1)."""
    source_must_run_ratio: NDArray[np.float64]
    """Shape (M, 1)."""


def model_of(site: Site) -> SiteModel:
    """Lay out a site's blocks once; every problem of the site is made from them."""
    uses = _lease_uses(site) + _inference_uses(site) + _mining_uses(site)

    def column(values: list[float]) -> NDArray[np.float64]:
        return np.array(values, float).reshape(-1, 1)

    return SiteModel(
        site=site,
        uses=tuple(uses),
        use_names=tuple(u.name for u in uses),
        source_names=tuple(g.name for g in site.generators),
        value_ccy_per_mwh=column([u.value_ccy_per_mwh for u in uses]),
        kept_hash_phs_per_mw=column([u.kept_ratio * u.hash_phs_per_mw for u in uses]),
        it_max_mw=column([u.it_max_mw for u in uses]),
        cooling=np.array([u.cooling for u in uses], np.int64),
        firm_it_mw=firm_it_mw(site),
        inference_rows=tuple(i for i, u in enumerate(uses) if u.kind is UseKind.INFERENCE),
        heat_rows=tuple(i for i, u in enumerate(uses) if u.heat_months),
        source_cost_ccy_per_mwh=column([g.marginal_cost_ccy_per_mwh for g in site.generators]),
        source_capacity_mw=column([g.capacity_mw for g in site.generators]),
        source_must_run_ratio=column([g.must_run_ratio for g in site.generators]),
    )


def firm_it_mw(site: Site) -> NDArray[np.float64]:
    """IT power that always runs, by cooling: firm leases, and the idle draw of GPUs that may be paused."""
    index = {c.name: i for i, c in enumerate(site.coolings)}
    firm = np.zeros(len(site.coolings))
    for lease in site.leases:
        share = 1.0 if lease.firmness is Firmness.FIRM else lease.idle_ratio
        firm[index[lease.cooling]] += share * lease.it_mw
    for service in site.inference:
        firm[index[service.cooling]] += service.idle_ratio * service.it_max_mw
    return firm


def _lease_uses(site: Site) -> list[Use]:
    blocks = []
    for position, lease in enumerate(site.leases):
        flexible_mw = (1.0 - lease.idle_ratio) * lease.it_mw
        if lease.firmness is Firmness.CURTAILABLE and flexible_mw > 0.0:
            worth_ccy_per_h = lease.gpus * (lease.price_ccy_per_gpu_h + lease.credit_ccy_per_gpu_h)
            blocks += _with_heat(
                site,
                lease.name,
                UseKind.LEASE,
                position,
                lease.cooling,
                [(flexible_mw, worth_ccy_per_h / flexible_mw, 0.0)],
                below_mw=lease.idle_ratio * lease.it_mw,
            )
    return blocks


def _inference_uses(site: Site) -> list[Use]:
    blocks = []
    for position, service in enumerate(site.inference):
        flexible_mw = (1.0 - service.idle_ratio) * service.it_max_mw
        value = service.value_ccy_per_request / (service.wh_per_request * MWH_PER_WH)
        blocks += _with_heat(
            site,
            service.name,
            UseKind.INFERENCE,
            position,
            service.cooling,
            [(flexible_mw, value, 0.0)],
            below_mw=service.idle_ratio * service.it_max_mw,
        )
    return blocks


def _mining_uses(site: Site) -> list[Use]:
    blocks = []
    for position, miner in enumerate(site.miners):
        curve = segments(miner)
        widths_mw, slopes = curve.width_mw.tolist(), curve.slope_phs_per_mw.tolist()
        pieces = [(width_mw, 0.0, slope) for width_mw, slope in zip(widths_mw, slopes, strict=True)]
        mined = _with_heat(site, miner.name, UseKind.MINING, position, miner.cooling, pieces, below_mw=0.0)
        blocks += [msgspec.structs.replace(use, kept_ratio=1.0 - miner.pool_fee_ratio) for use in mined]
    return blocks


def _with_heat(
    site: Site,
    load: str,
    kind: UseKind,
    position: int,
    cooling: str,
    pieces: list[tuple[float, float, float]],
    *,
    below_mw: float,
) -> list[Use]:
    """Blocks of one load from (IT MW, value per MWh, PH/s per MW) pieces, cut where the heat buyer's limit falls."""
    offtake = next((h for h in site.heat if h.load == load), None)
    index = {c.name: i for i, c in enumerate(site.coolings)}[cooling]
    blocks = []
    from_mw = below_mw
    for number, (width_mw, value, hash_per_mw) in enumerate(pieces, start=1):
        stem = load if len(pieces) == 1 else f"{load}.{number}"
        for name, start_mw, end_mw, heat in _heat_cuts(offtake, stem, from_mw, from_mw + width_mw):
            blocks.append(
                Use(
                    name=name,
                    kind=kind,
                    load=position,
                    cooling=index,
                    it_max_mw=end_mw - start_mw,
                    value_ccy_per_mwh=value,
                    hash_phs_per_mw=hash_per_mw,
                    kept_ratio=1.0,
                    heat_ccy_per_mwh=heat,
                    heat_it_from_mw=start_mw,
                    heat_it_to_mw=end_mw,
                    heat_months=offtake.months if offtake and heat else (),
                )
            )
        from_mw += width_mw
    return blocks


def _heat_cuts(
    offtake: HeatOfftake | None, stem: str, start_mw: float, end_mw: float
) -> list[tuple[str, float, float, float]]:
    """(name, from MW, to MW, heat per IT MWh) of the part whose heat is sold and the part whose heat is not."""
    if offtake is None:
        return [(stem, start_mw, end_mw, 0.0)]
    limit_mw = offtake.heat_max_mw / offtake.recovered_ratio
    heat = offtake.recovered_ratio * offtake.price_ccy_per_mwh
    if end_mw <= limit_mw:
        return [(stem, start_mw, end_mw, heat)]
    if start_mw >= limit_mw:
        return [(stem, start_mw, end_mw, 0.0)]
    return [(f"{stem}+heat", start_mw, limit_mw, heat), (stem, limit_mw, end_mw, 0.0)]
