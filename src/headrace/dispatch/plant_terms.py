"""What electrical plant changes in a dispatch problem: the import in force, what feeders carry, what fuel costs.

    import limit    min(connection, transformers in service, firm + non-firm power granted)
    feeder f        Σ over loads behind f ≤ limit_f (0 while it is out)

A feeder's limit needs no row of its own. In one step, uses compete for one total only (balance, import, battery see
Σ xᵢ, never who takes it), so among the uses behind a feeder with a given sum X the best share-out fills the worthiest
first. Hence some optimum fills every feeder in order of worth, and there use i gets at most

    x̄′ᵢ = min(x̄ᵢ, max(0, C_f − Σ of x̄ⱼ over better j behind f)),      C_f = limit_f − firm load behind f

Conversely any x ≤ x̄′ obeys the feeder: Σ x̄′ᵢ ≤ C_f. So the problem with widths x̄′ has the same optimum as the one with
rows Σ xᵢ ≤ C_f, and for the same reason the same worth of power at the bus, hence the same bid and ask. Widths, worths
and firm load are at the bus and taken step by step, so PUE and worths may move as they like; a tie is broken by
position, which costs nothing. Feeders partition the loads, which is all the argument needs: each use meets one cap.

Firm load above a feeder's limit can't be served: it is shed on that feeder, each load behind it in proportion.
"""

import numpy as np
from numpy.typing import NDArray

from headrace.dispatch.asked import Asked
from headrace.dispatch.assemble import pue_of
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.owner_terms import shell_mw
from headrace.dispatch.service_terms import in_service
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel
from headrace.energy import Series
from headrace.energy.plant import NonFirm, Outage, Plant, Unit, secure_mw
from headrace.loads import Firmness

__all__ = ["GJ_PER_MMBTU", "export_in_force", "fuel_prices", "import_in_force", "plant_terms", "source_row"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GJ_PER_MMBTU = 1.05505585
"""GJ in one million British thermal units (International Table)."""

FAR_S = 2**62
"""End of what has no known end, epoch seconds."""


def plant_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Lower limits to what plant in service carries, and price fuel."""
    site = model.site
    plant = site.plant
    assert plant is not None
    connection_mw = np.full(len(asked.outlook.starts_s), site.connection.import_max_mw)
    terms.import_max_mw[:] = np.minimum(terms.import_max_mw, import_in_force(plant, asked, connection_mw))
    terms.export_max_mw[:] = export_in_force(plant, asked, terms.export_max_mw)
    for outage in plant.outages:
        for j, generator in enumerate(site.generators):
            if generator.name == outage.element:
                terms.source_max_mw[j, _out(outage, asked)] = 0.0
    fuel = fuel_prices(model, asked.inputs, asked.now_s, asked.outlook.starts_s)
    for unit, price in zip(plant.units, fuel, strict=True):
        terms.source_adder_ccy_per_mwh[source_row(model, unit)] += unit.fuel_gj_per_mwh * price
    if plant.feeders:
        _feeders(terms, model, plant, asked)


def import_in_force(plant: Plant, asked: Asked, connection_mw: Floats) -> Floats:
    """Import limit on the outlook's steps: as known when asked, or as it came; MW, shape (T,)."""
    limit_mw = connection_mw
    if plant.transformers:
        limit_mw = np.minimum(limit_mw, _transformers_mw(plant, asked))
    if plant.non_firm is not None:
        limit_mw = np.minimum(limit_mw, _granted_mw(plant.non_firm, asked, connection_mw))
    return limit_mw


def export_in_force(plant: Plant, asked: Asked, connection_mw: Floats) -> Floats:
    """Export limit on the outlook's steps: what transformers carry one way they carry the other; MW, shape (T,)."""
    return np.minimum(connection_mw, _transformers_mw(plant, asked)) if plant.transformers else connection_mw


def source_row(model: SiteModel, unit: Unit) -> int:
    """Position of a unit among the site's generators."""
    return model.source_names.index(unit.generator)


def fuel_prices(model: SiteModel, inputs: Inputs, now_s: int | None, starts_s: NDArray[np.int64]) -> Floats:
    """Price of each unit's fuel: the last one known, or as it came; currency per GJ, shape (U, T)."""
    plant = model.site.plant
    units = () if plant is None else plant.units
    rows = []
    for unit in units:
        price = np.full(len(starts_s), unit.fuel_ccy_per_gj)
        if unit.fuel_price is not None:
            quoted = _quoted(inputs.further[unit.fuel_price], now_s, starts_s)
            price += quoted * (model.site.usd_rate_ratio / GJ_PER_MMBTU)
        rows.append(price)
    return np.array(rows).reshape(len(rows), len(starts_s))


def _quoted(series: Series, now_s: int | None, starts_s: NDArray[np.int64]) -> Floats:
    if now_s is not None:
        newest = series.latest(now_s)
        return np.full(len(starts_s), _first(series) if newest is None else newest.value)
    present = np.flatnonzero(~np.isnan(series.values))
    which = np.searchsorted(series.start_s + present * series.step_s, starts_s, side="right") - 1
    values: Floats = series.values[present[np.maximum(which, 0)]]
    return values


def _first(series: Series) -> float:
    """First price there is: stands in before any is known."""
    return float(series.values[~np.isnan(series.values)][0])


def _out(outage: Outage, asked: Asked) -> Flags:
    """Steps in which an element is out; a forced outage has no end until it is over."""
    if asked.now_s is None or outage.known_s is not None:
        return _within(outage.start_s, outage.end_s, outage.known_s, asked)
    if not outage.start_s <= asked.now_s < outage.end_s:
        return np.zeros(len(asked.outlook.starts_s), np.bool_)
    return _within(outage.start_s, FAR_S, outage.start_s, asked)


def _within(start_s: int, end_s: int, known_s: int | None, asked: Asked) -> Flags:
    """Steps that a period touches, if it is known."""
    starts_s, step_h = asked.outlook.starts_s, asked.outlook.step_h
    if asked.now_s is not None and known_s is not None and known_s > asked.now_s:
        return np.zeros(len(starts_s), np.bool_)
    return (starts_s < end_s) & (starts_s + np.rint(step_h * 3600.0) > start_s)


def _transformers_mw(plant: Plant, asked: Asked) -> Floats:
    in_service = np.ones((len(plant.transformers), len(asked.outlook.starts_s)), np.bool_)
    for i, transformer in enumerate(plant.transformers):
        for outage in plant.outages:
            if outage.element == transformer.name:
                in_service[i] &= ~_out(outage, asked)
    if in_service.all():
        states, which = in_service[:, :1], np.zeros(in_service.shape[1], np.int64)
    else:
        states, which = np.unique(in_service, axis=1, return_inverse=True)
    limit_mw = [
        secure_mw(
            tuple(each.limit_mw for each, runs in zip(plant.transformers, state, strict=True) if runs),
            is_n_minus_1=plant.is_n_minus_1,
        )
        for state in states.T.tolist()
    ]
    return np.array(limit_mw, float)[which.ravel()]


def _granted_mw(non_firm: NonFirm, asked: Asked, connection_mw: Floats) -> Floats:
    """Firm import and what of the rest the network leaves; what it has not said, it grants."""
    rest_mw = connection_mw - non_firm.firm_mw
    granted_mw = rest_mw.copy()
    if non_firm.series is not None:
        series, starts_s = asked.inputs.further[non_firm.series], asked.outlook.starts_s
        share = series.onto(starts_s)
        if asked.now_s is not None:
            share[(starts_s - series.start_s) // series.step_s >= series.known_count(asked.now_s)] = np.nan
        granted_mw *= np.clip(np.nan_to_num(share, nan=1.0), 0.0, 1.0)
    for order in non_firm.orders:
        where = _within(order.start_s, order.end_s, order.known_s, asked)
        granted_mw[where] = np.minimum(granted_mw[where], order.granted_mw)
    return non_firm.firm_mw + granted_mw


def _feeders(terms: Terms, model: SiteModel, plant: Plant, asked: Asked) -> None:
    """Room that each feeder leaves above its firm load, and the share of that load it can serve."""
    steps = len(asked.outlook.starts_s)
    limit_mw = np.array([[each.limit_mw] * steps for each in plant.feeders])
    for f, feeder in enumerate(plant.feeders):
        for outage in plant.outages:
            if outage.element == feeder.name:
                limit_mw[f, _out(outage, asked)] = 0.0
    firm_mw = _firm_mw(model, plant, asked)
    shed_mw = np.maximum(firm_mw - limit_mw, 0.0)
    terms.firm_mw[:] -= shed_mw.sum(axis=0)
    terms.feeder_room_mw[:] = np.maximum(limit_mw - firm_mw, 0.0)
    terms.feeder_firm_mw[:] = firm_mw
    terms.feeder_shed_mw[:] = shed_mw


def _firm_mw(model: SiteModel, plant: Plant, asked: Asked) -> Floats:
    """Power that must be served behind each feeder, shape (F, T)."""
    site = model.site
    pue = pue_of(model, asked.outlook.temp_c)
    cooling = {each.name: i for i, each in enumerate(site.coolings)}
    need_mw: dict[str, Floats] = {}
    for lease in site.leases:
        share = 1.0 if lease.firmness is Firmness.FIRM else lease.idle_ratio
        is_let = in_service(lease, asked.outlook.starts_s)
        need_mw[lease.name] = share * lease.it_mw * pue[cooling[lease.cooling]] * is_let
    for service in site.inference:
        need_mw[service.name] = service.idle_ratio * service.it_max_mw * pue[cooling[service.cooling]]
    if site.tenants:
        need_mw |= dict(zip((each.name for each in site.tenants), shell_mw(site, asked), strict=True))
    nothing = np.zeros(len(asked.outlook.starts_s))
    return np.array([sum((need_mw.get(load, nothing) for load in each.loads), nothing) for each in plant.feeders])
