"""Everything a site may declare at once, over scarce days: money to the micro-unit, every limit, every byte.

One replay of every policy is made; the auditor's own code (`combined_by_hand`, `physically`) reads its journals.
"""

import os
import tomllib
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from audit import physically as eyes
from audit.combined_by_hand import Books, Journal, Raw
from headrace.adapters.sitefile import load_site
from headrace.core import Interval
from headrace.engine.cashflow import cash_frame, run_cash
from replays import run

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("HEADRACE_DATA", HERE.parents[1] / ".." / "shared" / "data"))
SITE = HERE / "combined.toml"
RAW = tomllib.loads(SITE.read_text())
ZONE = ZoneInfo("America/Chicago")
POLICIES = ("always-on", "desk", "rolling", "bound")
LINES = 23

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="no folder of recorded data")]


def local(*at: int) -> int:
    return int(datetime(*at, tzinfo=ZONE).timestamp())


def days(first: tuple[int, ...], last: tuple[int, ...]) -> Interval:
    return Interval(start=datetime(*first, tzinfo=ZONE), end=datetime(*last, tzinfo=ZONE))


SCARCE = days((2024, 11, 16), (2024, 11, 19))


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Result, and the folder of its journals."""
    folder = tmp_path_factory.mktemp("combined")
    return run(load_site(SITE), SCARCE, POLICIES, folder, data=DATA), folder


@pytest.fixture(scope="module")
def journals(replayed):
    return {policy: Journal(replayed[1] / f"{policy}.jsonl") for policy in POLICIES}


def import_limit_mw(at_s: int) -> float:
    """Connection 24 MW; two of three transformers of 12.5 MVA, one while T2 is out; 11 MW firm and what is granted."""
    limit = 12.5 if local(2024, 11, 17, 17, 20) <= at_s < local(2024, 11, 18, 3) else 24.0
    if local(2024, 11, 17, 14, 10) <= at_s < local(2024, 11, 17, 16):
        limit = min(limit, 13.0)
    if local(2024, 11, 18, 9) <= at_s < local(2024, 11, 18, 10, 30):
        limit = min(limit, 16.0)
    return limit


def test_every_line_is_earned_to_the_micro_unit(journals):
    for policy, journal in journals.items():
        worst = Books(SITE, journal, Raw(DATA)).compare()
        assert len(worst) == LINES
        assert not any(worst.values()), (policy, worst)


@pytest.mark.parametrize(
    ("first", "last", "hours"),
    [
        ((2024, 3, 9), (2024, 3, 11), 47),
        ((2024, 11, 2), (2024, 11, 4), 49),  # an hour of day-ahead prices is missing
        ((2024, 10, 31), (2024, 11, 2), 48),
    ],
    ids=["spring", "autumn", "a month's end"],
)
def test_every_line_is_earned_when_clocks_and_months_change(first, last, hours, tmp_path):
    run(load_site(SITE), days(first, last), ("always-on",), tmp_path, data=DATA)
    journal = Journal(tmp_path / "always-on.jsonl")
    assert len(journal.records) == hours * 12
    assert not any(Books(SITE, journal, Raw(DATA)).compare().values())


@pytest.mark.inv("E1")
@pytest.mark.inv("E2")
@pytest.mark.inv("C3")
def test_power_balances_and_every_limit_holds(journals):
    for policy, journal in journals.items():
        records = journal.records
        assert not eyes.unbalanced(records), policy
        assert not eyes.wrong_store(records, RAW["battery"]), policy
        assert not eyes.above(records, import_limit_mw), policy
        assert not eyes.shed_too_soon(records), policy
        assert not eyes.overloaded(records, [2, 3, 4, 5, 6], lambda _: 6.0), policy
        outage = (local(2024, 11, 18, 12), local(2024, 11, 18, 13))
        limit = lambda at, outage=outage: 0.0 if outage[0] <= at < outage[1] else 6.5  # noqa: E731
        assert not eyes.overloaded(records, [7, 8, 9, 10, 11], limit), policy
        assert sum(r["reading"]["shed_wh"] for r in records) == 0, policy


@pytest.mark.inv("C2")
def test_every_megawatt_sold_is_there_or_charged(journals):
    for policy in ("desk", "rolling"):
        records = journals[policy].records
        assert any(r["awards"] for r in records)
        missing = eyes.not_there(records, RAW["battery"], {0: 1.0, 1: 2.0})
        charged = eyes.charged(records)
        assert all(at in charged for at, _, _ in missing), policy
        # Only a feeder that is out takes what was sold behind it.
        assert all(local(2024, 11, 18, 12) <= at < local(2024, 11, 18, 13) for at, _, _ in missing), policy


@pytest.mark.inv("D6")
def test_an_allowance_holds_beside_everything_else(journals):
    for policy in ("always-on", "desk", "rolling"):
        cuts = eyes.interruptions(journals[policy].records, 0)
        assert sum(hours for _, _, hours in cuts) <= 1.0 + 1e-3, policy
        assert all(count <= 6 for _, count, _ in cuts), policy
        ends = [at + 300 * count for at, count, _ in cuts]
        assert all(at - end >= 3 * 3600 for end, (at, _, _) in zip(ends, cuts[1:], strict=False)), policy


def test_what_owners_were_promised_is_counted_through_a_feeders_outage(journals):
    for journal in journals.values():
        got = sum(r["reading"]["meters"]["hosted"][0][0] for r in journal.records)
        short = sum(r["reading"]["meters"]["hosted"][0][2] for r in journal.records)
        assert (got + short) / 1e6 == pytest.approx(72 * 1100 * 3.5e-3, abs=1e-3)  # its owner never stops it


def test_nothing_beats_hindsight(replayed):
    margin = {each.label: each.margin_ccy for each in replayed[0].runs}
    assert all(margin["bound"] >= each for each in margin.values()), margin


@pytest.mark.inv("R1")
@pytest.mark.inv("R2")
@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_killed_anywhere_resumes_to_the_same_bytes(replayed, policy, tmp_path):
    whole = (replayed[1] / f"{policy}.jsonl").read_bytes()
    path = tmp_path / f"{policy}.jsonl"
    for cut in np.random.default_rng(len(whole)).integers(len(whole) // 3, len(whole), 2).tolist():
        path.write_bytes(whole[:cut])
        run(load_site(SITE), SCARCE, (policy,), tmp_path, resume=True, data=DATA)
        assert path.read_bytes() == whole, cut


def test_cash_comes_to_what_was_booked(replayed):
    """Everything but wear is paid in the end; security is what is unpaid and the marked loss beyond the credit line."""
    result, _ = replayed
    for each in result.runs:
        frame = cash_frame(result.site, run_cash(result.site, each))
        paid = sum(each.settlements[line].sum() for line in each.lines_ccy if line != "wear")
        assert frame["balance"][-1] == 500_000 * 10**6 + paid
        assert frame["security"][-1] == 0
        booked = each.settlements.with_columns(
            day=pl.col("interval_start").dt.convert_time_zone("America/Chicago").dt.date()
        )
        owed: dict[int, int] = {}
        losses = []
        for n, day in enumerate(booked["day"].unique(maintain_order=True)):
            rows = booked.filter(pl.col("day") == day)
            market = rows["energy_bought"].sum() + rows["energy_sold"].sum()
            supplier = sum(rows[line].sum() for line in ("day_ahead", "hedge", "basis", "supply_fees"))
            for name, amount, due in (("market", market, n + 7), ("supplier", supplier, 14 + 16)):
                assert name in frame.columns
                for at in range(n, due):
                    owed[at] = owed.get(at, 0) - amount
            losses.append(-sum(rows[line].sum() for line in ("day_ahead", "hedge", "basis")))
            marked = max(Fraction(0), Fraction(sum(losses), len(losses)) * 30)
            security = max(0, max(0, owed[n]) + -(-marked // 1) - 10_000 * 10**6)
            # What this day's bills add is known when it ends.
            assert frame["security"][n] == security, (each.label, day)
