"""The wire under the fleet: bounds on what it opens, and ends that cannot be missed."""

import asyncio
import time

from headrace.adapters.miners.braiins import Braiins
from headrace.adapters.miners.codec import Facts
from headrace.adapters.miners.steps import run_all
from headrace.adapters.miners.wire import Dropped, Mute, Opened, Talk, Unreachable, Wire, WireLimits
from headrace.control.commands import Action

FACTS = Facts(now_s=0, nonce="0" * 16)


def wire(**limits) -> Wire:
    return Wire(now_us=lambda: time.time_ns() // 1000, monotonic=time.perf_counter, limits=WireLimits(**limits))


def stop(host: str, port: int) -> Talk:
    return Talk(host, port, Braiins().command(Action.STOP, None, None, FACTS))


async def listener(on_connect):
    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    return server, *server.sockets[0].getsockname()


def one(talk: Talk):
    ended = yield talk
    return ended


async def test_no_more_are_at_work_than_may_be():
    most = present = 0

    async def answer(reader, writer):
        nonlocal most, present
        present += 1
        most = max(most, present)
        await reader.read(100)
        await asyncio.sleep(0.002)
        present -= 1
        writer.write(b'{"STATUS":[{"STATUS":"S","Msg":"done"}]}')
        writer.close()

    server, host, port = await listener(answer)
    line = wire()
    ends = await run_all(line, (one(stop(host, port)) for _ in range(60)), at_once_max=7, within_s=10.0)
    line.close()
    server.close()
    assert len(ends) == 60
    assert 1 < most <= 7


async def test_work_that_never_ends_is_cut_and_what_was_not_begun_is_said_not_to_have_been():
    async def nothing(reader, writer):
        await reader.read(1000)

    server, host, port = await listener(nothing)
    line = wire(answer_s=60.0)
    ends = await run_all(line, (one(stop(host, port)) for _ in range(5)), at_once_max=2, within_s=0.1)
    line.close()
    server.close()
    assert [type(end.how) for end in ends[:2]] == [Mute, Mute]
    assert [type(end.how) for end in ends[2:]] == [Unreachable] * 3
    assert all(end.sent_us is None for end in ends[2:])


async def test_nothing_to_do_is_done():
    line = wire()
    assert await run_all(line, (), at_once_max=3, within_s=1.0) == []
    line.close()


async def test_an_opened_connection_is_handed_over_and_a_refused_one_says_so():
    async def nothing(reader, writer):
        await reader.read(1000)

    server, host, port = await listener(nothing)
    line = wire()
    (opened,) = await run_all(line, [one(Talk(host, port, None))], at_once_max=1, within_s=5.0)
    assert isinstance(opened.how, Opened)
    opened.how.sock.close()
    server.close()
    await server.wait_closed()
    (refused,) = await run_all(line, [one(Talk(host, port, None))], at_once_max=1, within_s=5.0)
    line.close()
    assert refused.how == Unreachable("Connection refused")


async def test_closing_the_wire_ends_every_talk():
    async def nothing(reader, writer):
        await reader.read(1000)

    server, host, port = await listener(nothing)
    line = wire()
    ends = []
    for _ in range(3):
        line.begin(stop(host, port), ends.append)
    await asyncio.sleep(0)
    line.close()
    server.close()
    assert [end.how for end in ends] == [Dropped("closed")] * 3
