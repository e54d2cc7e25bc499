"""Every number of the board's page, computed once from a replay: what the page draws and `--json` prints."""

import math
from typing import Any

import msgspec

from headrace.core import iso
from headrace.engine.results import LINES, DataGap, ReplayResult
from headrace.interfaces.moments import ChosenMoment, chosen_moments
from headrace.interfaces.report.books import BookRow, trial_balance
from headrace.interfaces.report.margins import (
    DayFigures,
    PolicyFigures,
    SensitivityFigures,
    baseline_run,
    best_and_worst_day,
    best_hours,
    headline_run,
    policy_figures,
    sensitivity_figures,
)
from headrace.interfaces.report.operations import OperationFigure, operation_figures
from headrace.interfaces.report.peaks import PeakMemo, peak_memo
from headrace.interfaces.wording import LINE_NAMES, money, policy_name, share

__all__ = ["BoardFigures", "WaterfallStep", "board_figures", "board_json"]


class WaterfallStep(msgspec.Struct, frozen=True, kw_only=True):
    """One source of margin."""

    line: str
    """Statement line, or stored_change."""
    name: str
    """The same in words."""
    headline_ccy: float
    """Headline policy's sum."""
    over_desk_ccy: float
    """The same less the desk's."""


class BoardFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the board reads."""

    site: str
    """Name of the site."""
    currency: str
    """Currency of every amount."""
    settlement_point: str
    """Market and point whose price the site pays."""
    start: str
    """Start of the window, ISO, UTC."""
    end: str
    """End of the window, likewise."""
    days: float
    """Length of the window, days."""
    headline: str
    """Label of the policy the headline speaks of."""
    sentence: str
    """The headline in words, with the baseline named."""
    caveats: tuple[str, ...]
    """What belongs beside the headline: hub price, missing components, substitutes."""
    policies: tuple[PolicyFigures, ...]
    """Headline policies."""
    best_hours: tuple[str, ...]
    """Starts (UTC) of the best 20 hours that are taken out."""
    sensitivities: tuple[SensitivityFigures, ...]
    """Labelled runs beside the headline."""
    waterfall: tuple[WaterfallStep, ...]
    """Sources of margin, in statement order."""
    moments: tuple[ChosenMoment, ...]
    """Ladders worth looking at."""
    best_and_worst_day: tuple[DayFigures, ...]
    """Best day, then worst, against the desk; empty for a window without settlements."""
    books: tuple[BookRow, ...]
    """Trial balance of the headline policy."""
    operations: tuple[OperationFigure, ...]
    """Operational figures of the headline policy."""
    coincident_peaks: tuple[PeakMemo, ...]
    """Alarms and peaks of each headline policy, a memo; empty without coincident peaks."""
    gaps: tuple[DataGap, ...]
    """Missing input data and what stood in for it."""
    sources: dict[str, str]
    """Feed role to source line."""
    meta: dict[str, Any]
    """Digests and versions that reproduce it."""


def board_figures(result: ReplayResult) -> BoardFigures:
    """Compute the page's figures.

    Parameters
    ----------
    result
        A replay with at least one headline run.
    """
    site, headline = result.site, headline_run(result)
    policies = policy_figures(result)
    return BoardFigures(
        site=site.name,
        currency=site.currency.value,
        settlement_point=f"{site.market.name} {site.market.settlement_point}",
        start=iso(result.window.start_s),
        end=iso(result.window.end_s),
        days=(result.window.end_s - result.window.start_s) / 86400.0,
        headline=headline.label,
        sentence=_sentence(result, policies),
        caveats=_caveats(result),
        policies=policies,
        best_hours=tuple(f"{hour:%Y-%m-%dT%H:%MZ}" for hour in best_hours(result)),
        sensitivities=sensitivity_figures(result),
        waterfall=_waterfall(result),
        moments=chosen_moments(site, headline),
        best_and_worst_day=best_and_worst_day(result),
        books=trial_balance(headline),
        operations=operation_figures(site, headline),
        coincident_peaks=tuple(
            memo for run in result.runs if run.is_headline and (memo := peak_memo(site, run)) is not None
        ),
        gaps=result.gaps,
        sources=result.sources,
        meta=result.meta,
    )


def board_json(result: ReplayResult) -> dict[str, Any]:
    """Figures as plain JSON values; a number without a finite value (no ask) becomes None."""
    return {key: _finite(value) for key, value in msgspec.to_builtins(board_figures(result)).items()}


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _sentence(result: ReplayResult, policies: tuple[PolicyFigures, ...]) -> str:
    headline, baseline, currency = headline_run(result), baseline_run(result), result.site.currency.value
    figures = next(p for p in policies if p.label == headline.label)
    name, market = policy_name(headline), result.site.market
    if market.is_hub:
        name = f"At the price of the hub {market.settlement_point}, which no load can settle at, {name.lower()}"
    earned = f"{name} earned {money(headline.margin_ccy, currency)}"
    if headline is baseline:
        return f"{earned}; no other policy was replayed to compare it with."
    over = figures.over_desk_ccy
    direction = "more" if over >= 0.0 else "less"
    part = f" ({share(abs(over) / baseline.margin_ccy)})" if baseline.margin_ccy > 0.0 else ""
    told = f"{earned}, {money(abs(over), currency)}{part} {direction} than the {policy_name(baseline).lower()}"
    if figures.share_of_gain_ratio is None:
        return f"{told} on the same assets."
    return (
        f"{told} on the same assets: {share(figures.share_of_gain_ratio)} of the gain over always-on that perfect "
        f"foresight would have had, {share(figures.share_of_margin_ratio)} of its margin."
    )


def _caveats(result: ReplayResult) -> tuple[str, ...]:
    market = result.site.market
    caveats = list(result.notes)
    if market.is_hub and not any("trading hub" in note for note in caveats):
        caveats.insert(0, f"{market.settlement_point} is a trading hub: no load can settle at its price.")
    if result.gaps:
        missing = sum(gap.intervals for gap in result.gaps)
        caveats.append(f"{missing:,} input intervals are missing and stand on the substitutes listed below.")
    return tuple(caveats)


def _waterfall(result: ReplayResult) -> tuple[WaterfallStep, ...]:
    headline, baseline = headline_run(result), baseline_run(result)
    pairs = [(line, headline.lines_ccy.get(line, 0.0), baseline.lines_ccy.get(line, 0.0)) for line in LINES]
    pairs.append(("stored_change", headline.stored_change_ccy, baseline.stored_change_ccy))
    return tuple(
        WaterfallStep(line=line, name=LINE_NAMES[line], headline_ccy=ours, over_desk_ccy=ours - desk)
        for line, ours, desk in pairs
        if ours or desk
    )
