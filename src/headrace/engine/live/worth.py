"""What a MWh is worth in each load: the order in which machines give way."""

from typing import Final

from headrace.dispatch.uses import SiteModel
from headrace.engine.live.meters import load_of

__all__ = ["worth_of_loads"]

SCHEDULED_CCY_PER_MWH: Final = 1e6
"""Worth of charging that is a schedule and no trade: above every load's, and finite."""


def worth_of_loads(
    model: SiteModel, use_worth_ccy_per_mwh: tuple[float, ...], charge_worth_ccy_per_mwh: float
) -> dict[str, float]:
    """Worth of a MWh in each load: its best block's, as machines of one load are not told apart."""
    worth: dict[str, float] = {}
    for use, value in zip(model.uses, use_worth_ccy_per_mwh, strict=True):
        name = load_of(model.site, use.kind.value, use.load)
        worth[name] = max(value, worth.get(name, value))
    if model.site.battery is not None:
        worth[""] = min(charge_worth_ccy_per_mwh, SCHEDULED_CCY_PER_MWH)
    return worth
