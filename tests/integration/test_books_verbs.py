"""`headrace books` at the command line: databases by URL, and what a person mistypes."""

import pytest

from command_line import DEMO, refused, run
from headrace.adapters.store.books import read_entries
from headrace.app.api import import_statement, reconcile_statement
from headrace.app.outputs import read_result
from statement_cases import MARKET, MARKET_HEADER, declared, market_rows, written


@pytest.fixture
def headrace(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture
def out(headrace, tmp_path):
    """Six hours of the demo."""
    hours = ("--from", "2024-11-07", "--to", "2024-11-07T06:00", "--policies", "rolling", "--no-sensitivities")
    assert headrace("replay", DEMO, *hours, "--out", tmp_path / "out").code == 0
    return tmp_path / "out"


@pytest.fixture
def statement(out, tmp_path):
    return written(tmp_path, "s.csv", MARKET_HEADER, market_rows(read_result(out).run("rolling")))


@pytest.fixture
def market(tmp_path):
    return declared(tmp_path, MARKET)


def test_books_by_url_take_a_replay_and_its_statement(headrace, out, statement, market, books_url):
    copied = headrace("books", "copy", "--out", out, "--books", books_url, "--json")
    assert copied.json["entries"] == 24
    assert list(read_entries(books_url)) == list(read_entries(out / "books.sqlite"))
    here, there = (
        headrace("books", "import", statement, "--declaration", market, "--books", books, "--json").json
        for books in (out, books_url)
    )
    assert here | {"books": ""} == there | {"books": ""}
    shown = [headrace("books", "show", "--books", books, "--json").json for books in (out, books_url)]
    assert shown[0]["balances"] == shown[1]["balances"]
    assert shown[0]["statements"] == shown[1]["statements"]
    again = headrace("books", "copy", "--out", out, "--books", books_url)
    refused(again, "already booked")


def test_tables_for_people_name_what_was_done(headrace, out, statement, market):
    said = headrace("books", "import", statement, "--declaration", market, "--books", out)
    assert (said.code, "Synthetic market S-1 (initial) is booked as number 1" in said.out) == (0, True)
    said = headrace("books", "import", statement, "--declaration", market, "--books", out)
    assert (said.code, "is booked already, as number 1: nothing to do" in said.out) == (0, True)
    said = headrace("books", "show", "--books", out)
    assert "Expenses:Energy:Bought" in said.out
    assert "1. Synthetic market S-1 (initial), 2024-11-07T06:00:00Z to 2024-11-07T12:00:00Z: " in said.out


def test_python_does_what_the_command_line_does(headrace, out, statement, market):
    found = reconcile_statement(statement, market, out)
    booking = import_statement(statement, market, out)
    assert booking.is_new
    assert sum(change.after for change in booking.changes) == found.billed
    assert sum(change.before for change in booking.changes) == found.own


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "s.csv", "--declaration", "nosuch.toml", "--books", "out"], ["nosuch.toml", "No such file"]),
        (["import", "nosuch.csv", "--declaration", "declaration.toml", "--books", "out"], ["nosuch.csv", "can't be"]),
        (["import", "s.csv", "--declaration", "declaration.toml", "--books", "nodir"], ["nodir", "no books here"]),
        (["import", "s.csv", "--declaration", "declaration.toml"], ["--books"]),
        (["reconcile", "s.csv", "--declaration", "declaration.toml", "--out", "nodir"], ["no finished replay"]),
        (["reconcile", "s.csv", "--declaration", "bank.toml", "--out", "out"], ["bank.toml", "nothing to settle"]),
        (["reconcile", "early.csv", "--declaration", "declaration.toml", "--out", "out"], ["early.csv", "bills 2023"]),
        (["show", "--books", "nodir"], ["nodir", "no books here"]),
        (["show", "--books", "postgresql://books:hunter2@127.0.0.1:1/x"], ["://books:***@127.0.0.1:1/x"]),
        (["copy", "--out", "out", "--books", "folder"], ["--books folder", "no database URL"]),
    ],
)
def test_a_mistake_is_named_and_books_nothing(headrace, out, statement, market, tmp_path, arguments, words):
    bank = MARKET.replace('"market"', '"bank"').replace('"energy_bought"', '"payment:market"')
    declared(tmp_path, bank.replace('"energy_sold"', '"payment:network"'), "bank.toml")
    early = [row.replace("2024-", "2023-") for row in statement.read_text().splitlines()[2:]]
    written(tmp_path, "early.csv", MARKET_HEADER, early)
    before = (out / "books.sqlite").read_bytes()
    said = headrace("books", *arguments)
    if "hunter2" in " ".join(arguments):
        pytest.importorskip("psycopg", reason="the driver is an extra")
    refused(said, *words)
    assert "hunter2" not in said.err
    assert (out / "books.sqlite").read_bytes() == before
