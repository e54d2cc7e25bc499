"""A breach's hints carried out through power caps, reported over a real broker and heard by the controller."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flex_factory import AGENT_PEER, SIGNER, asset, feed, mock, private_pem, public_pem, wall_us
from headrace.adapters.dsx_flex import Factory, FlexController, peer_of, signer_of
from headrace.adapters.dsx_flex.enforcer import Enforcer
from headrace.adapters.dsx_flex.envelope import Sealer
from headrace.adapters.mqtt import MqttEndpoint, MqttLink
from headrace.control.commands import Action, Command
from headrace.sim.caps import Accelerator, SimulatedCaps
from mosquitto import broker

KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("can_suspend", [True, False])
async def test_hints_are_carried_out_reported_and_given_back(tmp_path, can_suspend):
    paused = set()

    async def suspend(unit, is_paused):
        (paused.add if is_paused else paused.discard)(unit)
        return ""

    with broker(tmp_path) as port:
        factory = mock(port, [feed(least_mw=0.0003)])
        factory.start()
        link = MqttLink(MqttEndpoint(host="127.0.0.1", port=port, client_id="headrace"))
        infra = peer_of(public_pem(KEY), source="//grid/v1/infra/ima", key_id="ima-1", where="t", is_bound=True)
        controller = FlexController(
            Factory(name="hall1", isv="headrace", agent="hall1", infra="ima"),
            link,
            signer=SIGNER,
            peers=(AGENT_PEER, infra),
            now_us=wall_us,
        )
        node = Accelerator()
        enforcer = Enforcer(
            SimulatedCaps({"main-a-n1": node}, now_us=wall_us),
            suspend=suspend if can_suspend else None,
            sealer=Sealer(
                role="infra", identifier="ima", signer=signer_of(private_pem(KEY), key_id="ima-1", where="t")
            ),
            link=link,
            now_us=wall_us,
        )
        try:
            await controller.arm([asset()])
            now_us = wall_us()
            await controller.send(
                [
                    Command(
                        id="o1.1", asset="ai.main-a", action=Action.CAP, power_mw=5.0,
                        commanded_us=now_us, expires_us=now_us + 10_000_000, reason="t",
                    )
                ]
            )  # fmt: skip
            factory.measure("main-a", 7.0)
            active = await heard(controller.alerts, 1)
            done = await enforcer.handle(active)
            assert (node.limit_w, paused) == (300, {"main-a-n0"} if can_suspend else set())
            assert (done.action, done.code) == ("applied", "success" if can_suspend else "partial")
            assert [r.code for r in done.results] == ["applied" if can_suspend else "skipped", "applied"]
            factory.measure("main-a", 5.0)
            back = await enforcer.handle(await heard(controller.alerts, 2))
            assert (back.action, back.code) == ("reverted", "success")
            assert (node.limit_w, paused) == (700, set())
            assert (await heard(controller.enforcements, 2)) == back
            assert controller.inspector.refused == {}
        finally:
            await controller.close()
            factory.close()


async def heard(messages, count):
    for _ in range(500):
        if len(messages) >= count:
            return messages[-1]
        await asyncio.sleep(0.01)
    pytest.fail("nothing came")
