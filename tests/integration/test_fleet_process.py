"""A simulated fleet in a process of its own: it listens, notes what came, forgets on demand, ends with its parent."""

import socket
import time

import pytest

from headrace.sim.miners.faults import FaultRates, Manner
from headrace.sim.miners.process import FleetProcess
from headrace.sim.miners.serve import FleetSpec

QUICK = FaultRates(delay_least_s=0.0, delay_mean_extra_s=0.0, mute_ratio=0.25)


def _pause(address) -> bytes:
    with socket.create_connection(address, timeout=5.0) as link:
        link.settimeout(5.0)
        link.sendall(b'{"command":"pause"}')
        return link.recv(4096)


def test_a_fleet_notes_when_each_machine_heard_and_what_changed():
    with FleetProcess(FleetSpec(count=4, port=0, network="127.94", faults=QUICK)) as fleet:
        before = fleet.records()
        heard = before.manners.index(Manner.HONEST)
        sent_ns = time.monotonic_ns()
        assert b"PAUSE" in _pause(fleet.addresses[heard])
        after = fleet.records()
        assert sent_ns < after.first_ns[heard] < time.monotonic_ns()
        assert [after.requests[i] for i in range(4)] == [int(i == heard) for i in range(4)]
        assert after.effects[heard] == 1
        fleet.reset()
        assert fleet.records().requests == [0, 0, 0, 0]
        assert sum(manner is Manner.MUTE for manner in before.manners) == 1


def test_a_fleet_that_cannot_start_says_so():
    with pytest.raises(OSError, match="did not start"):
        FleetProcess(FleetSpec(dialect="avalon", count=1))


def test_it_ends_with_its_input():
    fleet = FleetProcess(FleetSpec(count=1, port=0, network="127.94"))
    fleet.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(fleet.addresses[0], timeout=5.0)
