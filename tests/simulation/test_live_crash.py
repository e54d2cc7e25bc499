"""Killed at any byte, a live engine goes on where it fell: no decision lost, no effect repeated, orders still met."""

import asyncio
from collections import Counter

import pytest

from headrace.control.orders import OrderKind
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.journal import JournalWriter
from headrace.engine.live.records import Closed, Commanded, Decided, Delivered, Ordered
from live_cases import RULES, Campus, order

ORDER_AT_S = 420.0
KILLED_WITHIN_S = 1200.0
AFTER_S = 1500.0


class Killed(BaseException):
    """The process is gone."""


def killing(monkeypatch, campus: Campus, at_record: int, torn: int) -> None:
    """Let the process die once record `at_record` is written, all but its last `torn` bytes."""
    append, flush = JournalWriter.append, JournalWriter.flush
    dead = []

    def dying_append(writer: JournalWriter, record: bytes) -> None:
        if dead:
            raise Killed
        append(writer, record)
        if writer.seq == at_record:
            flush(writer)
            dead.append(True)
            if torn:
                content = campus.path.read_bytes()
                campus.path.write_bytes(content[:-torn])
            raise Killed

    def dying_flush(writer: JournalWriter) -> None:
        if dead:
            raise Killed
        flush(writer)

    monkeypatch.setattr(JournalWriter, "append", dying_append)
    monkeypatch.setattr(JournalWriter, "flush", dying_flush)


def shedding(campus: Campus):
    async def give(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + ORDER_AT_S)
        await site.submit(order(campus, OrderKind.SHED, 4.0, ends_us=None))

    return give


def run_until_killed(campus: Campus) -> None:
    try:
        campus.run(KILLED_WITHIN_S, shedding(campus))
    except (Killed, BaseExceptionGroup, asyncio.CancelledError):
        return


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> int:
    """How many records the run has that nobody kills."""
    campus = Campus(tmp_path_factory.mktemp("whole") / "live.jsonl", policy=AlwaysOn, machines=3)
    return campus.run(KILLED_WITHIN_S, shedding(campus)).state.records


@pytest.mark.inv("L11")
def test_killed_at_every_record_it_loses_no_decision_and_repeats_no_effect(tmp_path, monkeypatch, lines):
    for at_record in range(1, lines + 1):
        for torn in (0, 1 + at_record % 7):
            campus = Campus(tmp_path / f"{at_record}.{torn}.jsonl", policy=AlwaysOn, machines=3, rules=RULES)
            with monkeypatch.context() as dying:
                killing(dying, campus, at_record, torn)
                run_until_killed(campus)
            before = campus.path.read_bytes()
            campus.run(AFTER_S)
            whole_lines = before[: before.rfind(b"\n") + 1]
            assert campus.path.read_bytes().startswith(whole_lines), f"record {at_record}: a whole line was changed"
            check(campus, f"killed at record {at_record}, {torn} bytes torn")


def check(campus: Campus, case: str) -> None:
    """What must hold of a journal and of the devices, however often the engine fell."""
    records = campus.records()
    heard = Counter(effect.command for effect in campus.world.effects if effect.command)
    assert not [name for name, times in heard.items() if times > 1], f"{case}: an effect was repeated"
    written = {command.id for each in records if isinstance(each, Commanded) for command in each.commands}
    assert set(heard) <= written, f"{case}: an effect without its record"
    closed = [each.cycle.at_s for each in records if isinstance(each, Closed)]
    step_s = campus.model.site.control_step_s
    assert closed == list(range(closed[0], closed[-1] + step_s, step_s)), f"{case}: an interval is missing"
    decided = [each.at_s for each in records if isinstance(each, Decided)]
    assert len(set(decided)) == len(decided), f"{case}: an interval was decided twice"
    imported_wh = sum(each.cycle.reading.meters.import_wh for each in records if isinstance(each, Closed))
    last_wh = [each for each in records if isinstance(each, Closed)][-1].counters["import_wh"]
    based_wh = next(each.counters["import_wh"] for each in records if hasattr(each, "counters"))
    assert imported_wh == last_wh - based_wh, f"{case}: energy was lost or counted twice"
    if any(isinstance(each, Ordered) for each in records):
        assert any(isinstance(each, Delivered) and each.is_met for each in records), f"{case}: the order was not met"
