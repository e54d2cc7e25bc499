"""Whose word ends a mandatory event: its programme's, over the real protocol, before a restart and after."""

import pytest

from grid_rigs import EMERGENCY, Adr2Rig, Adr3PollRig, Collected, until, wall_us

pytest.importorskip("openleadr", reason="the extra `live` is not installed")

import msgspec

from headrace.adapters.grid.book import Ask, EventBook, GridEvent
from headrace.adapters.grid.inbox import Inbox
from headrace.adapters.grid.openadr2 import OpenAdr2, OpenAdr2Settings
from headrace.adapters.grid.openadr2_wire import WireSettings
from headrace.adapters.grid.openadr3 import OpenAdr3, OpenAdr3Settings
from headrace.adapters.grid.openadr3_rest import RestSettings
from headrace.control.orders import Authority, OrderKind

S = 1_000_000


def door_after_restart(rig, known):
    """The door that a restarted engine makes: it knows what the journal says is in force."""
    if rig.prefix == "adr2":
        settings = OpenAdr2Settings(
            wire=WireSettings(url=rig.vtn.url), ven_name="headrace", poll_s=0.1, poll_least_s=0.1
        )
        return OpenAdr2(settings, [EMERGENCY], wall_us, known)
    rest = RestSettings(url=rig.vtn.url, client_id="ven", client_secret="ven-secret")
    return OpenAdr3(OpenAdr3Settings(rest=rest, ven_name="headrace", poll_s=0.1), [EMERGENCY], wall_us, known)


@pytest.fixture(params=[Adr2Rig, Adr3PollRig])
async def rig(request):
    rig = request.param()
    await rig.start()
    yield rig
    await rig.stop()


async def restarted(rig, lasts_s=3600):
    """An event taken, then the engine gone and another there: the order, the door, what comes through it."""
    before = Collected(rig.door)
    rig.issue("evt", 5.0, wall_us(), lasts_s)
    order = (await before.count(1))[0]
    await rig.answered("evt", 1)
    await rig.door.close()
    door = door_after_restart(rig, (order,))
    return order, door, Collected(door)


async def test_an_event_that_stands_is_not_touched_by_a_restart(rig):
    _, door, after = await restarted(rig)
    await until(lambda: getattr(door, "is_registered", False) or getattr(door, "is_open", False), "the VTN again")
    rig.repeat("evt")
    until_us = wall_us() + S // 2
    await until(lambda: wall_us() > until_us, "several polls")
    assert after.orders == []
    await door.close()


async def test_a_changed_event_restores_its_old_order_after_a_restart(rig):
    order, door, after = await restarted(rig)
    await until(lambda: getattr(door, "is_registered", False) or getattr(door, "is_open", False), "the VTN again")
    rig.change("evt", 3.0, wall_us(), 3600)
    first, second = await after.count(2)
    assert (first.kind, first.mw) == (OrderKind.LIMIT, 3.0)
    assert (second.kind, second.ends, second.authority) == (OrderKind.RESTORE, order.id, Authority.GRID)
    await door.close()


async def test_an_event_cancelled_while_the_engine_was_down_restores_its_order(rig):
    before = Collected(rig.door)
    rig.issue("evt", 5.0, wall_us(), 3600)
    order = (await before.count(1))[0]
    await rig.answered("evt", 1)
    await rig.door.close()
    rig.cancel("evt")
    door = door_after_restart(rig, (order,))
    after = Collected(door)
    restore = (await after.count(1))[0]
    assert (restore.kind, restore.ends) == (OrderKind.RESTORE, order.id)
    await door.close()


async def test_an_event_that_its_programme_ends_is_restored_once(rig):
    taken = Collected(rig.door)
    rig.issue("evt", 5.0, wall_us(), 4)  # long enough to be taken on a loaded machine
    order = (await taken.count(1))[0]
    await rig.answered("evt", 1)
    await until(lambda: wall_us() > order.ends_us + S // 2, "the stated end")
    if rig.prefix == "adr3":
        assert len(taken.orders) == 1  # it is still at the server: time alone ends nothing
        rig.cancel("evt")
    restore = (await taken.count(2))[1]  # OpenADR 2.0b: the server says "completed" when it is asked
    assert (restore.kind, restore.ends, restore.authority) == (OrderKind.RESTORE, order.id, Authority.GRID)
    rig.repeat("evt")
    assert not rig.door._inbox.book.overdue_events(wall_us())
    assert len(taken.orders) == 2


async def test_an_event_that_ended_while_the_engine_was_down_is_restored(rig):
    order, door, after = await restarted(rig, lasts_s=4)
    await until(lambda: wall_us() > order.ends_us, "the stated end")
    if rig.prefix == "adr3":
        rig.cancel("evt")
    restore = (await after.count(1))[0]
    assert (restore.kind, restore.ends) == (OrderKind.RESTORE, order.id)
    await door.close()


def event(*asks, **fields):
    return GridEvent(**({"id": "evt", "modification": 1, "context": EMERGENCY.context, "asks": asks} | fields))


def ask(starts_s, ends_s, mw=5.0):
    return Ask(starts_us=starts_s * S, ends_us=ends_s * S, kind=OrderKind.LIMIT, mw=mw)


def test_the_next_part_of_an_event_ends_the_one_before():
    book = EventBook("adr3", [EMERGENCY])
    book.take(event(ask(0, 300), ask(300, 600, 8.0)), 0)
    assert book.ended_by_statement(299 * S).orders == ()
    (restore,) = book.ended_by_statement(300 * S).orders
    assert restore.ends == "adr3.evt.i0"
    assert book.ended_by_statement(900 * S).orders == ()  # nothing followed the last part: time is no permission
    assert book.open_events(900 * S) == ("evt",)


def test_a_programme_whose_stated_end_is_permission_ends_by_it():
    stating = msgspec.structs.replace(EMERGENCY, end_permits=True)
    now_us = [0]
    inbox = Inbox("adr3", [stating], lambda: now_us[0])
    inbox.take(event(ask(0, 300)))
    now_us[0] = 301 * S
    inbox.look()
    inbox.look()
    found = [inbox._orders.get_nowait() for _ in range(inbox._orders.qsize())]
    assert [each.kind for each in found] == [OrderKind.LIMIT, OrderKind.RESTORE]


def test_an_event_first_heard_of_as_completed_asks_nothing():
    book = EventBook("adr2", [EMERGENCY])
    assert book.take(event(ask(0, 300), is_over=True), 10 * S).orders == ()
