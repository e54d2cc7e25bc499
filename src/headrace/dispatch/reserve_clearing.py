"""The market's answer to an offer curve, for a price taker: sold where the published price covers the offer.

In each hour every megawatt goes to the product that pays most over its offer, as linked offers are cleared together;
nothing is sold twice. Limits: each carrier's quantity, the qualified quantity of each reserve, what the connection is
sure to carry, the battery's energy, the product's least quantity, and which products may be held side by side.
"""

from itertools import groupby

import msgspec

from headrace.dispatch.inputs import Inputs
from headrace.dispatch.policies.proposal import Sight
from headrace.dispatch.reserve import BATTERY, Award, Offer, ReserveBook, carriers, energy_kept_mwh
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.plant import secure_mw
from headrace.energy.reserves import product_at

__all__ = ["answered", "clear", "load_most_mw"]


def answered(model: SiteModel, sight: Sight, book: ReserveBook) -> ReserveBook:
    """The book after the market's answer; the same book while no price of an offered hour is published.

    Once the first hour's price is out the whole day's is: hours without one by then were not cleared and lapse.
    """
    prices = {r: _published(model, sight.inputs, r, sight.now_s) for r in {offer.reserve for offer in book.offers}}
    if not any(offer.start_s < prices[offer.reserve][0] for offer in book.offers):
        return book
    cleared: list[Award] = []
    for _, hour in groupby(sorted(book.offers, key=lambda offer: offer.start_s), key=lambda offer: offer.start_s):
        taken: list[Offer] = []
        price: list[float] = []
        for offer in hour:
            until_s, series = prices[offer.reserve]
            at_ccy = series.at(offer.start_s) if offer.start_s < until_s else float("nan")
            if at_ccy >= offer.price_ccy_per_mw_h:
                taken.append(offer)
                price.append(at_ccy)
        cleared += clear(model, taken, price)
    running = [award for award in book.awards if award.start_s + 3600 > sight.now_s]
    return msgspec.structs.replace(book, offers=(), awards=(*running, *cleared))


def clear(model: SiteModel, offers: list[Offer], price_ccy_per_mw_h: list[float]) -> list[Award]:
    """Clear one hour's offers, each with a published price that covers it."""
    paid = list(zip(offers, price_ccy_per_mw_h, strict=True))
    site = model.site
    left_mw = {offer.carrier: 0.0 for offer, _ in paid}
    for offer, _ in paid:
        left_mw[offer.carrier] = max(left_mw[offer.carrier], offer.mw)
    qualified_mw = [reserve.qualified_mw for reserve in site.reserves]
    loads_mw = load_most_mw(model)
    battery = site.battery
    energy_mwh = 0.0 if battery is None else battery.stored_max_mwh - battery.stored_min_mwh
    awards: list[Award] = []
    # Of equal surplus the cheaper offer first: a miner's best machines before its worst.
    for offer, price in sorted(
        paid, key=lambda pair: (pair[0].price_ccy_per_mw_h - pair[1], pair[0].price_ccy_per_mw_h)
    ):
        award = Award(
            start_s=offer.start_s,
            reserve=offer.reserve,
            carrier=offer.carrier,
            mw=min(left_mw[offer.carrier], offer.mw, qualified_mw[offer.reserve]),
            price_ccy_per_mw_h=price,
        )
        if not _stacks(model, award, awards):
            continue
        if offer.carrier == BATTERY:
            needs_mwh = energy_kept_mwh(site, award)
            award = msgspec.structs.replace(award, mw=award.mw * min(1.0, energy_mwh / max(needs_mwh, energy_mwh)))
            energy_mwh -= min(needs_mwh, energy_mwh)
        else:
            award = msgspec.structs.replace(award, mw=min(award.mw, loads_mw))
            loads_mw -= award.mw
        if award.mw <= 0.0:
            continue
        left_mw[offer.carrier] -= award.mw
        qualified_mw[offer.reserve] -= award.mw
        awards.append(award)
    return _large_enough(model, awards)


def load_most_mw(model: SiteModel) -> float:
    """Load that is sure to fit under the connection beside all that must and may run, each at its worst PUE."""
    site = model.site
    worst = [max(cooling.pue_ratio) for cooling in site.coolings]
    carry = {i for r in range(len(site.reserves)) for i in carriers(model, r)}
    firm_mw: float = sum(it_mw * ratio for it_mw, ratio in zip(model.firm_it_mw.tolist(), worst, strict=True))
    firm_mw += sum(tenant.contracted_mw for tenant in site.tenants)
    beside_mw = sum(use.it_max_mw * worst[use.cooling] for i, use in enumerate(model.uses) if i not in carry)
    import_max_mw = site.connection.import_max_mw
    if site.plant is not None and site.plant.transformers:
        in_service_mw = tuple(each.limit_mw for each in site.plant.transformers)
        import_max_mw = min(import_max_mw, secure_mw(in_service_mw, is_n_minus_1=site.plant.is_n_minus_1))
    return max(0.0, import_max_mw - firm_mw - beside_mw)


def _published(model: SiteModel, inputs: Inputs, reserve: int, now_s: int) -> tuple[int, Series]:
    """Until when a reserve's price is published, epoch seconds, and the price."""
    series = inputs.further[model.site.reserves[reserve].price]
    return series.start_s + series.known_count(now_s) * series.step_s, series


def _stacks(model: SiteModel, award: Award, awards: list[Award]) -> bool:
    """May this product be held beside those already sold in the hour?"""
    held = {other.reserve for other in awards} - {award.reserve}
    own = product_at(model.site.reserves[award.reserve], award.start_s)
    others = [product_at(model.site.reserves[r], award.start_s) for r in held]
    return own is not None and all(other is not None and other.name in own.stacks_with for other in others)


def _large_enough(model: SiteModel, awards: list[Award]) -> list[Award]:
    """Awards of reserves that reach their product's least quantity in the hour."""
    total_mw: dict[int, float] = {}
    for award in awards:
        total_mw[award.reserve] = total_mw.get(award.reserve, 0.0) + award.mw
    products = {award.reserve: product_at(model.site.reserves[award.reserve], award.start_s) for award in awards}
    return [
        award
        for award in awards
        if (product := products[award.reserve]) is not None and total_mw[award.reserve] >= product.quantity_min_mw
    ]
