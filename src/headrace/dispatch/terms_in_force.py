"""Which terms are in force: every contract, tariff, plant and sold reserve of the site has its say.

A contributor reads series only through what was known at `Asked.now_s`; where that is None it speaks with hindsight,
for the bound and for what really came.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from headrace.dispatch.asked import Asked
from headrace.dispatch.owner_terms import allowance_terms, hosting_terms, shell_terms
from headrace.dispatch.peak_terms import charge_terms
from headrace.dispatch.plant_terms import plant_terms
from headrace.dispatch.reserve import contribute as reserve_terms
from headrace.dispatch.service_terms import comes_or_goes, service_terms
from headrace.dispatch.site import Site
from headrace.dispatch.supply_terms import changes_import_cost, supply_terms
from headrace.dispatch.terms import Terms, neutral
from headrace.dispatch.uses import SiteModel

__all__ = ["Asked", "terms_in_force"]


Contributor = Callable[[Terms, SiteModel, Asked], None]
"""Writes its part into the terms."""

CONTRIBUTORS: Final[tuple[tuple[Callable[[Site], bool], Contributor], ...]] = (
    (comes_or_goes, service_terms),
    (lambda site: bool(site.tenants), shell_terms),
    (changes_import_cost, supply_terms),
    (lambda site: bool(site.charges), charge_terms),
    (lambda site: bool(site.hosting), hosting_terms),
    (lambda site: bool(site.allowances or site.hosting), allowance_terms),
    (lambda site: site.plant is not None, plant_terms),
    (lambda site: bool(site.reserves), reserve_terms),
)
"""Does a site declare it, and who then contributes; later ones see what earlier ones wrote."""


def terms_in_force(model: SiteModel, asked: Asked) -> Terms | None:
    """Terms on the steps of an outlook; None where the site declares nothing that changes dispatch."""
    speaking = _speaking(model)
    if not speaking:
        return None
    site = model.site
    terms = neutral(
        steps=len(asked.outlook.step_h),
        uses=len(model.uses),
        sources=len(site.generators),
        import_max_mw=site.connection.import_max_mw,
        export_max_mw=site.connection.export_max_mw,
        feeders=0 if site.plant is None else len(site.plant.feeders),
    )
    for contribute in speaking:
        contribute(terms, model, asked)
    return terms


@lru_cache(maxsize=8)
def _speaking(model: SiteModel) -> tuple[Contributor, ...]:
    """Who contributes at a site: the same in every interval."""
    return tuple(contribute for declares, contribute in CONTRIBUTORS if declares(model.site))
