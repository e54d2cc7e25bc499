"""Finding miners: every one of them, by the dialect it speaks, and a reason for what is none."""

import asyncio
import time
from ipaddress import IPv4Network

import pytest

from command_line import run
from headrace.adapters.miners.codec import Credentials
from headrace.adapters.miners.dialects import codec_for
from headrace.adapters.miners.discovery import ScanLimits, discover
from headrace.engine.clock import WallClock
from headrace.sim.miners import antminer, braiins_rest
from headrace.sim.miners.faults import FaultRates
from headrace.sim.miners.serve import TWINS, FleetSpec, addresses, build

PROMPT = FaultRates(delay_least_s=0.0, delay_mean_extra_s=0.0)
LOG_INS = {
    "antminer": Credentials(user=antminer.USER, password=antminer.PASSWORD),
    "braiins-rest": Credentials(user=braiins_rest.USER, password=braiins_rest.PASSWORD),
}


async def scan(network: str, **more):
    return await discover(
        [IPv4Network(network)], now_us=WallClock().now_us, monotonic=time.perf_counter, credentials=LOG_INS, **more
    )


@pytest.mark.parametrize("dialect", sorted(TWINS))
async def test_every_miner_of_a_network_is_found_with_its_dialect(dialect):
    spec = FleetSpec(dialect=dialect, count=25, port=codec_for(dialect).port, network="127.33", faults=PROMPT)
    simulated = build(spec)
    try:
        listening = await simulated.listen(addresses(spec))
    except OSError as error:
        pytest.skip(f"the dialect's own port cannot be bound here: {error}")
    try:
        found = await scan("127.33.0.0/23")
    finally:
        await simulated.close()
    assert found.addresses == 510
    assert {(each.host, each.port) for each in found.found} == set(listening)
    assert {each.dialect for each in found.found} == {dialect}
    assert all(each.status.firmware for each in found.found)
    assert found.odd == ()


async def test_a_listener_that_is_no_miner_is_odd_with_a_reason():
    async def talk(reader, writer):
        await reader.read(10)
        writer.write(b"SSH-2.0\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.34.0.1", 4028)
    other = await asyncio.start_server(talk, "127.34.0.2", 8889)
    async with server, other:
        found = await scan("127.34.0.0/29", limits=ScanLimits(answer_s=1.0))
    assert found.found == ()
    assert [(each.host, each.ports) for each in found.odd] == [("127.34.0.1", (4028,)), ("127.34.0.2", (8889,))]
    assert "4028 as braiins" in found.odd[0].reason
    assert "no dialect" in found.odd[1].reason


def test_a_network_that_is_not_private_is_refused(capsys, monkeypatch):
    said = run(capsys, monkeypatch, "miners", "scan", "8.8.8.0/24")
    assert said.code == 5
    assert "--yes" in said.err


@pytest.mark.parametrize("arguments", [["10.0.0.0/8"], ["10.0.0.1/24"], ["ten"], ["127.0.0.0/30", "--ports", "0"]])
def test_a_scan_that_cannot_be_is_a_mistake(capsys, monkeypatch, arguments):
    said = run(capsys, monkeypatch, "miners", "scan", *arguments)
    assert said.code == 2
    assert said.err.startswith("headrace: ")


def test_a_scan_prints_json(capsys, monkeypatch):
    said = run(capsys, monkeypatch, "miners", "scan", "127.35.0.0/30", "--json")
    assert (said.code, said.json["found"], said.json["addresses"]) == (0, [], 2)
