"""A recorded period run through the cycle, once per policy, on the same assets and the same world."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from headrace.core import BadInput
from headrace.dispatch.allowance import StockState
from headrace.dispatch.inputs import Inputs
from headrace.dispatch.owner_terms import stocks_of
from headrace.dispatch.policies import Policy, Sight
from headrace.dispatch.uses import SiteModel
from headrace.energy.plant import UnitState
from headrace.energy.tariffs import MonthlyPeak
from headrace.engine.cycle import CycleRecord, Devices, State, step
from headrace.engine.job_book import JobBook
from headrace.engine.journal import JournalHeader, JournalWriter, recover
from headrace.engine.truth import Truth
from headrace.loads.jobs import Job, JobState
from headrace.settlement import rates_of
from headrace.settlement.jobs import job_rates

__all__ = ["MakeDevices", "Tick", "run_policy"]

Tick = Callable[[int, int], None]
"""Called now and then with (cycles done, cycles in all)."""

MakeDevices = Callable[[float, Mapping[int, JobState]], Devices]
"""Makes the site's devices with this much energy in store, MWh, and these batch jobs under way, by position."""

TICK_EVERY: Final = 288
"""Cycles between two ticks: a day at five minutes."""


def run_policy(
    model: SiteModel,
    inputs: Inputs,
    truth: Truth,
    policy: Policy,
    devices: MakeDevices,
    *,
    journal: Path | None,
    header: JournalHeader,
    resume: bool,
    tick: Tick,
    jobs: tuple[Job, ...] = (),
) -> list[CycleRecord]:
    """Run one policy over the whole period.

    Parameters
    ----------
    model, inputs, truth
        The site, its series, and what really came.
    policy
        Who decides.
    devices
        Makes the site's devices as a run left them.
    journal, header
        Where to write the journal (None keeps none), and what the run is.
    resume
        Go on after the last whole record of a journal that a killed run left.
    tick
        Progress.
    jobs
        Every batch job of the run, by release.

    Returns
    -------
    list of CycleRecord
        Every cycle, in order, those read back included.
    """
    state = State(
        stored_mwh=truth.problem.stored_mwh,
        jobs=JobBook.of(jobs),
        monthly_peaks=tuple(each for each in model.site.charges if isinstance(each, MonthlyPeak)),
    )
    months = truth.calendar.month_count.tolist()
    records: list[CycleRecord] = []
    recovered = None
    if journal is not None and resume:
        recovered = recover(journal, header)
        decoder = msgspec.json.Decoder(CycleRecord)
        for position, line in enumerate(recovered.records):
            record = _decoded(decoder, line, journal, position + 2)
            state.absorb(record, months[position])
            records.append(record)
    site_devices = devices(state.stored_mwh, state.jobs.states)
    writer = None if journal is None else JournalWriter(journal, header, recovered=recovered)
    encode = msgspec.json.Encoder().encode
    try:
        for record in _cycles(model, inputs, truth, policy, site_devices, state, first=len(records)):
            records.append(record)
            if writer is not None:
                writer.append(encode(record))
            if len(records) % TICK_EVERY == 0:
                tick(len(records), len(months))
    finally:
        if writer is not None:
            writer.close()
    tick(len(records), len(months))
    return records


def _decoded(decoder: msgspec.json.Decoder[CycleRecord], line: bytes, journal: Path, number: int) -> CycleRecord:
    try:
        return decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"{journal} line {number}", f"the record is of another format: {error}", "Run again without --resume"
        ) from error


def _cycles(
    model: SiteModel, inputs: Inputs, truth: Truth, policy: Policy, devices: Devices, state: State, *, first: int
) -> Iterator[CycleRecord]:
    site = model.site
    rates = msgspec.structs.replace(rates_of(site), jobs=job_rates(state.jobs.jobs))
    calendar = truth.calendar
    starts_s = truth.outlook.starts_s.tolist()
    local = list(
        zip(
            calendar.month.tolist(),
            calendar.month_count.tolist(),
            calendar.hour.tolist(),
            calendar.day_end_s.tolist(),
            calendar.month_start_s.tolist(),
            calendar.month_end_s.tolist(),
            strict=True,
        )
    )
    no_stocks = (StockState(),) * len(stocks_of(model))
    no_units = (UnitState(),) * (0 if site.plant is None else len(site.plant.units))
    settles = _settles(truth, site.control_step_s, site.market.settlement_step_s)
    for t in range(first, len(starts_s)):
        month, month_count, hour, day_end_s, month_start_s, month_end_s = local[t]
        sight = Sight(
            now_s=starts_s[t],
            end_s=truth.window.end_s,
            inputs=inputs,
            stored_mwh=state.stored_mwh,
            peak_mw=state.peak_w * 1e-6 if month_count == state.month_count else 0.0,
            month=month,
            hour_local=hour,
            day_end_s=day_end_s,
            month_end_s=month_end_s,
            memory=state.memory,
            stocks=state.stocks_in(month_count) or no_stocks,
            units=state.units_in(month_count) or no_units,
            jobs=state.jobs.now(starts_s[t]) if site.job_clusters else None,
        )
        prices = truth.prices(t, first=t - len(state.pending)) if settles[t] else None
        record = step(
            model,
            rates,
            policy,
            sight,
            state,
            devices,
            month_count=month_count,
            prices=prices,
            month_s=month_end_s - month_start_s,
            in_force=truth.in_force(t, sight.units),
        )
        state.absorb(record, month_count)
        yield record


def _settles(truth: Truth, control_step_s: int, settlement_step_s: int) -> list[bool]:
    """Does a settlement interval, a month or the period end with this control step?"""
    ends_s = truth.outlook.starts_s + control_step_s
    is_last = (ends_s % settlement_step_s == 0) | (ends_s == truth.calendar.month_end_s)
    is_last[-1] = True
    return [bool(last) for last in is_last]
