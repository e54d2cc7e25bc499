"""Power limits: NVML beside a stub library, Redfish against a controller on loopback, and the simulated ones."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import caps_contract
from caps_contract import keep_the_contract, wall_us
from headrace.adapters.caps.node import node_power_cap
from headrace.adapters.caps.redfish import RedfishCaps, RedfishUnit
from headrace.core import BadInput
from headrace.sim.caps import Accelerator, RedfishServer, SimulatedCaps


@pytest.fixture
def server():
    controller = RedfishServer([Accelerator(), Accelerator()], user="root", password="secret-word")
    controller.start()
    yield controller
    controller.close()


def redfish(server, tmp_path, *, password="secret-word", **more) -> RedfishCaps:
    secret = tmp_path / "password"
    secret.write_text(f"{password}\n")
    units = tuple(
        RedfishUnit(name=name, controller=server.address, resource=server.resource(name))
        for name in server.accelerators
    )
    return RedfishCaps(units, user="root", password_file=str(secret), now_us=wall_us, **more)


async def test_simulated_caps_keep_the_contract():
    await keep_the_contract(SimulatedCaps({"a": Accelerator(), "b": Accelerator()}, now_us=wall_us))


async def test_redfish_keeps_the_contract(server, tmp_path):
    await keep_the_contract(redfish(server, tmp_path))


@pytest.mark.parametrize(("case", "environment"), [("contract", {}), ("lost", {"NVML_STUB_LOST": "1"})])
def test_nvml_keeps_the_contract(tmp_path, case, environment):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the stub of NVML")
    here = Path(caps_contract.__file__)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(here.with_name("nvml_stub.c"))], check=True)
    environment = os.environ | environment | {"LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(here), case], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "kept\n", done.stderr


async def test_nvml_without_a_driver_says_so():
    from headrace.adapters.caps.nvml import NvmlCaps

    caps = NvmlCaps(now_us=wall_us)
    (state,) = await caps.states()
    if not state.reason:
        pytest.skip("this machine has a driver")
    assert state.reason
    assert not (await caps.limit_power({"GPU-0": 300}))[0].is_in_force
    await caps.close()


async def test_a_change_by_somebody_else_in_between_is_read_again(server, tmp_path):
    caps = redfish(server, tmp_path)
    others = [350]
    server.before_patch = lambda each: each.limit(others.pop()) if others else None
    assert (await caps.limit_power({"GPU_SXM_1": 300}))[0].is_in_force
    assert server.accelerators["GPU_SXM_1"].limit_w == 300
    await caps.close()


async def test_whoever_is_overtaken_twice_gives_up_with_a_reason(server, tmp_path):
    caps = redfish(server, tmp_path)
    server.before_patch = lambda each: each.limit(350)
    (outcome,) = await caps.limit_power({"GPU_SXM_1": 300})
    assert not outcome.is_in_force
    assert outcome.reason == "HTTP 412: changed since it was read"
    await caps.close()


async def test_a_wrong_password_is_refused_and_never_shown(server, tmp_path):
    caps = redfish(server, tmp_path, password="other-word")
    states = await caps.states()
    assert all("HTTP 401" in s.reason for s in states)
    assert "other-word" not in repr(states) + repr(caps.__dict__)
    await caps.close()


@pytest.mark.parametrize(
    "garbage", [b"[1]", b"{", b"\xff\xfe", b'{"PowerLimitWatts": 3}', b'{"PowerLimitWatts":{"SetPoint":"x"}}']
)
async def test_a_garbled_reply_is_a_reason(server, tmp_path, garbage):
    caps = redfish(server, tmp_path)
    server.garble = garbage
    (outcome,) = await caps.limit_power({"GPU_SXM_1": 300})
    assert not outcome.is_in_force
    assert outcome.reason
    await asyncio.gather(caps.states(), caps.states())
    await caps.close()


async def test_a_controller_that_is_away_is_a_reason(server, tmp_path):
    caps = redfish(server, tmp_path, call_s=0.5)
    server.close()
    assert all("refused" in s.reason for s in await caps.states())
    await caps.close()


def test_plain_http_to_another_machine_is_refused():
    unit = RedfishUnit(name="n1", controller="http://10.0.0.1", resource="/redfish/v1/Chassis/1")
    with pytest.raises(BadInput, match="Use https"):
        RedfishCaps((unit,), user="root", password_file="", now_us=wall_us)


async def test_a_nodes_cap_is_shared_by_its_accelerators_after_the_rest():
    pair = {"a": Accelerator(), "b": Accelerator()}
    cap = node_power_cap(SimulatedCaps(pair, now_us=wall_us), rest_w=400)
    assert await cap(1201) == ""
    assert [each.limit_w for each in pair.values()] == [400, 400]
    assert "a: takes 200 to 700 W, asked for 100 W" in await cap(600)
    assert [each.limit_w for each in pair.values()] == [400, 400]
    assert await cap(None) == ""
    assert [each.limit_w for each in pair.values()] == [700, 700]
