"""What must fit together in reserves, and the records made of them."""

from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.lines import KeyPath
from headrace.adapters.sitefile.reserve_products import reserve_products
from headrace.adapters.sitefile.schema import SiteFile
from headrace.adapters.sitefile.schema_reserves import ReserveSection
from headrace.energy.reserves import Direction, Reserve, simulated_role
from headrace.loads import Firmness

__all__ = ["build_reserves", "reserve_findings", "reserve_roles", "reserve_units"]


def build_reserves(file: SiteFile) -> tuple[Reserve, ...]:
    """Reserves of a file that has passed every check."""
    return tuple(
        Reserve(
            name=each.name,
            products=reserve_products()[each.product],
            loads=each.loads,
            has_battery=each.battery,
            qualified_mw=each.qualified_mw,
            price=each.price,
            calls=simulated_role(each.name) if each.simulated_calls else each.calls,
            desk_mw=each.desk_mw,
            desk_hours_local=each.desk_hours_local,
        )
        for each in file.reserve
    )


def reserve_findings(file: SiteFile) -> Findings:
    """Reserves that contradict each other, the site or their product."""
    seen: dict[str, str] = {}
    products: dict[str, str] = {}
    for i, each in enumerate(file.reserve):
        path: KeyPath = ("reserve", i)
        if each.name in seen:
            yield Finding(path=(*path, "name"), found=f'is taken: "{each.name}"', do="Choose another name")
        seen[each.name] = each.product
        if each.product in products:
            found = f'"{each.product}" is already sold as "{products[each.product]}"'
            yield Finding(path=(*path, "product"), found=found, do="Put everything that may carry it in one table")
        products[each.product] = each.name
        yield from _carriers(file, each, path)
        yield from _quantities(each, path)
        if each.product not in reserve_products():
            found = f'is not in the built-in catalogue: "{each.product}"'
            yield Finding(path=(*path, "product"), found=found, do=did_you_mean(each.product, reserve_products()))
        else:
            yield from _product(each, path)


def reserve_roles(file: SiteFile) -> dict[str, tuple[KeyPath, str]]:
    """Roles that reserves can't do without: the key that asks for each, and what it is."""
    asked: dict[str, tuple[KeyPath, str]] = {}
    for i, each in enumerate(file.reserve):
        asked[each.price] = (("reserve", i, "price"), "clearing price per MW and hour")
        if each.calls is not None:
            asked[each.calls] = (("reserve", i, "calls"), "share called, 0..1")
    return asked


def reserve_units(file: SiteFile) -> dict[str, str]:
    """Unit of each of those roles."""
    units = {each.price: f"{file.site.currency.lower()}_per_mw_h" for each in file.reserve}
    return units | {each.calls: "ratio" for each in file.reserve if each.calls is not None}


def _carriers(file: SiteFile, each: ReserveSection, path: KeyPath) -> Findings:
    leases = {lease.name: lease.firmness for cluster in file.cluster for lease in cluster.lease}
    known = [miner.name for miner in file.miner] + [n for n, f in leases.items() if f is Firmness.CURTAILABLE]
    for name in each.loads:
        if leases.get(name) is Firmness.FIRM:
            found = f'"{name}" is a firm lease, which nothing may cut but an emergency'
            yield Finding(path=(*path, "loads"), found=found, do="Name miners and curtailable leases only")
        elif name not in known:
            found = f'must name a miner or a curtailable lease, was "{name}"'
            yield Finding(path=(*path, "loads"), found=found, do=did_you_mean(name, known))
        elif name in {host.miner for host in file.hosting if host.owner_stops_at_loss}:
            found = f'"{name}" stops whenever its owner loses money, so what it carries is not sure to be there'
            yield Finding(path=(*path, "loads"), found=found, do="Leave it out, or agree that it runs while sold")
        elif name in {allowance.load for allowance in file.allowance}:
            found = f'"{name}" has an [[allowance]], which a call could exceed'
            yield Finding(path=(*path, "loads"), found=found, do="Leave it out, or its allowance")
    if len(set(each.loads)) < len(each.loads):
        yield Finding(path=(*path, "loads"), found="names a load twice", do="Name each once")
    if each.battery and file.battery is None:
        yield Finding(path=(*path, "battery"), found="the site has no battery", do="Add a [battery] table")
    if not each.loads and not each.battery:
        yield Finding(path=path, found="nothing carries it", do="Name `loads`, or set battery = true")


def _quantities(each: ReserveSection, path: KeyPath) -> Findings:
    if each.desk_mw > each.qualified_mw:
        found = f"must be at most qualified_mw {each.qualified_mw:g}, was {each.desk_mw:g}"
        yield Finding(path=(*path, "desk_mw"), found=found, do="Correct either")
    if (each.desk_mw > 0.0) != bool(each.desk_hours_local):
        found = "desk_mw and desk_hours_local must both be given, or neither"
        yield Finding(path=(*path, "desk_mw"), found=found, do="Give the other, or leave both out")
    if each.simulated_calls and each.calls is not None:
        found = "calls are both recorded and simulated"
        yield Finding(path=(*path, "simulated_calls"), found=found, do="Choose one")


def _product(each: ReserveSection, path: KeyPath) -> Findings:
    product = reserve_products()[each.product][0]
    if each.response_s > product.response_s:
        found = f"must be at most {product.response_s:g} for {each.product}, was {each.response_s:g}"
        yield Finding(path=(*path, "response_s"), found=found, do="Leave out the slow carriers, or the product")
    if product.direction is Direction.DOWN:
        found = f"{each.product} is a downward reserve, which Headrace does not sell yet"
        yield Finding(path=(*path, "product"), found=found, do="Leave it out")
    if each.qualified_mw < product.quantity_min_mw:
        found = f"must be at least {product.quantity_min_mw:g}, the product's least award, was {each.qualified_mw:g}"
        yield Finding(path=(*path, "qualified_mw"), found=found, do="Qualify more, or leave the product out")
