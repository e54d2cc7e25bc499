"""What must fit together in contracts with owners and tenants, and the records made of them."""

from typing import Any

from headrace.adapters.sitefile.errors import Finding, Findings
from headrace.adapters.sitefile.explain import did_you_mean
from headrace.adapters.sitefile.schema import SiteFile
from headrace.loads import Allowance, Firmness, Hosting, PowerPrice, ShellTenant

__all__ = ["build_owners", "owner_findings"]


def build_owners(file: SiteFile) -> dict[str, Any]:
    """Fields of `Site` that hosting, tenants and allowances fill."""
    return {
        "hosting": tuple(Hosting(**each.model_dump()) for each in file.hosting),
        "tenants": tuple(ShellTenant(**each.model_dump()) for each in file.tenant),
        "allowances": tuple(Allowance(**each.model_dump()) for each in file.allowance),
    }


def owner_findings(file: SiteFile) -> Findings:
    """Contracts that contradict each other or themselves."""
    yield from _hosting(file)
    yield from _tenants(file)
    yield from _allowances(file)


def _hosting(file: SiteFile) -> Findings:
    miners = [each.name for each in file.miner]
    hosted: set[str] = set()
    for i, each in enumerate(file.hosting):
        if each.miner not in miners:
            found = f'must name a [[miner]] table, was "{each.miner}"'
            yield Finding(path=("hosting", i, "miner"), found=found, do=did_you_mean(each.miner, miners))
        elif each.miner in hosted:
            found = f'"{each.miner}" has a host contract already'
            do = "Give the machines of each owner a [[miner]] table of their own"
            yield Finding(path=("hosting", i, "miner"), found=found, do=do)
        hosted.add(each.miner)
        if each.guaranteed_uptime_ratio == 0.0 and (each.free_curtailment_h or each.credit_ccy_per_mwh):
            found = "must be above 0 where free hours or a credit are agreed: without a guarantee nothing is owed"
            do = "Give the guaranteed share of the month, or leave free_curtailment_h and the credit out"
            yield Finding(path=("hosting", i, "guaranteed_uptime_ratio"), found=found, do=do)
        if each.power_price is PowerPrice.PASS_THROUGH and each.curtailment_share_ratio:
            found = (
                "has no meaning under pass-through: the owner pays the market's price, so a stop saves the site nothing"
            )
            yield Finding(path=("hosting", i, "curtailment_share_ratio"), found=found, do="Leave it out")


def _tenants(file: SiteFile) -> Findings:
    contracted_mw = sum(each.contracted_mw for each in file.tenant)
    have_mw = file.connection.import_max_mw + sum(each.capacity_mw for each in file.generator)
    if contracted_mw > have_mw:
        yield Finding(
            path=("tenant",),
            found=f"tenants are contracted {contracted_mw:g} MW, connection and generation give {have_mw:g} MW",
            do="Raise the connection or contract less",
        )


def _allowances(file: SiteFile) -> Findings:
    leases = {lease.name: lease for cluster in file.cluster for lease in cluster.lease}
    seen: set[str] = set()
    for i, each in enumerate(file.allowance):
        lease = leases.get(each.load)
        if lease is None:
            found = f'must name a curtailable lease, was "{each.load}"'
            yield Finding(path=("allowance", i, "load"), found=found, do=did_you_mean(each.load, sorted(leases)))
        elif lease.firmness is Firmness.FIRM:
            found = f'"{each.load}" is firm: it is never cut for price, so it needs no allowance'
            yield Finding(
                path=("allowance", i, "load"), found=found, do="Leave the table out, or let it as curtailable"
            )
        if each.load in seen:
            found = f'"{each.load}" has an allowance already'
            yield Finding(path=("allowance", i, "load"), found=found, do="Keep one table per lease")
        seen.add(each.load)
        if each.longest_h > each.monthly_h > 0.0:
            found = f"must not be above monthly_h {each.monthly_h:g}, was {each.longest_h:g}"
            yield Finding(path=("allowance", i, "longest_h"), found=found, do="Correct either")
