"""A scheduler is told afterwards what the agents on its nodes did, of flexible work alone."""

import asyncio

import pytest

from headrace.adapters.nodes.accounted import AccountedNodes, node_name
from headrace.control.assets import Asset, AssetKind
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.workloads import WorkState
from headrace.sim.scheduler import SimulatedScheduler


class Agents:
    """Nodes whose agents do what they are told, but for those that are mute."""

    name = "agent"

    def __init__(self, *mute: str) -> None:
        self.mute = mute

    async def arm(self, assets) -> None:
        """Nothing waits to be opened."""

    async def send(self, commands):
        return tuple(
            CommandOutcome(
                command=each.id,
                asset=each.asset,
                result=Result.MUTE if each.asset in self.mute else Result.ACKNOWLEDGED,
                commanded_us=each.commanded_us,
            )
            for each in commands
        )

    async def read(self):
        return ()

    async def close(self) -> None:
        """Nothing is held."""


def asset(name: str, *, at: str = "10.0.0.1:8631") -> Asset:
    return Asset(name=name, kind=AssetKind.NODE, load="ai", feeder="f", driver="agent", address=at, full_mw=0.01)


def command(node: str, action: Action) -> Command:
    return Command(
        id=f"o1.{node}", asset=node, action=action, commanded_us=0, expires_us=60_000_000, reason="order.grid.shed"
    )


async def states(scheduler, jobs) -> list[WorkState]:
    listing = await scheduler.workloads()
    found = {each.id: each.state for each in listing.workloads}
    return [found[job] for job in jobs]


async def until(is_so) -> None:
    for _ in range(200):
        if await is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come to pass")


@pytest.fixture
def cluster():
    scheduler = SimulatedScheduler(name="c", gpus={"n1": 8, "n2": 8, "n3": 8}, now_s=lambda: 0.0)
    jobs = [
        scheduler.submit(tier="flex", gpus=8, work_s=1e6),
        scheduler.submit(tier="", gpus=8, work_s=1e6),
        scheduler.submit(tier="flex", gpus=8, work_s=1e6),
    ]
    return scheduler, jobs


async def test_flexible_work_of_stopped_nodes_is_paused_and_resumed_and_firm_work_never(cluster):
    scheduler, jobs = cluster
    nodes = AccountedNodes(Agents("n3"), scheduler)
    await nodes.arm([asset(f"n{n}") for n in (1, 2, 3)])
    running, paused = WorkState.RUNNING, WorkState.PAUSED
    await nodes.send([command(f"n{n}", Action.STOP) for n in (1, 2, 3)])
    await until(lambda: _is(scheduler, jobs, [paused, running, running]))  # n3 was mute: nobody knows
    await nodes.send([command("n1", Action.RUN)])
    await until(lambda: _is(scheduler, jobs, [running, running, running]))
    assert nodes.counts == {Result.ACKNOWLEDGED: 2}
    await nodes.close()


async def _is(scheduler, jobs, wanted) -> bool:
    return await states(scheduler, jobs) == wanted


async def test_a_scheduler_that_does_not_answer_holds_nothing_up(cluster):
    scheduler, _ = cluster
    scheduler.mute_reason = "controller is down"
    nodes = AccountedNodes(Agents(), scheduler)
    await nodes.arm([asset("n1")])
    (outcome,) = await nodes.send([command("n1", Action.STOP)])
    assert outcome.result is Result.ACKNOWLEDGED
    await nodes.settle()
    assert nodes.counts[Result.UNREACHABLE] >= 1
    assert nodes.reason == "controller is down"
    await nodes.close()


def test_a_node_may_have_another_name_at_its_scheduler():
    assert node_name(asset("rack1.n1")) == "rack1.n1"
    assert node_name(asset("rack1.n1", at="10.0.0.1:8631/n17")) == "n17"
