"""Doors made of a device file's tables: secrets by reference, authority by declaration, orders through."""

import pytest

from grid_rigs import Collected, until, wall_us

pytest.importorskip("openleadr", reason="the extra `live` is not installed")

from headrace.adapters.devicefile.schema_doors import Dnp3Section, OpenAdr2Section, OpenAdr3Section
from headrace.adapters.grid.doors import grid_doors
from headrace.control.orders import Authority, OrderKind
from headrace.core import BadInput
from headrace.sim.grid.vtn3 import Client, Vtn3


class Tables:
    def __init__(self, openadr2=(), openadr3=(), dnp3=None):
        self.openadr2, self.openadr3, self.dnp3 = openadr2, openadr3, dnp3


def openadr3(url):
    return OpenAdr3Section(
        name="utility",
        vtn=url,
        programme="load shed",
        ven="headrace",
        authority="grid",
        client="ven",
        secret="env:VEN_SECRET",
        poll_s=0.1,
        level_mw=(5.0, 10.0),
    )


def made(tables, tmp_path, environ):
    return grid_doors(tables, folder=tmp_path, environ=environ, now_us=wall_us, most_mw=50.0)


async def test_an_event_comes_through_with_the_declared_authority(tmp_path):
    vtn = Vtn3({"ven": Client(secret="s")}, 0, wall_us)
    await vtn.start()
    program = vtn.add("programs", {"programName": "load shed"})
    (door,) = made(Tables(openadr3=(openadr3(vtn.url),)), tmp_path, {"VEN_SECRET": "s"})
    orders = Collected(door)
    payload = {"type": "SIMPLE", "values": [2]}
    vtn.add("events", {"programID": program["id"], "intervals": [{"id": 0, "payloads": [payload]}]})
    order = (await orders.count(1))[0]
    assert (order.kind, order.mw, order.authority) == (OrderKind.SHED, 10.0, Authority.GRID)
    assert order.ends_us is None
    await door.close()
    await vtn.stop()


async def test_a_wrong_secret_is_told_and_shows_nowhere(tmp_path):
    vtn = Vtn3({"ven": Client(secret="right")}, 0, wall_us)
    await vtn.start()
    (door,) = made(Tables(openadr3=(openadr3(vtn.url),)), tmp_path, {"VEN_SECRET": "wrong-secret"})
    await door.open()
    await until(lambda: door.refusals.last, "a refusal")
    await door.close()
    await vtn.stop()
    assert "no token: HTTP 401" in door.refusals.last[0].reason
    assert "wrong-secret" not in repr(door.refusals.last) + repr(vars(door))


def test_a_missing_secret_is_one_clear_error(tmp_path):
    with pytest.raises(BadInput, match="VEN_SECRET"):
        made(Tables(openadr3=(openadr3("http://127.0.0.1:9"),)), tmp_path, {})


def test_each_door_has_ids_of_its_own(tmp_path):
    sections = tuple(OpenAdr2Section(name=f"p{n}", vtn="http://127.0.0.1:9", ven="headrace") for n in (1, 2))
    doors = made(Tables(openadr2=sections, dnp3=Dnp3Section(name="market")), tmp_path, {})
    assert len(doors) == 3
    assert [door._settings.door for door in doors[:2]] == ["adr2", "adr2-2"]
