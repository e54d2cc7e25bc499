"""Two independent public clients accept the simulated OpenADR 3 VTN: toadr3 and python-oa3-client."""

import asyncio
from datetime import UTC, datetime

import pytest

from grid_rigs import free_port, until, wall_us

toadr3 = pytest.importorskip("toadr3", reason="the group `dev` is not installed")
oa3 = pytest.importorskip("openadr3_client", reason="the group `dev` is not installed")

from headrace.sim.grid.vtn3 import Client, Vtn3  # noqa: E402  after the extras are known to be there

START = "2026-07-01T15:00:00Z"
EVENT = {
    "eventName": "heat wave",
    "priority": 0,
    "intervalPeriod": {"start": START, "duration": "PT1H"},
    "payloadDescriptors": [
        {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "IMPORT_CAPACITY_LIMIT", "units": "KW"}
    ],
    "reportDescriptors": [{"payloadType": "DEMAND", "units": "KW"}],
    "intervals": [{"id": 0, "payloads": [{"type": "IMPORT_CAPACITY_LIMIT", "values": [12000.0]}]}],
}


@pytest.fixture
async def vtn():
    clients = {"ven": Client(secret="ven-secret"), "bl": Client(secret="bl-secret", is_ven=False)}
    vtn = Vtn3(clients, free_port(), wall_us)
    await vtn.start()
    yield vtn
    await vtn.stop()


def _toadr3(vtn, client_id="ven", secret="ven-secret"):
    oauth = toadr3.OAuthScopeConfig(
        token_url=f"{vtn.url}/auth/token",
        grant_type="client_credentials",
        scope="read_all",
        client_id=client_id,
        client_secret=secret,
    )
    return toadr3.ToadrClient(vtn_url=vtn.url, oauth_config=oauth)


async def test_toadr3_reads_programs_and_events(vtn):
    program = vtn.add("programs", {"programName": "load shed"})
    event = vtn.add("events", {**EVENT, "programID": program["id"]})
    async with _toadr3(vtn) as client:
        assert [each.program_name for each in await client.get_programs()] == ["load shed"]
        found = await client.get_events(program_id=program["id"])
    assert [each.id for each in found] == [event["id"]]
    assert found[0].interval_period.start == datetime(2026, 7, 1, 15, tzinfo=UTC)
    assert found[0].intervals[0].payloads[0].values == [12000.0]


async def test_toadr3_subscribes_reports_and_pages(vtn):
    from toadr3.models import ObjectOperation, Subscription

    program = vtn.add("programs", {"programName": "load shed"})
    events = [vtn.add("events", {**EVENT, "programID": program["id"]}) for _ in range(7)]
    operation = ObjectOperation(objects=["EVENT"], operations=["POST"], callback_url="http://127.0.0.1:9/hook")
    client = _toadr3(vtn)
    client._oauth_config = toadr3.OAuthScopeConfig(
        token_url=f"{vtn.url}/auth/token",
        grant_type="client_credentials",
        scope="read_all write_reports write_subscriptions",
        client_id="ven",
        client_secret="ven-secret",
    )
    async with client:
        subscription = Subscription(client_name="ven-1", program_id=program["id"], object_operations=[operation])
        made = await client.post_subscription(subscription)
        assert (await client.get_subscription(made.id)).client_name == "ven-1"
        assert [each.id for each in await client.get_events(skip=5, limit=5)] == [e["id"] for e in events[5:]]
        report = toadr3.models.Report(
            program_id=program["id"],
            event_id=events[0]["id"],
            client_name="ven-1",
            resources=[
                {"resource_name": "site", "intervals": [{"id": 0, "payloads": [{"type": "DEMAND", "values": [9.0]}]}]}
            ],
        )
        posted = await client.post_report(report)
        assert posted.event_id == events[0]["id"]
        assert (await client.delete_subscription(made.id)).id == made.id
        assert await client.get_subscription(made.id) is None
    assert vtn.objects("subscriptions") == []


async def test_toadr3_is_turned_away_with_a_wrong_secret(vtn):
    async with _toadr3(vtn, secret="guess") as client:
        with pytest.raises(toadr3.ToadrError, match="invalid_client"):
            await client.get_programs()


async def test_a_ven_may_not_write_events(vtn):
    program = vtn.add("programs", {"programName": "load shed"})

    def write() -> int:
        with oa3.VenClient(url=vtn.url, client_id="ven", client_secret="ven-secret") as client:
            return client.create_event({**EVENT, "programID": program["id"]}).status_code

    assert await asyncio.to_thread(write) == 403
    assert vtn.objects("events") == []


async def test_oa3_client_writes_as_business_logic_and_reads_as_ven(vtn):
    def talk() -> tuple[str, list[float]]:
        with oa3.BlClient(url=vtn.url, client_id="bl", client_secret="bl-secret") as client:
            program = client.create_program({"objectType": "PROGRAM", "programName": "load shed"}).json()
            again = client.create_program({"objectType": "PROGRAM", "programName": "load shed"})
            assert again.status_code == 409
            client.create_event({**EVENT, "programID": program["id"]}).raise_for_status()
            assert client.create_event({"programID": program["id"]}).status_code == 400
            assert client.get_event_by_id("event-none").status_code == 404
        with oa3.VenClient(url=vtn.url, client_id="ven", client_secret="ven-secret") as client:
            client.register("headrace")
            client.register("headrace")  # finds itself
            events = client.poll_events("load shed")
            return client.ven_id, events[0].intervals[0].payloads[0].values

    ven_id, values = await asyncio.to_thread(talk)
    assert [each["id"] for each in vtn.objects("vens")] == [ven_id]
    assert [float(each) for each in values] == [12000.0]


async def test_oa3_client_subscribes_and_understands_the_notification(vtn):
    from openadr3.entities import coerce_notification, is_notification

    from headrace.adapters.grid.webhook import Webhook, WebhookSettings

    came = []
    webhook = Webhook(WebhookSettings(port=0, secret="webhook-secret"), came.append, came.append)
    await webhook.open()
    program = vtn.add("programs", {"programName": "load shed"})

    def subscribe() -> int:
        with oa3.VenClient(url=vtn.url, client_id="ven", client_secret="ven-secret") as client:
            operation = {"objects": ["EVENT"], "operations": ["CREATE"], "callbackUrl": webhook.url}
            operation["bearerToken"] = "webhook-secret"
            body = {"clientName": "ven-1", "programID": program["id"], "objectOperations": [operation]}
            return client.create_subscription(body).status_code

    try:
        assert await asyncio.to_thread(subscribe) == 201
        event = vtn.add("events", {**EVENT, "programID": program["id"]})
        await until(lambda: came, "a notification")
    finally:
        await webhook.close()
    assert is_notification(came[0])
    notification = coerce_notification(came[0])
    assert (notification.operation, notification.object.id) == ("CREATE", event["id"])


async def test_a_subscription_calls_back_on_loopback_only(vtn):
    program = vtn.add("programs", {"programName": "load shed"})

    def subscribe() -> int:
        with oa3.VenClient(url=vtn.url, client_id="ven", client_secret="ven-secret") as client:
            operation = {"objects": ["EVENT"], "operations": ["POST"], "callbackUrl": "http://192.0.2.1/hook"}
            body = {"clientName": "ven-1", "programID": program["id"], "objectOperations": [operation]}
            return client.create_subscription(body).status_code

    assert await asyncio.to_thread(subscribe) == 400
