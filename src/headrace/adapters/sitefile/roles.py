"""Which series a site needs, in which unit, and whether `[feeds]` declares them."""

import difflib
from typing import Final

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.sitefile.contracts import contract_roles
from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.plant import plant_roles, plant_units
from headrace.adapters.sitefile.reserves import reserve_roles, reserve_units
from headrace.adapters.sitefile.schema import ROLES, SiteFile
from headrace.adapters.sitefile.tariffs import charge_roles, charge_units

__all__ = ["feed_findings"]

PRICES: Final = ("real_time", "hub_real_time")
"""Roles that a settlement interval is billed at."""


def feed_findings(file: SiteFile) -> Findings:
    """Roles without a series, series without a role, and series in another unit than their role's."""
    for role, (path, why) in _asked_roles(file).items():
        if role not in file.feeds:
            yield Finding(path=path, found=f"role {role} is not declared in [feeds]", do=f'Add {role} = "..." ({why})')
    units = _units(file)
    for role, declared in file.feeds.items():
        path = ("feeds", role)
        declaration = catalogue().get(declared) if isinstance(declared, str) else declared
        if role not in units:
            yield Finding(path=path, found="no part of the site uses this role", do=did_you_mean(role, sorted(units)))
        elif declaration is None:
            found = f'must name a series of the catalogue, was "{declared}"'
            close = difflib.get_close_matches(str(declared), catalogue(), n=1)
            yield Finding(path=path, found=found, do=f"Did you mean {close[0]}?" if close else "Or declare the series")
        elif declaration.unit != units[role]:
            found = f"must be a series in {units[role]}, was in {declaration.unit}"
            yield Finding(path=path, found=found, do="Name another series, or declare one with `scale` and `unit`")
        elif role in PRICES and declaration.step_min < file.market.settlement_step_min:
            found = f"has a price every {declaration.step_min:g} min, inside one settlement interval"
            yield Finding(path=path, found=found, do="An interval is billed at one price: lower settlement_step_min")


def _units(file: SiteFile) -> dict[str, str]:
    """Unit of the series of each role: the site's own currency for its prices, dollars for bitcoin."""
    price = f"{file.site.currency.lower()}_per_mwh"
    units = dict(zip(ROLES, (price, price, "c", "usd", "ratio", "btc", "kg_per_mwh", price, price), strict=True))
    units |= {each.profile: "ratio" for each in file.generator if each.profile is not None}
    units |= {each.profile: "ratio" for each in file.ppa}
    units |= {each.profile: "ratio" for each in file.tenant if each.profile is not None}
    units |= {each.demand: "per_s" for each in file.inference}
    units |= reserve_units(file)
    units |= plant_units(file)
    units |= charge_units(file)
    return units


def _asked_roles(file: SiteFile) -> dict[str, tuple[KeyPath, str]]:
    """Each role that the site can't run without: the key that asks for it, and what it is."""
    asked: dict[str, tuple[KeyPath, str]] = {"real_time": (("feeds",), "the price the site settles at")}
    if file.miner:
        asked["bitcoin_price"] = (("feeds",), "miners need it")
        asked["difficulty"] = (("feeds",), "miners need it")
        asked["block_reward"] = (("feeds",), "miners need it")
    if any(len({pue_ratio for _, pue_ratio in plant.pue}) > 1 for plant in file.cooling):
        asked["temperature"] = (("feeds",), "PUE depends on it")
    for i, generator in enumerate(file.generator):
        if generator.profile is not None:
            asked[generator.profile] = (("generator", i, "profile"), "capacity factor, 0..1")
    for i, ppa in enumerate(file.ppa):
        asked[ppa.profile] = (("ppa", i, "profile"), "capacity factor, 0..1")
    for i, tenant in enumerate(file.tenant):
        if tenant.profile is not None:
            asked[tenant.profile] = (("tenant", i, "profile"), "share of the contracted power, 0..1")
    for i, service in enumerate(file.inference):
        asked[service.demand] = (("inference", i, "demand"), "requests per second")
    asked |= reserve_roles(file)
    asked |= plant_roles(file)
    asked |= charge_roles(file)
    asked |= contract_roles(file)
    return asked
