"""An independent client, pyasic, takes our simulated miners for real ones; skipped where it is not importable.

It stands in the `bench` group's environment. That it and our codecs both drive the same twins is the proof that the
twins speak the dialects as others read them; no hardware was there.
"""

import pytest

from headrace.sim.miners.faults import Manner
from headrace.sim.miners.fleet import Device, Fleet
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.serve import TWINS

pytest.importorskip("pyasic", reason="needs pyasic, of the bench group")

DOES = {
    "braiins": ("bosminer", "BOSMinerRPCAPI", lambda api: (api.pause, api.resume)),
    "luxos": ("luxminer", "LUXMinerRPCAPI", lambda api: (api.sleep, api.wakeup)),
    "whatsminer-v2": ("btminer", "BTMinerRPCAPI", lambda api: (api.power_off, api.power_on)),
    "whatsminer-v3": (
        "btminer",
        "BTMinerV3RPCAPI",
        lambda api: (lambda: api.set_miner_service("stop"), lambda: api.set_miner_service("start")),
    ),
}


async def _fleet(dialect):
    model = MinerModel(ramp_down_s=0.0, ramp_up_s=0.0)
    fleet = Fleet([Device(0, TWINS[dialect][0](), model, Manner.HONEST)], delays_s=(0.0,))
    return fleet, (await fleet.listen([("127.0.0.1", 0)]))[0]


@pytest.mark.parametrize("dialect", DOES)
async def test_pyasic_stops_and_wakes_a_twin(dialect):
    import importlib

    module, name, commands = DOES[dialect]
    fleet, (host, port) = await _fleet(dialect)
    api = getattr(importlib.import_module(f"pyasic.rpc.{module}"), name)(host)
    api.port = port
    if dialect == "whatsminer-v2":
        api.pwd = "admin"
    try:
        stop, wake = commands(api)
        await stop()
        assert fleet.power_w() == 60.0
        await wake()
        assert fleet.power_w() == 3400.0
    finally:
        await fleet.close()


async def test_pyasic_reads_and_writes_the_configuration_of_an_antminer_twin():
    from pyasic.web.antminer import AntminerModernWebAPI

    fleet, (host, port) = await _fleet("antminer")
    api = AntminerModernWebAPI(host)
    api.port, api.pwd = port, "root"
    try:
        conf = await api.get_miner_conf()
        assert (await api.set_miner_conf({**conf, "miner-mode": "1"}))["stats"] == "success"
        assert (await api.get_miner_conf())["bitmain-work-mode"] == "1"
        assert fleet.power_w() == 60.0
    finally:
        await fleet.close()
