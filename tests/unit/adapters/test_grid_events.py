"""What a grid programme may say: events read, refused with their reason, and counted once."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid_rigs import DEMAND_RESPONSE, EMERGENCY
from headrace.adapters.grid.book import Ask, EventBook, GridEvent, Unreadable, plain_id
from headrace.adapters.grid.inbox import Inbox
from headrace.adapters.grid.openadr3_events import read_duration_us, read_event
from headrace.adapters.grid.programme import PositiveDelta
from headrace.adapters.grid.refusals import Why
from headrace.control.orders import OrderKind

S = 1_000_000
NOW = 1_800_000_000 * S
CONTEXT = EMERGENCY.context


def event(event_id="evt-7", modification=0, *, mw=12.0, starts=60, lasts=900, **changes):
    asks = (Ask(starts_us=NOW + starts * S, ends_us=NOW + (starts + lasts) * S, kind=OrderKind.LIMIT, mw=mw),)
    fields = {"id": event_id, "modification": modification, "context": CONTEXT, "asks": asks}
    return GridEvent(**fields | {"revision": f"m{modification}" if modification else ""} | changes)


@pytest.fixture
def book():
    return EventBook("adr2", [EMERGENCY, DEMAND_RESPONSE])


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (event(mw=5_000.0), Why.ABSURD),
        (event(mw=float("nan")), Why.ABSURD),
        (event(mw=-1.0), Why.ABSURD),
        (event(lasts=10 * 86_400), Why.ABSURD),
        (event(lasts=-5), Why.ABSURD),
        (event(starts=30 * 86_400), Why.ABSURD),
        (event(starts=-2_000, lasts=900), Why.PAST),
        (event(context="http://nobody.example"), Why.UNKNOWN_PROGRAMME),
        (event(asks=event().asks * 500), Why.ABSURD),
    ],
)
def test_what_cannot_be_is_refused(book, bad, why):
    taken = book.take(bad, NOW)
    assert (taken.why, taken.orders) == (why, ())
    assert taken.reason


def test_an_older_modification_is_refused_and_changes_nothing(book):
    book.take(event(modification=2), NOW)
    assert book.take(event(modification=1, mw=1.0), NOW).why is Why.REORDERED
    assert book.take(event(modification=2), NOW).is_known


def test_one_modification_number_has_one_content(book):
    book.take(event(), NOW)
    assert book.take(event(mw=3.0), NOW).why is Why.CONFLICTING


def test_a_window_under_way_binds_from_now(book):
    order = book.take(event(starts=-60), NOW).orders[0]
    assert (order.starts_us, order.ends_us) == (NOW, NOW + 840 * S)


def test_a_restart_knows_the_orders_in_force(book):
    old = book.take(event(), NOW).orders
    again = EventBook("adr2", [EMERGENCY], known=old)
    assert again.take(event(), NOW).is_known
    new, restore = again.take(event(modification=1, mw=9.0), NOW).orders
    assert (new.id, restore.ends) == ("adr2.evt-7.m1", old[0].id)


def test_an_event_refused_at_every_poll_is_counted_once():
    inbox = Inbox("adr3", [EMERGENCY], lambda: NOW)
    for _ in range(5):
        inbox.take(event(mw=5_000.0))
    assert inbox.refusals.counts == {Why.ABSURD: 1}


def test_the_site_may_decline_what_is_voluntary_and_nothing_else():
    inbox = Inbox("adr2", [EMERGENCY, DEMAND_RESPONSE], lambda: NOW, consent=lambda order: "hall 2 is locked out")
    assert inbox.take(event("evt-1", context=DEMAND_RESPONSE.context)).why is Why.DECLINED
    assert inbox.take(event("evt-2")).why is None


def test_opting_out_of_a_change_restores_what_it_changed():
    answers = iter(["", "no more"])
    inbox = Inbox("adr2", [DEMAND_RESPONSE], lambda: NOW, consent=lambda order: next(answers))
    inbox.take(event(context=DEMAND_RESPONSE.context))
    inbox.take(event(modification=1, mw=9.0, context=DEMAND_RESPONSE.context))
    waiting = [inbox._orders.get_nowait() for _ in range(inbox._orders.qsize())]
    assert [order.kind for order in waiting] == [OrderKind.LIMIT, OrderKind.RESTORE]


@given(st.text(max_size=200))
def test_any_id_makes_a_plain_part_of_an_orders_id(event_id):
    part = plain_id(event_id)
    assert "." not in part
    assert part
    assert len(part) <= 64


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0.0, 100.0), st.booleans()), max_size=12))
def test_whatever_comes_at_most_one_revision_of_an_event_binds(changes):
    book, open_ids = EventBook("adr2", [EMERGENCY]), set()
    for modification, mw, is_cancelled in changes:
        for order in book.take(event(modification=modification, mw=mw, is_cancelled=is_cancelled), NOW).orders:
            if order.kind is OrderKind.RESTORE:
                open_ids.remove(order.ends)
            else:
                open_ids.add(order.id)
        assert len(open_ids) <= 1


def raw_event(**changes):
    payload = {"type": "IMPORT_CAPACITY_LIMIT", "values": [12_000.0]}
    return {
        "id": "e1",
        "programID": "p1",
        "intervalPeriod": {"start": "2027-01-15T08:01:00Z", "duration": "PT15M"},
        "intervals": [{"id": 0, "payloads": [payload]}],
    } | changes


def read(raw, programme=EMERGENCY):
    return read_event(raw, CONTEXT, lambda context, what: programme, NOW)


def interval(kind, *values):
    return [{"id": 0, "payloads": [{"type": kind, "values": list(values)}]}]


def test_units_come_from_the_descriptors():
    descriptor = {"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "MW"}
    ask = read(raw_event(payloadDescriptors=[descriptor], intervals=interval("IMPORT_CAPACITY_LIMIT", 12.0))).asks[0]
    assert ask.mw == 12.0
    assert read(raw_event()).asks[0].mw == 12.0


def test_a_relative_setpoint_means_what_the_programme_says():
    less = raw_event(intervals=interval("DISPATCH_SETPOINT_RELATIVE", -5_000.0))
    assert [(ask.kind, ask.mw) for ask in read(less).asks] == [(OrderKind.SHED, 5.0)]
    sheds = msgspec.structs.replace(EMERGENCY, positive_delta=PositiveDelta.SHEDS)
    with pytest.raises(Unreadable, match="5 MW more than now"):
        read(less, sheds)


def test_intervals_follow_each_other():
    pair = [{"id": n, "payloads": [{"type": "DISPATCH_SETPOINT", "values": [1e3 * n]}]} for n in (1, 0)]
    first, second = read(raw_event(intervals=pair)).asks
    assert (first.mw, second.mw) == (0.0, 1.0)
    assert second.starts_us == first.ends_us == first.starts_us + 900 * S


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"intervals": None}, Why.MALFORMED),
        ({"intervals": [{"id": 0}]}, Why.MALFORMED),
        ({"intervals": interval("IMPORT_CAPACITY_LIMIT")}, Why.MALFORMED),
        ({"intervals": interval("IMPORT_CAPACITY_LIMIT", "12")}, Why.MALFORMED),
        ({"intervals": interval("IMPORT_CAPACITY_LIMIT", True)}, Why.MALFORMED),
        ({"intervals": interval("SIMPLE", 7)}, Why.ABSURD),
        ({"intervals": interval("SIMPLE", 1)}, Why.UNSUPPORTED),
        ({"intervals": interval("PRICE", 0.2)}, Why.UNSUPPORTED),
        ({"intervalPeriod": {"start": "2027-01-15T08:01:00", "duration": "PT15M"}}, Why.MALFORMED),
        ({"intervalPeriod": {"start": "soon", "duration": "PT15M"}}, Why.MALFORMED),
        ({"intervalPeriod": {"start": "2027-01-15T08:01:00Z", "duration": "a while"}}, Why.MALFORMED),
        ({"payloadDescriptors": [{"payloadType": "IMPORT_CAPACITY_LIMIT", "units": "VOLTS"}]}, Why.UNSUPPORTED),
    ],
)
def test_an_event_that_says_nothing_usable_is_unreadable(changes, why):
    with pytest.raises(Unreadable) as found:
        read(raw_event(**changes))
    assert found.value.why is why


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(["id", "intervals", "intervalPeriod", "payloadDescriptors", "createdDateTime"]), JSON)
def test_any_json_is_an_event_or_a_reason(key, value):
    with suppress(Unreadable):
        assert read(raw_event(**{key: value})).asks


@pytest.mark.parametrize(
    ("text", "us"),
    [("PT15M", 900 * S), ("P1DT1H", 90_000 * S), ("PT0.5S", 500_000), ("P2W", 14 * 86_400 * S), ("P9999Y", None)],
)
def test_durations(text, us):
    assert read_duration_us(text) == us
