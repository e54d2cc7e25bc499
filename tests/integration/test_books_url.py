"""The books at a URL: the same facts on SQLite and on PostgreSQL."""

import msgspec
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from headrace.adapters.store.books import INT64_MAX, read_balances, read_entries, write_books
from headrace.adapters.store.statements import book_statement, read_statements
from headrace.core import BadInput
from headrace.settlement import rates_of
from headrace.settlement.billed import Source, Version
from headrace.treasury import Account, Asset, EntryKind, check, trial_balance
from settlement_cases import START_S, make_entries, make_site
from statement_records import billed, row

ENTRIES = make_entries(rates_of(make_site()), 40)
REFUSAL = "the books are append-only: correct an entry by another entry"


def execute(url, *statements):
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def accrued(line_account, first, last):
    """What the entries of some quarters of an hour booked to one account, plus for income."""
    return sum(p.credit - p.debit for entry in ENTRIES[first:last] for p in entry.postings if p.account is line_account)


@pytest.mark.inv("T1")
def test_what_was_booked_is_read_back(books_url):
    write_books(books_url, iter(ENTRIES))
    assert list(read_entries(books_url)) == ENTRIES
    assert read_balances(books_url) == trial_balance(ENTRIES)


def test_books_grow_and_refuse_a_number_twice(books_url):
    write_books(books_url, ENTRIES[:10])
    write_books(books_url, ENTRIES[10:])
    assert list(read_entries(books_url)) == ENTRIES
    with pytest.raises(BadInput, match="already booked"):
        write_books(books_url, ENTRIES[5:6])
    assert read_balances(books_url) == trial_balance(ENTRIES)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE postings SET debit = debit + 1 WHERE debit > 0",
        "UPDATE entries SET kind = 'x'",
        "DELETE FROM postings WHERE sequence = 1",
        "DELETE FROM entries",
        "UPDATE statements SET total = 0",
        "DELETE FROM statement_rows",
        "INSERT INTO entries VALUES (1, 'x', 0, 900, 'settlement', false)"
        " ON CONFLICT (sequence) DO UPDATE SET entry_id = 'x'",
    ],
)
def test_the_database_itself_refuses_to_change_the_books(books_url, change):
    write_books(books_url, ENTRIES)
    book_statement(books_url, billed(row(0, amount=-1)))
    before = list(read_entries(books_url))
    with pytest.raises(IntegrityError, match=REFUSAL):
        execute(books_url, change)
    assert list(read_entries(books_url)) == before


@pytest.mark.parametrize("table", ["entries", "postings", "statements", "statement_rows"])
def test_postgresql_refuses_to_empty_a_table(books_url, table):
    if not books_url.startswith("postgresql"):
        pytest.skip("SQLite has no TRUNCATE")
    write_books(books_url, ENTRIES)
    with pytest.raises(IntegrityError, match=REFUSAL):
        execute(books_url, f"TRUNCATE {table} CASCADE")


def test_a_role_that_may_only_add_can_book(books_url):
    if not books_url.startswith("postgresql"):
        pytest.skip("SQLite has no roles")
    write_books(books_url, ENTRIES[:5])
    role = f"adds_{books_url.rpartition('test_')[2]}"
    schema = books_url.rpartition("%3D")[2]
    execute(
        books_url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    try:
        as_role = books_url.replace("://", f"://{role}@", 1) if "@" not in books_url else None
        as_role = as_role or f"postgresql://{role}@{books_url.partition('@')[2]}"
        write_books(as_role, ENTRIES[5:])
        book_statement(as_role, billed(row(0, amount=-1)))
        assert len(list(read_entries(books_url))) == 41
    finally:
        execute(books_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("sides", ["0, 0", "1, 1", "-1, 0"])
def test_the_database_itself_refuses_a_posting_without_one_positive_side(books_url, sides):
    write_books(books_url, ENTRIES)
    with pytest.raises(IntegrityError, match="one_side"):
        execute(books_url, f"INSERT INTO postings VALUES (1, 99, 'Income:Heat', 'USD', {sides})")


def test_the_largest_amount_fits_and_a_larger_books_nothing(books_url):
    def moving(amount):
        debit, credit = ENTRIES[0].postings[:2]
        sides = (
            msgspec.structs.replace(debit, debit=amount, credit=0),
            msgspec.structs.replace(credit, debit=0, credit=amount),
        )
        return msgspec.structs.replace(ENTRIES[0], postings=sides)

    with pytest.raises(BadInput, match="entry 1: a posting moves 9223372036854775808 units"):
        write_books(books_url, [moving(INT64_MAX + 1)])
    write_books(books_url, [moving(INT64_MAX)])
    assert next(read_entries(books_url)).postings[0].debit == INT64_MAX


def test_a_statement_is_booked_once_with_its_entries(books_url):
    write_books(books_url, ENTRIES)
    own = [accrued(Account.ENERGY_BOUGHT, i, i + 1) for i in range(3)]
    statement = billed(*(row(i, amount=own[i] - 10 * i) for i in range(3)))
    booking = book_statement(books_url, statement)
    assert booking.is_new
    assert [change.after - change.before for change in booking.changes] == [0, -10, -20]
    made = list(read_entries(books_url))[40:]
    assert [(e.sequence, e.kind, e.interval_start_s) for e in made] == [
        (41, EntryKind.STATEMENT, START_S + 900),
        (42, EntryKind.STATEMENT, START_S + 1800),
    ]
    for entry in made:
        check(entry)
    again = book_statement(books_url, statement)
    assert (again.is_new, again.changes) == (False, ())
    assert read_statements(books_url) == (booking.booked,)
    assert len(list(read_entries(books_url))) == 42


@pytest.mark.inv("T2")
def test_entries_add_up_to_the_latest_version(books_url):
    write_books(books_url, ENTRIES)
    amounts = {Version.INITIAL: (-50, -60), Version.FINAL: (-70, 5), Version.TRUE_UP: (-1, -2)}
    for version, pair in amounts.items():
        book_statement(books_url, billed(*(row(i, amount=a) for i, a in enumerate(pair)), version=version))
        entries = list(read_entries(books_url))
        inside = [e for e in entries if e.interval_start_s < START_S + 1800]
        booked = sum(p.credit - p.debit for e in inside for p in e.postings if p.account is Account.ENERGY_BOUGHT)
        assert booked == sum(pair)
        assert entries[:40] == ENTRIES


@pytest.mark.parametrize("version", [Version.INITIAL, Version.FINAL])
def test_what_a_statement_contradicts_books_nothing(books_url, version):
    write_books(books_url, ENTRIES)
    book_statement(books_url, billed(row(0, amount=-5), row(1, amount=-5), version=Version.FINAL))
    before = list(read_entries(books_url))
    with pytest.raises(BadInput, match=r"the final version from .* is already booked"):
        book_statement(books_url, billed(row(1, amount=-6), version=version))
    with pytest.raises(BadInput, match="the statement is in EUR, the books are in USD"):
        book_statement(books_url, billed(row(30, amount=-6), asset="EUR"))
    with pytest.raises(BadInput, match="which we settled as one"):
        book_statement(books_url, billed(row(20, amount=-6, start_s=START_S + 20 * 900 + 300)))
    assert list(read_entries(books_url)) == before
    assert len(read_statements(books_url)) == 1


def test_satoshis_are_credited_from_provisional_and_later_corrected(books_url):
    write_books(books_url, ENTRIES)
    expected = sum(p.debit for e in ENTRIES[:2] for p in e.postings if p.account is Account.BITCOIN_PROVISIONAL)
    for version, credited in ((Version.INITIAL, expected - 10), (Version.FINAL, expected + 7)):
        day = row(0, amount=credited, line="mining_sats", end_s=START_S + 1800)
        book_statement(books_url, billed(day, source=Source.POOL, asset="SAT", version=version))
        held = {(r.account, r.asset): r.balance for r in read_balances(books_url)}
        assert held[Account.POOL_RECEIVABLE, Asset.SAT] == credited
        rest = sum(p.debit for e in ENTRIES[2:] for p in e.postings if p.account is Account.BITCOIN_PROVISIONAL)
        assert held[Account.BITCOIN_PROVISIONAL, Asset.SAT] == rest
        assert held[Account.CONVERSION, Asset.SAT] == -(credited + rest)


def test_a_password_is_never_shown():
    urls = [
        "postgresql://books:hunter2@127.0.0.1:1/books",
        "postgresql://books@127.0.0.1:1/books?password=hunter2",
        "postgresql://books:hun@hunter2@127.0.0.1:1/books",
        "postgresql://books:hunter2@127.0.0.1:none/books",
        "nosuch://books:hunter2@host/books",
    ]
    for url in urls:
        with pytest.raises(BadInput) as refused:
            write_books(url, ENTRIES)
        assert "hunter2" not in str(refused.value)
        assert "://" in str(refused.value)
