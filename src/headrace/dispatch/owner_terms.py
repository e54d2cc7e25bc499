"""What hosting, powered-shell tenants and interruption allowances change in a dispatch problem.

The site dispatches on its own marginal value. Per IT MWh of a hosted machine, with m what mining earns, c the cost of
energy at the bus and PUE the facility power per IT power:

    bill      b = price                         fixed price
              b = c · PUE + fee                 pass-through
    value     v = b + share · max(0, m − b)  +  q · max(0, c · PUE − b)  +  min(λ, credit)

The last two are what running avoids: the owner's share q of what a stop saves, and the use of the month's allowance at
its shadow price λ (`headrace.dispatch.allowance`). Under pass-through without a share v is never below c · PUE: the
site then has no reason to stop, and stops only where the owner's standing order says so (b > m).
"""

from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from headrace.core import from_epoch_s
from headrace.dispatch.allowance import Stock, StockState, shadow_price, shadow_price_of_month
from headrace.dispatch.asked import Asked
from headrace.dispatch.assemble import pue_of
from headrace.dispatch.site import Site
from headrace.dispatch.terms import Terms
from headrace.dispatch.uses import SiteModel, UseKind
from headrace.energy import Series
from headrace.energy.forecast import forecast
from headrace.energy.local_time import by_local_time
from headrace.energy.tariffs import adder_ccy_per_mwh, month_end_s
from headrace.loads import Allowance, Hosting, PowerPrice, ShellTenant

__all__ = ["allowance_terms", "hosting_terms", "rows_of", "shell_mw", "shell_terms", "stocks_of"]

Floats = NDArray[np.float64]

DAY_S: Final = 86_400

TRAILING_S: Final = 60 * DAY_S
"""Prices that a shadow price rests on, back from the decision, seconds."""

MONTH_S: Final = 30 * DAY_S
"""A coming month's length where only its price matters, seconds."""

DRAW_FADE_S: Final = 4 * 3600.0
"""A tenant's deviation from its draw of the day before fades with four hours."""


@lru_cache(maxsize=8)
def stocks_of(model: SiteModel) -> tuple[Stock, ...]:
    """Every allowance of the site: of leases, then of hosting contracts that guarantee anything."""
    site = model.site
    lease = {each.name: i for i, each in enumerate(site.leases)}
    miner = {each.name: i for i, each in enumerate(site.miners)}
    return (
        *(_lease_stock(each, rows_of(model, UseKind.LEASE, lease[each.load])) for each in site.allowances),
        *(
            _hosting_stock(each, rows_of(model, UseKind.MINING, miner[each.miner]))
            for each in site.hosting
            if each.guaranteed_uptime_ratio > 0.0
        ),
    )


def rows_of(model: SiteModel, kind: UseKind, load: int) -> tuple[int, ...]:
    """Blocks of one load."""
    return tuple(i for i, use in enumerate(model.uses) if use.kind is kind and use.load == load)


def _lease_stock(allowance: Allowance, rows: tuple[int, ...]) -> Stock:
    return Stock(
        name=allowance.load,
        rows=rows,
        monthly_h=allowance.monthly_h,
        shortage_ratio=0.0,
        credit_ccy_per_mwh=np.inf,
        longest_s=round(allowance.longest_h * 3600.0),
        between_s=round(allowance.between_h * 3600.0),
    )


def _hosting_stock(contract: Hosting, rows: tuple[int, ...]) -> Stock:
    return Stock(
        name=contract.name,
        rows=rows,
        monthly_h=contract.free_curtailment_h,
        shortage_ratio=1.0 - contract.guaranteed_uptime_ratio,
        credit_ccy_per_mwh=contract.credit_ccy_per_mwh,
        longest_s=0,
        between_s=0,
    )


def hosting_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Value hosted machines by their contract instead of their mining."""
    outlook = asked.outlook
    pue = pue_of(model, outlook.temp_c)
    site = model.site
    # What `settlement.close` passes through: market, the site's adder, dated price adders; no supplier's fee, no peak.
    cost = outlook.price_ccy_per_mwh + site.tariff.import_adder_ccy_per_mwh
    if site.charges:
        cost = cost + adder_ccy_per_mwh(site.charges, outlook.starts_s, outlook.price_ccy_per_mwh, site.time_zone)
    miner = {each.name: i for i, each in enumerate(site.miners)}
    for contract in site.hosting:
        for row in rows_of(model, UseKind.MINING, miner[contract.miner]):
            ratio = pue[model.uses[row].cooling]
            earned = model.kept_hash_phs_per_mw[row, 0] * outlook.hashprice_ccy_per_phs_day / 24.0
            spent = cost * ratio
            is_fixed = contract.power_price is PowerPrice.FIXED
            bill = np.full_like(spent, contract.price_ccy_per_mwh) if is_fixed else spent + contract.price_ccy_per_mwh
            value = bill + contract.profit_share_ratio * np.maximum(earned - bill, 0.0)
            value += contract.curtailment_share_ratio * np.maximum(spent - bill, 0.0)
            terms.use_adder_ccy_per_mwh[row] += (value - earned) / ratio
            if contract.owner_stops_at_loss:
                terms.use_max_mw[row, bill > earned] = 0.0


def shell_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Add the tenants' draw to the firm load."""
    terms.firm_mw[:] += shell_mw(model.site, asked).sum(axis=0)


def shell_mw(site: Site, asked: Asked) -> Floats:
    """Power each tenant asks for on the outlook's steps: expected, or with hindsight what came; shape (S, T)."""
    starts_s = asked.outlook.starts_s
    draw = [each.contracted_mw * _draw_ratio(each, asked, starts_s) for each in site.tenants]
    return np.array(draw).reshape(len(draw), len(starts_s))


def _draw_ratio(tenant: ShellTenant, asked: Asked, starts_s: NDArray[np.int64]) -> Floats:
    if tenant.profile is None:
        return np.ones(len(starts_s))
    series = asked.inputs.profiles[tenant.profile]
    if asked.now_s is None:
        return _held(series, starts_s)
    ahead = forecast(starts_s, asked.now_s, base=series, live=series, fade_s=DRAW_FADE_S, lag_days_min=1)
    return np.clip(np.nan_to_num(ahead, nan=1.0), 0.0, 1.0)


def _held(series: Series, starts_s: NDArray[np.int64]) -> Floats:
    """What came, a missing value repeating the one before; full draw before the first."""
    values = np.clip(series.onto(starts_s), 0.0, 1.0)
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(last >= 0, values[np.maximum(last, 0)], 1.0)


def allowance_terms(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """Keep every load within its allowance, and let what is left of it have its price."""
    if asked.now_s is None:
        _with_hindsight(terms, model, asked)
        return
    starts_s = asked.outlook.starts_s
    month_end_s = asked.month_end_s
    assert month_end_s is not None
    pue = pue_of(model, asked.outlook.temp_c)
    for stock, state in zip(stocks_of(model), asked.stocks, strict=True):
        left_s = stock.allowed_s(_month_s(asked.now_s, model.site.time_zone)) - state.used_s
        this_month = starts_s < month_end_s
        if not asked.by_hand:
            _price(terms, model, asked, stock, left_s / max(1, month_end_s - asked.now_s), pue, this_month)
            _price(terms, model, asked, stock, stock.allowed_s(MONTH_S) / MONTH_S, pue, ~this_month)
        if np.isinf(stock.credit_ccy_per_mwh):
            if left_s < model.site.control_step_s:
                _stays(terms, stock, this_month)
            _stays(terms, stock, _resting(stock, state, asked.now_s, starts_s))
        elif left_s < model.site.control_step_s:
            _add(terms, model, stock, stock.credit_ccy_per_mwh, pue, this_month)


def _price(
    terms: Terms,
    model: SiteModel,
    asked: Asked,
    stock: Stock,
    left_ratio: float,
    pue: Floats,
    where: NDArray[np.bool_],
) -> None:
    """Add the shadow price of a stock, from trailing prices, to its blocks on some steps."""
    if not where.any() or left_ratio <= 0.0:
        return
    assert asked.now_s is not None
    cost = _recent_prices(asked.inputs.real_time, asked.now_s // DAY_S) + model.site.tariff.import_adder_ccy_per_mwh
    price = shadow_price(
        cost,
        _worth_at_bus(terms, model, asked, stock, pue)[:, 0],
        _share(model, stock),
        left_ratio,
        most_ccy_per_mwh=stock.credit_ccy_per_mwh / float(pue[model.uses[stock.rows[0]].cooling, 0]),
    )
    for row in stock.rows:
        terms.use_adder_ccy_per_mwh[row, where] += price


@lru_cache(maxsize=4)
def _recent_prices(live: Series, day: int) -> Floats:
    """Prices of the trailing days known when a UTC day began, rising."""
    count = live.known_count(day * DAY_S)
    recent = live.values[max(0, count - TRAILING_S // live.step_s) : count]
    return np.sort(recent[~np.isnan(recent)])


def _worth_at_bus(terms: Terms, model: SiteModel, asked: Asked, stock: Stock, pue: Floats) -> Floats:
    """Worth of the stock's blocks before the allowance has its price, shape (I, T)."""
    rows = list(stock.rows)
    earned = model.kept_hash_phs_per_mw[rows] * (asked.outlook.hashprice_ccy_per_phs_day / 24.0)
    worth: Floats = (model.value_ccy_per_mwh[rows] + earned) / pue[model.cooling[rows]]
    return worth + terms.use_adder_ccy_per_mwh[rows]


def _share(model: SiteModel, stock: Stock) -> Floats:
    width = model.it_max_mw[list(stock.rows), 0]
    share: Floats = width / width.sum()
    return share


def _add(
    terms: Terms, model: SiteModel, stock: Stock, ccy_per_it_mwh: float, pue: Floats, where: NDArray[np.bool_]
) -> None:
    for row in stock.rows:
        terms.use_adder_ccy_per_mwh[row, where] += ccy_per_it_mwh / pue[model.uses[row].cooling, where]


def _stays(terms: Terms, stock: Stock, where: NDArray[np.bool_]) -> None:
    for row in stock.rows:
        terms.use_min_mw[row, where] = np.inf


def _resting(stock: Stock, state: StockState, now_s: int, starts_s: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Steps in which the load must be at work: after the longest interruption, and between two."""
    if state.since_s == 0:
        return np.zeros(len(starts_s), np.bool_)
    if not state.is_cut:
        return starts_s < state.since_s + stock.between_s
    if stock.longest_s == 0:
        return np.zeros(len(starts_s), np.bool_)
    back_s = max(now_s, state.since_s + stock.longest_s)
    return (starts_s >= back_s) & (starts_s < back_s + max(stock.between_s, 1))


def _with_hindsight(terms: Terms, model: SiteModel, asked: Asked) -> None:
    """The bound's price of each month's stock, from the prices that came; `longest` and `between` are relaxed."""
    starts_s, outlook = asked.outlook.starts_s, asked.outlook
    pue = pue_of(model, outlook.temp_c)
    month = by_local_time(starts_s, model.site.time_zone, _month_of)
    cost = outlook.price_ccy_per_mwh + model.site.tariff.import_adder_ccy_per_mwh + terms.import_adder_ccy_per_mwh
    for stock in stocks_of(model):
        worth = _worth_at_bus(terms, model, asked, stock, pue)
        for each in np.unique(month):
            where = month == each
            inside_s = int(where.sum()) * model.site.control_step_s
            price = shadow_price_of_month(
                (cost - worth)[:, where],
                _share(model, stock),
                stock.allowed_s(_month_s(int(starts_s[where][0]), model.site.time_zone)) / inside_s,
                most_ccy_per_mwh=stock.credit_ccy_per_mwh / float(pue[model.uses[stock.rows[0]].cooling, where].mean()),
            )
            for row in stock.rows:
                terms.use_adder_ccy_per_mwh[row, where] += price


def _month_of(at: datetime) -> int:
    """Local months since year 0."""
    return at.year * 12 + at.month - 1


def _month_s(at_s: int, zone: str) -> int:
    """Length of the local month that holds an instant, seconds."""
    tz = ZoneInfo(zone)
    month = _month_of(from_epoch_s(at_s).astimezone(tz))
    return month_end_s(month, tz) - month_end_s(month - 1, tz)
