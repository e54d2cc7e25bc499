"""What supply contracts change in the marginal cost of import: fees per MWh, and a block that can't be sold back.

Every other contract settles on its own volume, whatever is metered, and so changes nothing here. A charge for
imbalance or for volume not taken has a marginal cost that depends on the rest of the interval or month: dispatch
doesn't see it, and the site's notes say so.
"""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.asked import Asked
from headrace.dispatch.site import Site
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel
from headrace.energy import FixedPrice, SupplyFees

__all__ = ["changes_import_cost", "supply_adder_ccy_per_mwh", "supply_terms"]


def changes_import_cost(site: Site) -> bool:
    """Does any contract of the site."""
    return any(
        isinstance(each, SupplyFees) or (isinstance(each, FixedPrice) and not each.sells_back)
        for each in site.contracts
    )


def supply_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Add fees to the cost of import, and take the market price off while a block without sell-back covers it all.

    Such a block is flat, as large as the connection, and stands at a site that does not export: the door refuses any
    other, because import would then have two marginal costs in one interval.
    """
    outlook = asked.outlook
    terms.import_adder_ccy_per_mwh[:] += supply_adder_ccy_per_mwh(
        model.site, outlook.starts_s, outlook.price_ccy_per_mwh
    )


def supply_adder_ccy_per_mwh(
    site: Site, starts_s: NDArray[np.int64], price_ccy_per_mwh: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What contracts add to the cost of import on steps that begin at these instants, at this market price."""
    adder = np.zeros(len(starts_s))
    is_covered = np.zeros(len(starts_s), np.bool_)
    for each in site.contracts:
        in_force = (starts_s >= each.start_s) & (starts_s < each.end_s)
        if isinstance(each, SupplyFees):
            adder[in_force] += each.fee_ccy_per_mwh
        elif isinstance(each, FixedPrice) and not each.sells_back:
            is_covered |= in_force
    adder[is_covered] -= price_ccy_per_mwh[is_covered]
    return adder
