"""Batch jobs in a replay, whatever the policy: room, gangs, time, work, money, and the same bytes again."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from headrace.app.batch_jobs import jobs_of
from headrace.app.replaying import HEADLINE
from headrace.core import MICRO
from headrace.dispatch.policies.stochastic import why_rolling
from headrace.engine.job_book import JobBook
from headrace.settlement.jobs import job_rates
from job_replays import job_site, records_of, write_jobs, write_rows
from replays import days_of, run

SCARCE_DAY = 13  # 17 November 2024: real-time prices above 3,000 USD/MWh
START = "2024-11-17"
BY_GANG = ("always-on", "desk", "rolling")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    write_jobs(folder, seed=5)
    return folder


@pytest.fixture(scope="module")
def result(folder):
    loaded = job_site(START)
    return run(loaded, days_of(loaded, SCARCE_DAY, 2), HEADLINE, folder / "journal", data=folder)


@pytest.fixture(scope="module")
def jobs(folder):
    loaded = job_site(START)
    found, _ = jobs_of(loaded, folder, days_of(loaded, SCARCE_DAY, 2))
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def journals(folder, result):
    return {policy: records_of(folder / "journal" / f"{policy}.jsonl") for policy in HEADLINE}


def running(record):
    """Jobs that did work in an interval."""
    return [reading.job for reading in record.reading.jobs if reading.is_running]


@pytest.mark.inv("E1")
def test_what_comes_in_at_the_bus_goes_out_with_jobs_on_it(result):
    for each in result.runs:
        f = each.intervals
        used = sum(f[c] for c in f.columns if c.startswith("use:"))
        went = f["export_mw"] + f["charge_mw"] + f["firm_mw"] + f["jobs_mw"] + used
        assert np.abs((f["import_mw"] + f["discharge_mw"] - went).to_numpy()).max() <= 14 * 6e-6, each.label
        assert f["jobs_mw"].max() > 0.3
        assert f["shed_mw"].max() == 0.0


@pytest.mark.inv("D8")
@pytest.mark.inv("D9")
@pytest.mark.parametrize("policy", BY_GANG)
def test_a_cluster_is_never_exceeded_and_gangs_run_whole(journals, jobs, policy):
    for record in journals[policy]:
        runs = running(record)
        assert sum(jobs[i].nodes for i in runs) <= 64
        for order in record.proposal.jobs:
            assert order.power_mw == jobs[order.job].power_mw


@pytest.mark.inv("D8")
@pytest.mark.parametrize("policy", HEADLINE)
def test_no_job_runs_before_it_is_submitted_or_after_it_can_earn(journals, jobs, policy):
    begun = set()
    for record in journals[policy]:
        for i in running(record):
            assert jobs[i].release_s <= record.at_s < jobs[i].deadline_s
            begun.add(i)
    assert len(begun) > len(jobs) // 2


@pytest.mark.inv("D9")
@pytest.mark.parametrize("policy", BY_GANG)
def test_a_gang_once_started_is_left_running(journals, jobs, policy):
    """For its minimum run, until it is done or due; only a shortage at the bus may stop it, and none comes here."""
    for before, after in pairwise(journals[policy]):
        ordered = {order.job for order in after.proposal.jobs}
        for reading in before.reading.jobs:
            job = jobs[reading.job]
            is_done = reading.done_mwh >= job.work_mwh - 1e-9
            if reading.is_running and not is_done and reading.since_s < job.min_run_s and after.at_s < job.deadline_s:
                assert reading.job in ordered


@pytest.mark.parametrize("policy", HEADLINE)
def test_work_is_conserved_and_saved_work_never_lost(journals, jobs, policy):
    saved, drawn = dict.fromkeys(range(len(jobs)), 0), dict.fromkeys(range(len(jobs)), 0)
    for record in journals[policy]:
        for meter in record.reading.meters.jobs:
            assert meter.saved_from_wh == saved[meter.job] <= meter.saved_to_wh
            saved[meter.job] = meter.saved_to_wh
            drawn[meter.job] += meter.it_wh
    for i, job in enumerate(jobs):
        assert saved[i] <= round(job.work_mwh * 1e6) <= job.work_mwh * 1e6 + 1
        assert drawn[i] >= saved[i] - 300  # every meter rounds to one watt-hour


@pytest.mark.inv("S6")
@pytest.mark.parametrize("policy", HEADLINE)
def test_statements_earn_what_the_jobs_earned_and_never_more_than_they_are_worth(result, policy):
    run_ = result.run(policy)
    assert run_.settlements["jobs"].sum() == run_.jobs["earned"].sum() > 0
    assert run_.settlements["job_penalties"].sum() == -run_.jobs["penalties"].sum()
    assert (run_.jobs["earned"] <= run_.jobs["value"]).all()
    finished = run_.jobs.filter(run_.jobs["state"] != "unfinished")
    assert (finished["earned"] == finished["value"]).all()


def test_it_energy_of_jobs_is_inside_the_sites_it_energy(journals):
    for record in journals["rolling"]:
        meters = record.reading.meters
        jobs_wh = sum(meter.it_wh for meter in meters.jobs)
        assert jobs_wh <= record.reading.jobs_wh + len(meters.jobs)  # at the bus with its cooling
        assert jobs_wh <= meters.it_wh


def test_price_stops_jobs_of_the_desk_and_of_rolling_and_they_go_on_from_their_checkpoint(result):
    for policy in ("desk", "rolling"):
        f = result.run(policy).intervals
        dear = f.filter(f["price"] > 1_000.0)
        assert dear.height > 0
        assert dear["jobs_mw"].mean() < f.filter(f["price"] < 100.0)["jobs_mw"].mean()
    assert result.run("desk").jobs["restarts"].sum() > 0
    assert result.run("always-on").jobs["restarts"].sum() == 0


def test_the_fluid_bound_is_above_every_policy(result):
    bound = result.run("bound")
    for policy in BY_GANG:
        assert result.run(policy).margin_ccy < bound.margin_ccy
    assert any("bound cuts gangs" in note for note in result.notes)


@pytest.mark.inv("R1")
@pytest.mark.inv("R2")
@pytest.mark.parametrize("policy", ["desk", "rolling"])
def test_a_replay_with_jobs_killed_and_resumed_writes_the_same_bytes(folder, result, tmp_path, policy):
    loaded = job_site(START)
    window = days_of(loaded, SCARCE_DAY, 2)
    original = (folder / "journal" / f"{policy}.jsonl").read_bytes()
    path = tmp_path / f"{policy}.jsonl"
    for cut in (int(len(original) * share) for share in (0.31, 0.74)):
        path.write_bytes(original[:cut])
        again = run(loaded, window, (policy,), tmp_path, resume=True, data=folder)
        assert path.read_bytes() == original
        assert again.run(policy).jobs.equals(result.run(policy).jobs)


@pytest.mark.inv("F2")
@pytest.mark.parametrize("policy", BY_GANG)
def test_jobs_submitted_later_move_no_decision_before(folder, journals, tmp_path, policy):
    noon_s = 12 * 3600
    rows = [tuple(map(int, line.split(","))) for line in (folder / "jobs.csv").read_text().splitlines()[1:]]
    early = [row for row in rows if row[0] <= noon_s]
    assert 3 < len(early) < len(rows)
    write_rows(tmp_path, [*early, (noon_s + 301, 64, 512, 20_000)])
    loaded = job_site(START)
    run(loaded, days_of(loaded, SCARCE_DAY, 2), (policy,), tmp_path / "journal", data=tmp_path)
    other = records_of(tmp_path / "journal" / f"{policy}.jsonl")
    until = noon_s // 300 + 1
    assert msgspec.json.encode(other[:until]) == msgspec.json.encode(journals[policy][:until])
    assert msgspec.json.encode(other) != msgspec.json.encode(journals[policy])


def test_a_policy_is_shown_submitted_jobs_only(jobs):
    book = JobBook.of(jobs)
    for now_s in range(jobs[0].release_s - 600, jobs[-1].release_s, 900):
        now = book.now(now_s)
        assert all(job.release_s <= now_s < job.deadline_s for job in now.jobs)
        due = [i for i, job in enumerate(jobs) if job.release_s <= now_s < job.deadline_s]
        assert list(now.at) == due


def test_lateness_is_charged_in_time_and_at_most_what_was_earned(tmp_path):
    """One job too many for its deadline: the second waits for the first, is late, and still pays."""
    write_rows(tmp_path, [(0, 64, 512, 7_200), (0, 64, 512, 7_200)])
    more = "lateness_usd_per_gpu_h = 0.02"
    loaded = job_site(START, value=2.0, more=more)
    text_slack = [msgspec.structs.replace(each, slack_ratio=0.0, slack_least_s=1800) for each in loaded.job_lists]
    loaded = msgspec.structs.replace(loaded, job_lists=tuple(text_slack))
    found = run(loaded, days_of(loaded, SCARCE_DAY, 1), ("always-on",), data=tmp_path).run("always-on")
    first, second = found.jobs.iter_rows(named=True)
    assert (first["state"], second["state"]) == ("finished", "late")
    late_h = (second["finished"] - second["deadline"]).total_seconds() / 3600.0
    assert second["penalties"] == pytest.approx(0.02 * 512 * late_h * MICRO, abs=2)
    assert found.lines_ccy["job_penalties"] == -second["penalties"] / MICRO
    assert second["earned"] == second["value"]


def test_stochastic_is_rolling_at_a_site_with_jobs():
    assert "batch jobs" in why_rolling(job_site(START).site)


def test_rates_are_the_jobs_worth(jobs):
    for job, rate in zip(jobs, job_rates(jobs), strict=True):
        assert rate.earned_micro(rate.work_wh) == rate.value_micro == round(job.value_ccy * MICRO)
