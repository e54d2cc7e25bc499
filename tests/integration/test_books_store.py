"""The books in a real SQLite file."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from headrace.adapters.store.books import INT64_MAX, read_balances, read_entries, write_books
from headrace.core import BadInput
from headrace.settlement import rates_of
from headrace.treasury import Account, Asset, Posting, trial_balance
from settlement_cases import make_entries, make_site

ENTRIES = make_entries(rates_of(make_site()), 40)
REFUSAL = "the books are append-only: correct an entry by another entry"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "books.sqlite"


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def moving(amount):
    """An entry that moves `amount` and balances."""
    sides = (
        Posting(account=Account.WEAR, asset=Asset.USD, debit=amount),
        Posting(account=Account.WEAR_PROVISION, asset=Asset.USD, credit=amount),
    )
    return msgspec.structs.replace(ENTRIES[0], postings=sides)


@pytest.mark.inv("T1")
def test_what_was_booked_is_read_back(path):
    write_books(path, iter(ENTRIES))
    assert list(read_entries(path)) == ENTRIES
    assert read_balances(path) == trial_balance(ENTRIES)
    assert names(path.parent) == ["books.sqlite"]


def test_an_entry_without_postings_is_kept(path):
    write_books(path, [msgspec.structs.replace(ENTRIES[0], postings=())])
    assert [entry.postings for entry in read_entries(path)] == [()]


def test_books_without_entries_are_books(path):
    write_books(path, [])
    assert list(read_entries(path)) == []
    assert read_balances(path) == ()


def test_the_same_entries_make_the_same_file(path):
    write_books(path, ENTRIES)
    first = path.read_bytes()
    write_books(path, ENTRIES)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE postings SET debit = debit + 1 WHERE debit > 0",
        "UPDATE entries SET is_estimated = 0",
        "DELETE FROM postings WHERE sequence = 1",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO postings VALUES (1, 0, 'Income:Heat', 'USD', 0, 1)",
        "INSERT OR REPLACE INTO entries VALUES (1, 'x', 0, 900, 'settlement', 0)",
    ],
)
def test_sqlite_itself_refuses_to_change_the_books(path, change):
    write_books(path, ENTRIES)
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match=REFUSAL):
        connection.execute(change)
    connection.close()
    assert list(read_entries(path)) == ENTRIES


@pytest.mark.parametrize("sides", ["0, 0", "1, 1", "-1, 0"])
def test_sqlite_itself_refuses_a_posting_without_one_positive_side(path, sides):
    write_books(path, ENTRIES)
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match="one_side"):
        connection.execute(f"INSERT INTO postings VALUES (1, 99, 'Income:Heat', 'USD', {sides})")
    connection.close()


def test_a_change_behind_the_triggers_back_is_found_by_reading(path):
    write_books(path, ENTRIES)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER postings_refuse_update")
        connection.execute("UPDATE postings SET debit = debit + 1 WHERE sequence = 3 AND line = 0")
    connection.close()
    with pytest.raises(BadInput, match="entry 3: the entry is not what was booked"):
        list(read_entries(path))


def test_people_can_ask_the_file_for_balances_and_for_what_does_not_balance(path):
    write_books(path, ENTRIES)
    with sqlite3.connect(path) as connection:
        balances = connection.execute("SELECT account, asset, balance FROM balances").fetchall()
        assert connection.execute("SELECT * FROM unbalanced").fetchall() == []
    connection.close()
    assert sorted(balances) == sorted((r.account.value, r.asset.value, r.balance) for r in trial_balance(ENTRIES))


def test_an_entry_that_does_not_balance_is_a_bug_and_leaves_no_file(path):
    lame = msgspec.structs.replace(ENTRIES[1], postings=ENTRIES[1].postings[:1])
    with pytest.raises(AssertionError, match="debits must equal credits"):
        write_books(path, [ENTRIES[0], lame])
    assert names(path.parent) == []


def test_the_largest_amount_fits_and_a_larger_is_refused(path):
    write_books(path, [moving(INT64_MAX)])
    assert next(read_entries(path)).postings[0].debit == INT64_MAX
    with pytest.raises(BadInput, match="entry 1: a posting moves 9223372036854775808 units"):
        write_books(path, [moving(INT64_MAX + 1)])
    assert names(path.parent) == ["books.sqlite"]


def test_a_failed_run_leaves_the_old_books(path):
    def entries_that_fail():
        yield ENTRIES[0]
        raise ZeroDivisionError

    write_books(path, ENTRIES)
    with pytest.raises(ZeroDivisionError):
        write_books(path, entries_that_fail())
    assert list(read_entries(path)) == ENTRIES
    assert names(path.parent) == ["books.sqlite"]


@pytest.mark.parametrize("url", ["nosuch://host/books", "sqlite:////no/such/folder/books.sqlite"])
def test_a_database_that_is_not_there_is_one_clear_error(url):
    with pytest.raises(BadInput, match=r"no such database|can't be read or written"):
        write_books(url, ENTRIES)


def test_books_that_are_not_there_are_not_made_by_reading(tmp_path):
    with pytest.raises(BadInput, match="there are no books here"):
        read_balances(tmp_path / "absent.sqlite")
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file, not a folder"):
        write_books(tmp_path / "file" / "books.sqlite", ENTRIES)
    assert names(tmp_path) == ["file"]


ON_A_SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from settlement_cases import make_entries, make_site
from headrace.adapters.store.books import write_books
from headrace.core import BadInput
from headrace.settlement import rates_of
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))
try:
    write_books(Path(sys.argv[1]), make_entries(rates_of(make_site()), 2000))
except BadInput as error:
    print(error)
"""


def test_a_file_that_cannot_grow_is_one_clear_error_and_leaves_nothing(path):
    here = Path(__file__).resolve().parents[1]
    run = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, str(path)], capture_output=True, text=True, cwd=here, check=True
    )
    assert "the books can't be read or written: " in run.stdout
    assert "Free space" in run.stdout
    assert names(path.parent) == []
