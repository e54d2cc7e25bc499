"""The export, judged by the real `bean-check`."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.core import Currency
from headrace.interfaces.beancount import beancount_text
from headrace.settlement import rates_of
from headrace.treasury import Account, Asset, trial_balance
from settlement_cases import make_entries, make_site

BEAN_CHECK = Path(sys.executable).parent / "bean-check"
pytestmark = pytest.mark.skipif(not BEAN_CHECK.exists(), reason="bean-check (development dependency) is not installed")

SITE = make_site()
TWO_DAYS = make_entries(rates_of(SITE), 192)


def bean_check(tmp_path, text):
    """What bean-check complains of; empty if it accepts the ledger."""
    ledger = tmp_path / "books.beancount"
    ledger.write_text(text, encoding="utf-8")
    run = subprocess.run([BEAN_CHECK, "--no-cache", ledger], capture_output=True, text=True, check=False)
    assert (run.returncode == 0) == (run.stderr == "")
    return run.stderr


def text_of(entries=TWO_DAYS, site=SITE, **options):
    return "".join(beancount_text(entries, site, **options))


@pytest.mark.parametrize("per_interval", [False, True])
@pytest.mark.parametrize("currency", Currency)
def test_bean_check_accepts_the_books(tmp_path, per_interval, currency):
    site = make_site(currency=currency)
    entries = make_entries(rates_of(site), 192, currency=currency)
    assert bean_check(tmp_path, text_of(entries, site, per_interval=per_interval)) == ""


def test_bean_check_accepts_books_without_entries(tmp_path):
    assert bean_check(tmp_path, text_of([])) == ""


def test_days_are_the_sites_own():
    first_words = [line.split()[:2] for line in text_of().splitlines() if line[10:12] in {" *", " !"}]
    assert first_words == [["2024-01-31", "!"], ["2024-02-01", "!"], ["2024-02-02", "!"]]


@pytest.mark.parametrize(("day", "hours"), [("2024-03-10", 23), ("2024-11-03", 25)])
def test_a_day_on_which_the_clock_changes_has_its_own_length(day, hours):
    start_s = {23: 1_710_050_400, 25: 1_730_610_000}[hours]
    entries = make_entries(rates_of(SITE), 4 * hours + 1, start_s=start_s)
    days = [line[:10] for line in text_of(entries).splitlines() if line[10:12] in {" *", " !"}]
    assert days[0] == day
    assert len(days) == 2
    assert f'entries: "1-{4 * hours}"' in text_of(entries)


def test_an_estimated_price_flags_the_transaction():
    lines = text_of(TWO_DAYS[:10], per_interval=True).splitlines()
    flags = [line[11] for line in lines if line[10:12] in {" *", " !"}]
    assert flags == ["*"] * 7 + ["!"] + ["*"] * 2
    assert "1 of 10 intervals at an estimated price" in text_of(TWO_DAYS[:10])


@pytest.mark.parametrize(
    ("account", "unit"), [("Liabilities:Payable:Network", "0.000001 USD"), ("Assets:Bitcoin:Provisional", "1 SAT")]
)
def test_bean_check_finds_a_posting_altered_by_one_unit(tmp_path, account, unit):
    text = text_of()
    line = next(line for line in text.splitlines() if line.startswith(f"  {account}"))
    assert "Transaction does not balance" in bean_check(tmp_path, text.replace(line, f"{line}\n  {account} {unit}", 1))


@pytest.mark.parametrize(
    ("account", "unit", "complaint"),
    [
        ("Income:Energy:Sold", "0.000001 USD", "Balance failed"),
        ("Liabilities:Payable:Heat", "0.000001 USD", "Balance failed"),  # an account that nothing else touches
        ("Equity:Conversion:Bitcoin", "1 SAT", "Balance failed"),
        ("Income:Mining", "1 SAT", "Invalid currency SAT"),
    ],
)
def test_bean_check_finds_a_balanced_transaction_that_moves_one_unit_elsewhere(tmp_path, account, unit, complaint):
    text = text_of()
    posting = next(line for line in text.splitlines() if line.startswith("  Assets:Bitcoin:Provisional"))
    source = "Assets:Bitcoin:Provisional" if unit.endswith("SAT") else "Income:Heat"
    smuggled = f"{posting}\n  {account} {unit}\n  {source} -{unit}"
    assert complaint in bean_check(tmp_path, text.replace(posting, smuggled, 1))


def test_every_balance_of_the_trial_balance_is_asserted():
    asserted = {}
    for line in text_of().splitlines():
        if " balance " in line:
            _, _, account, amount, tilde, tolerance, commodity = line.split()
            assert (tilde, tolerance) == ("~", "0")
            asserted[Account(account), Asset(commodity)] = int(amount.replace(".", ""))
    booked = {(row.account, row.asset): row.balance for row in trial_balance(TWO_DAYS)}
    assert asserted == dict.fromkeys(asserted, 0) | booked
    assert {account for account, _ in asserted} == set(Account)
