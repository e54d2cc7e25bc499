"""A statement's whole way: file, declaration, comparison with a replay, books."""

from decimal import Decimal

import pytest

from command_line import DEMO, refused, run
from headrace.adapters.store.books import read_balances, read_entries
from headrace.app.outputs import read_result
from headrace.treasury import Account, Asset, EntryKind, check
from statement_cases import (
    MARKET,
    MARKET_HEADER,
    METER,
    POOL,
    WALLET,
    declared,
    market_rows,
    meter_rows,
    pool_rows,
    written,
)

TWO_DAYS = ("--from", "2024-11-07", "--to", "2024-11-09", "--policies", "rolling", "--no-sensitivities")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Two days of the demo, its folder and its run."""
    folder = tmp_path_factory.mktemp("statements")
    with pytest.MonkeyPatch.context() as patch:
        capsys = _Silent()
        assert run(capsys, patch, "replay", DEMO, *TWO_DAYS, "--out", folder / "out", "--json").code == 0
    return folder / "out", read_result(folder / "out").run("rolling")


class _Silent:
    """Stands where a module's fixture has no capsys."""

    def readouterr(self):
        return "", ""


@pytest.fixture
def headrace(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.fixture
def out(replayed, tmp_path):
    """A copy of the replay's folder that a test may book into."""
    import shutil

    return shutil.copytree(replayed[0], tmp_path / "out")


@pytest.fixture
def market(tmp_path):
    return declared(tmp_path, MARKET, "market.toml")


def balance(books, account, asset=Asset.USD):
    rows = {(row.account, row.asset): row.balance for row in read_balances(books)}
    return rows.get((account, asset), 0)


def parts_of(found):
    return sum(found["explained_usd_micro"].values()) + found["residual_usd_micro"]


def test_a_statement_of_our_own_figures_differs_by_rounding_only(headrace, replayed, tmp_path, market):
    out, rolling = replayed
    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(rolling))
    found = headrace("books", "reconcile", file, "--declaration", market, "--out", out, "--json").json
    assert set(found["explained_usd_micro"]) == {"rounding"}
    assert found["residual_usd_micro"] == found["unexplained_usd_micro"] == 0
    assert parts_of(found) == found["difference_usd_micro"]
    assert found["own_usd_micro"] == int(
        rolling.settlements["energy_bought"].sum() + rolling.settlements["energy_sold"].sum()
    )


def test_each_kind_of_difference_is_named_and_all_add_up(headrace, replayed, tmp_path, market):
    out, rolling = replayed

    def change(i, cells):
        wh = Decimal(cells[4])
        if cells[3] == "RT energy" and wh:
            match i // 2:
                case 10:  # another quantity
                    cells[4], cells[6] = f"{wh + 1}", f"{(wh + 1) * Decimal(cells[5]):.2f}"
                case 20:  # another price
                    cells[5] = f"{Decimal(cells[5]) + 7}"
                    cells[6] = f"{wh * Decimal(cells[5]):.2f}"
                case 30:  # an amount that follows from nothing
                    cells[6] = f"{Decimal(cells[6]) + 100}"
                case 40:  # a charge nobody declared
                    cells[3] = "Uplift"
        return cells

    declaration = declared(
        tmp_path, MARKET.replace('= "energy_bought"', '= { line = "energy_bought", is_sparse = true }')
    )
    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(rolling, change=change))
    found = headrace("books", "reconcile", file, "--declaration", declaration, "--out", out, "--json").json
    assert set(found["explained_usd_micro"]) == {"quantity", "price", "rounding", "not_billed", "unknown_charge"}
    assert found["residual_usd_micro"] == pytest.approx(-100_000_000, abs=10_000)
    assert parts_of(found) == found["difference_usd_micro"]
    said = headrace("books", "reconcile", file, "--declaration", declaration, "--out", out)
    assert said.code == 0
    assert "residual, not explained" in said.out


def test_the_revenue_meter_outranks_telemetry_and_its_residual_is_shown(headrace, replayed, tmp_path, market):
    out, rolling = replayed
    rows = meter_rows(rolling, more_wh=lambda i: 40_000 if i == 7 else 100)
    meter = written(tmp_path, "meter.csv", "start,kwh_in,kwh_out", rows)
    form = declared(tmp_path, METER, "meter.toml")

    def as_metered(i, cells):
        if cells[3] == "RT energy":
            more = Decimal(40_000 if i // 2 == 7 else 100) / 10**6
            cells[4] = f"{Decimal(cells[4]) + more}"
            cells[6] = f"{Decimal(cells[4]) * Decimal(cells[5]):.2f}"
        return cells

    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(rolling, change=as_metered))
    arguments = ("books", "reconcile", file, "--declaration", market, "--out", out)
    found = headrace(*arguments, "--meter", meter, "--meter-declaration", form, "--json").json
    without = headrace(*arguments, "--json").json
    assert found["meter"]["residual_wh"] == pytest.approx(191 * 100 + 40_000, abs=20 * 192)
    assert [each["residual_wh"] for each in found["meter"]["beyond"]] == [pytest.approx(40_000, abs=20)]
    assert "quantity" not in found["explained_usd_micro"]
    assert found["explained_usd_micro"]["meter"] == without["explained_usd_micro"]["quantity"]
    assert parts_of(found) == found["difference_usd_micro"] == without["difference_usd_micro"]
    said = headrace(*arguments, "--meter", meter, "--meter-declaration", form)
    assert "1 of 192 intervals beyond tolerance" in said.out
    refused(headrace(*arguments, "--meter", meter), "--meter-declaration")


def test_versions_book_differences_and_end_at_the_latest(headrace, replayed, out, tmp_path, market):
    _, rolling = replayed
    books = out / "books.sqlite"
    own = balance(books, Account.ENERGY_BOUGHT)
    before = list(read_entries(books))

    def dearer(_i, cells):
        if cells[3] == "RT energy":
            cells[5] = f"{Decimal(cells[5]) + 2}"
            cells[6] = f"{Decimal(cells[4]) * Decimal(cells[5]):.2f}"
        return cells

    billed = {}
    for version, change in (("initial", lambda _i, cells: cells), ("final", dearer), ("true-up", lambda _i, c: c)):
        rows = market_rows(rolling, version, change=change)
        billed[version] = sum(int(Decimal(r.split(",")[6]) * 10**6) for r in rows if ",RT energy," in r)
        said = headrace(
            "books",
            "import",
            written(tmp_path, f"{version}.csv", MARKET_HEADER, rows),
            "--declaration",
            market,
            "--books",
            out,
            "--json",
        )
        assert said.code == 0, said
        assert balance(books, Account.ENERGY_BOUGHT) == billed[version]
    assert billed["final"] > billed["initial"] == billed["true-up"]
    assert abs(own - billed["initial"]) < 192 * 5_000
    after = list(read_entries(books))
    assert after[: len(before)] == before
    assert {entry.kind for entry in after[len(before) :]} == {EntryKind.STATEMENT}
    for entry in after:
        check(entry)


def test_the_same_file_again_changes_nothing(headrace, replayed, out, tmp_path, market):
    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(replayed[1]))
    arguments = ("books", "import", file, "--declaration", market, "--books", out, "--json")
    assert headrace(*arguments).json["is_new"]
    entries = list(read_entries(out / "books.sqlite"))
    again = headrace(*arguments)
    assert (again.code, again.json["is_new"], again.json["changes"]) == (0, False, [])
    assert list(read_entries(out / "books.sqlite")) == entries


def test_an_overlap_of_one_version_and_an_older_one_are_refused_and_book_nothing(
    headrace, replayed, out, tmp_path, market
):
    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(replayed[1], "final"))
    assert headrace("books", "import", file, "--declaration", market, "--books", out).code == 0
    entries = list(read_entries(out / "books.sqlite"))
    for version in ("final", "initial"):
        rows = market_rows(replayed[1], version, change=lambda i, c: [*c[:6], f"{Decimal(c[6]) + (i == 4)}"])
        other = written(tmp_path, "t.csv", MARKET_HEADER, rows)
        said = headrace("books", "import", other, "--declaration", market, "--books", out)
        refused(said, "Synthetic market S-1", "already booked", "initial then final then true-up")
    assert list(read_entries(out / "books.sqlite")) == entries


def test_satoshis_go_from_provisional_to_receivable_to_the_wallet(headrace, replayed, out, tmp_path):
    books, rolling = out / "books.sqlite", replayed[1]
    expected = balance(books, Account.BITCOIN_PROVISIONAL, Asset.SAT)
    fair = balance(books, Account.CONVERSION)
    assert expected == rolling.mining_sats
    pool = declared(tmp_path, POOL, "pool.toml")
    file = written(tmp_path, "pool.csv", "day,mean_phs,btc", pool_rows(rolling, paid_ratio=Decimal("0.99")))
    found = headrace("books", "reconcile", file, "--declaration", pool, "--out", out, "--json").json
    assert sum(found["explained_sats"].values()) + found["residual_sats"] == found["difference_sats"] < 0
    assert headrace("books", "import", file, "--declaration", pool, "--books", out).code == 0
    credited = balance(books, Account.POOL_RECEIVABLE, Asset.SAT)
    assert credited == found["billed_sats"]
    assert balance(books, Account.BITCOIN_PROVISIONAL, Asset.SAT) == 0
    assert balance(books, Account.CONVERSION, Asset.SAT) == -credited
    assert balance(books, Account.POOL_DIFFERENCE) == pytest.approx(fair / 100, rel=1e-3)
    wallet = declared(tmp_path, WALLET, "wallet.toml")
    paid = written(tmp_path, "wallet.csv", "day,txid,sats", [f"2024-11-10,a,{credited - 1000}", "2024-11-10,b,400"])
    assert headrace("books", "import", paid, "--declaration", wallet, "--books", out).code == 0
    assert balance(books, Account.POOL_RECEIVABLE, Asset.SAT) == 600
    assert balance(books, Account.BITCOIN, Asset.SAT) == credited - 600
    shown = headrace("books", "show", "--books", out, "--json").json
    assert [s["counterparty"] for s in shown["statements"]] == ["Synthetic pool", "Synthetic wallet"]
    usd = [row["balance"] for row in shown["balances"] if row["asset"] == "USD"]
    assert sum(usd) == 0


def test_books_with_statements_are_not_replayed_over_and_survive_a_report(headrace, replayed, out, tmp_path, market):
    file = written(tmp_path, "s.csv", MARKET_HEADER, market_rows(replayed[1]))
    assert headrace("books", "import", file, "--declaration", market, "--books", out).code == 0
    entries = list(read_entries(out / "books.sqlite"))
    assert headrace("report", "--out", out).code == 0
    assert list(read_entries(out / "books.sqlite")) == entries
    said = headrace("replay", DEMO, *TWO_DAYS, "--out", out)
    refused(said, "books.sqlite", "1 statement", "--out")
    assert list(read_entries(out / "books.sqlite")) == entries
