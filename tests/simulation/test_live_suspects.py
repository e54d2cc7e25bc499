"""A liar among machines that look alike is named by the restorations that follow, over seeds, and nobody else is."""

import math

import msgspec
import numpy as np
import pytest

from headrace.control.orders import Authority, OrderKind
from headrace.dispatch.policies import AlwaysOn
from headrace.engine.live.records import Believed, Outcomes, Suspected
from headrace.sim.world.faults import Fault, FaultKind
from live_cases import RULES, Campus, order

MACHINES = 32
QUICK = msgspec.structs.replace(RULES, poll_s=1.0, asset_poll_s=10.0)


def events(path, liars, count, *, run_s=600.0):
    """So many sheds of a whole hall, each restored; what was believed of whom in the end, and the records."""
    faults = [Fault(kind=FaultKind.LYING, target=name, start_s=0.0) for name in liars]
    campus = Campus(path, policy=AlwaysOn, machines=MACHINES, faults=faults, rules=QUICK)
    told = {}

    async def desk(site) -> None:
        await campus.clock.sleep_until(campus.window.start_s + 60.0)
        for n in range(count):
            shed = order(
                campus,
                OrderKind.SHED,
                5.5,
                name=f"op.{n}",
                feeder="S21-hall",
                authority=Authority.VOLUNTARY,
                within_s=30.0,
            )
            await site.submit(shed)
            await campus.clock.sleep_until(campus.clock.now_s() + 120.0)
            end = order(
                campus,
                OrderKind.RESTORE,
                name=f"op.{n}.end",
                feeder="S21-hall",
                authority=Authority.VOLUNTARY,
                ends=f"op.{n}",
            )
            await site.submit(end)
            await campus.clock.sleep_until(campus.clock.now_s() + run_s - 120.0)
        told["health"] = site.status().health
        told["running"] = {each.name: each.running for each in site.status().loads}["S21 hall"]

    campus.run(count * run_s + 200.0, desk)
    return told, campus.records()


def named(records) -> set[str]:
    return {
        name
        for each in records
        if isinstance(each, Believed)
        for name, why in each.changes.items()
        if why.startswith("lying")
    }


@pytest.mark.inv("L10")
@pytest.mark.parametrize("seed", range(4))
def test_a_liar_among_machines_of_one_model_is_named_by_halving(tmp_path, seed):
    liar = f"S21-hall.{int(np.random.default_rng([seed, 5]).integers(0, 28))}"
    _, records = events(tmp_path / "live.jsonl", [liar], 6)
    assert named(records) == {liar}, f"seed {seed}"
    steps = [each for each in records if isinstance(each, Suspected)]
    sizes = [sum(len(s.drops_mw) for s in each.suspicions) for each in steps]
    assert len(sizes) <= 2 * math.ceil(math.log2(MACHINES)) + 2
    assert any(each.result.value == "lying" for r in records if isinstance(r, Outcomes) for each in r.outcomes)


def test_honest_machines_are_suspected_of_nothing_and_start_without_waiting(tmp_path):
    told, records = events(tmp_path / "live.jsonl", [], 1)
    assert not [each for each in records if isinstance(each, Suspected)]
    assert named(records) == set()
    assert told["running"] == MACHINES


def test_everything_runs_again_after_a_proof(tmp_path):
    told, records = events(tmp_path / "live.jsonl", ["S21-hall.5"], 1)
    assert [each for each in records if isinstance(each, Suspected)]
    assert told["running"] >= MACHINES - 1


def test_a_suspicion_survives_a_restart(tmp_path):
    _, records = events(tmp_path / "live.jsonl", ["S21-hall.5"], 1)
    state = Campus(tmp_path / "other.jsonl", machines=MACHINES).state()
    for seq, record in enumerate(records, start=1):
        state.absorb(seq, record)
    assert sum(len(each.drops_mw) for each in state.suspicions["S21-hall"]) < MACHINES


def test_two_liars_are_both_named_and_nobody_else(tmp_path):
    _, records = events(tmp_path / "live.jsonl", ["S21-hall.25", "S21-hall.14"], 4)
    assert named(records) == {"S21-hall.25", "S21-hall.14"}
