"""Hostile or broken peers of the grid doors: a reason, never a crash."""

import asyncio

import pytest

from grid_rigs import EMERGENCY, Adr3Rig, Collected, until, wall_us

pytest.importorskip("openleadr", reason="the extra `live` is not installed")

import aiohttp
from aiohttp import web

from headrace.adapters.grid.openadr2 import OpenAdr2, OpenAdr2Settings
from headrace.adapters.grid.openadr2_wire import WireSettings
from headrace.adapters.grid.openadr3 import OpenAdr3, OpenAdr3Settings
from headrace.adapters.grid.openadr3_rest import RestSettings
from headrace.adapters.grid.refusals import Why

ENTITY = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"<not xml", 200, Why.MALFORMED),
        (b"<a/>", 200, Why.MALFORMED),
        (ENTITY, 200, Why.MALFORMED),
        (b"x" * 200_000, 200, Why.MALFORMED),
        (b"", 403, Why.UNAUTHORISED),
        (b"", 500, Why.UNREACHABLE),
        (None, 200, Why.UNREACHABLE),
    ],
    ids=["no xml", "other xml", "entities", "oversize", "forbidden", "failing", "silent"],
)
async def test_a_vtn_that_answers_nonsense_is_a_reason(body, status, why):
    async def answer(request):
        if body is None:
            await asyncio.sleep(5.0)
        return web.Response(body=body, status=status)

    app = web.Application()
    app.router.add_post("/{service}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    wire = WireSettings(url=url, timeout_s=0.3, reply_max_bytes=100_000)
    door = OpenAdr2(OpenAdr2Settings(wire=wire, ven_name="headrace", poll_s=0.1), [EMERGENCY], wall_us)
    orders = Collected(door)
    await until(lambda: door.refusals.counts[why], f"{why}, found {list(door.refusals.last)}")
    assert orders.orders == []
    await door.close()
    await orders.ended()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"<html>sign in</html>", 200, Why.MALFORMED),
        (b"[" * 100_000, 200, Why.MALFORMED),
        (b'[{"id":' + b'{"a":' * 50_000, 200, Why.MALFORMED),
        (b"\xff", 200, Why.MALFORMED),
        (b"7", 200, Why.MALFORMED),
        (b"[1," * 1_500_000, 200, Why.MALFORMED),
        (b'[{"id": "p", "programName": null}]', 200, Why.UNKNOWN_PROGRAMME),
        (b"[" + b",".join([b'{"id": "p"}'] * 50) + b"]", 200, Why.ABSURD),
        (b"boom", 500, Why.UNREACHABLE),
        (b"", 302, Why.UNREACHABLE),
    ],
    ids=[
        "html",
        "nested",
        "nested inside",
        "no text",
        "number",
        "long",
        "null",
        "no last page",
        "failing",
        "elsewhere",
    ],
)
async def test_a_vtn_that_says_anything_at_all_is_polled_again(body, status, why):
    async def token(_):
        return web.json_response({"access_token": "t", "expires_in": 3600})

    async def answer(_):
        return web.Response(body=body, status=status, headers={"Location": "/again"})

    app = web.Application()
    app.router.add_post("/token", token)
    app.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    rest = RestSettings(url=url, client_id="ven", client_secret="s", token_url=f"{url}/token")
    door = OpenAdr3(OpenAdr3Settings(rest=rest, ven_name="headrace", poll_s=0.01), [EMERGENCY], wall_us)
    orders = Collected(door)
    await until(lambda: door.refusals.counts[why] > 1, f"{why} twice, found {list(door.refusals.last)}")
    assert orders.orders == []
    await door.close()
    await orders.ended()
    await runner.cleanup()


async def test_a_notification_without_the_secret_or_the_form_is_refused():
    rig = Adr3Rig()
    await rig.start()
    orders, url = Collected(rig.door), rig.door._webhook.url
    event = rig.body("evt-7", 1.0, wall_us() + 60_000_000, 900) | {"id": "forged"}
    forged = {"objectType": "EVENT", "operation": "POST", "object": event}
    right = {"Authorization": "Bearer webhook-secret"}
    async with aiohttp.ClientSession() as session:
        answers = [
            (await session.post(url, json=forged)).status,
            (await session.post(url, json=forged, headers={"Authorization": "Bearer guess"})).status,
            (await session.post(url, data=b"{", headers=right)).status,
            (await session.post(url, json=[1], headers=right)).status,
            (await session.post(url, data=b"[" * 2_000_000, headers=right)).status,
            (await session.post(url, data=b'{"a":' * 20_000, headers=right)).status,
            (await session.post(url, json={"objectType": "EVENT", "object": 7}, headers=right)).status,
            (await session.post(url, json={"objectType": "EVENT", "object": {"programID": "p"}}, headers=right)).status,
        ]
    assert answers[:6] == [403, 403, 400, 400, 400, 400]
    assert orders.orders == []
    counts = rig.door.refusals.counts
    assert (counts[Why.UNAUTHORISED], counts[Why.MALFORMED], counts[Why.UNKNOWN_PROGRAMME]) == (2, 4, 2)
    await rig.stop()


async def test_a_vtn_that_goes_away_is_found_again_and_its_orders_hold():
    rig = Adr3Rig()
    await rig.start()
    orders = Collected(rig.door)
    rig.issue("evt-7", 12.0, wall_us() + 60_000_000, 900)
    await orders.count(1)
    rig.vtn.revoke_tokens()
    rig.change("evt-7", 9.0, wall_us() + 60_000_000, 900)
    await orders.count(3)
    assert rig.door.refusals.counts[Why.UNAUTHORISED] == 0
    await rig.stop()
