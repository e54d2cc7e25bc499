"""Machines that come and go: halls are built, let, emptied and converted at dates the site file gives."""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.asked import Asked
from headrace.dispatch.assemble import pue_of
from headrace.dispatch.site import Site
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.loads import AiLease, Firmness, MinerClass

__all__ = ["comes_or_goes", "in_service", "service_terms"]


def comes_or_goes(site: Site) -> bool:
    """Does any miner class or lease have a date?"""
    loads: tuple[MinerClass | AiLease, ...] = (*site.miners, *site.leases)
    return any(each.start_s is not None or each.end_s is not None for each in loads)


def in_service(load: MinerClass | AiLease, starts_s: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Is the load there in the step that begins at each instant?"""
    is_there = np.ones(len(starts_s), np.bool_)
    if load.start_s is not None:
        is_there &= starts_s >= load.start_s
    if load.end_s is not None:
        is_there &= starts_s < load.end_s
    return is_there


def service_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Take away what is not there: blocks have no width, and leases draw neither firm nor idle power."""
    starts_s = asked.outlook.starts_s
    pue = pue_of(model, asked.outlook.temp_c)
    cooling = {each.name: i for i, each in enumerate(model.site.coolings)}
    for row, use in enumerate(model.uses):
        if use.kind is UseKind.MINING:
            terms.use_max_mw[row, ~in_service(model.site.miners[use.load], starts_s)] = 0.0
        elif use.kind is UseKind.LEASE:
            terms.use_max_mw[row, ~in_service(model.site.leases[use.load], starts_s)] = 0.0
    for lease in model.site.leases:
        base_it_mw = lease.it_mw if lease.firmness is Firmness.FIRM else lease.idle_ratio * lease.it_mw
        away = ~in_service(lease, starts_s)
        terms.firm_mw[away] -= base_it_mw * pue[cooling[lease.cooling], away]
