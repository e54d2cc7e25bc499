"""The operator's API over real HTTP on loopback, in front of a desk that writes down what it is asked."""

import asyncio
import http.client
import json
import socket
import threading
import time

import msgspec
import pytest
import uvicorn

from command_line import run
from headrace.app.operator_client import OperatorClient, Refused, Unreachable
from headrace.control.orders import Authority, OrderKind
from headrace.core import BadInput
from headrace.interfaces.operator.access import Access, Rank, new_token
from headrace.interfaces.operator.api import operator_api
from headrace.interfaces.operator.audit import Audit
from headrace.interfaces.operator.desk import Preview, Receipt
from mosquitto import free_port


class Told(msgspec.Struct):
    mode: str = "live"


class NoteDesk:
    """Follows every order but those for the feeder "gone"."""

    def __init__(self):
        self.orders, self.locks = [], {}

    def now_us(self):
        return 1_700_000_000_000_000

    def status(self):
        return Told()

    def preview(self, order):
        return Preview(expected_mw=order.mw, short_mw=0.0, assets=3, mw_of_load={"s21": order.mw}, reasons=())

    async def submit(self, order):
        if order.feeder == "gone":
            return Receipt(order=order.id, refused="order.unknown_feeder")
        self.orders.append(order)
        return Receipt(order=order.id, asked_mw=order.mw, metered_mw=order.mw, is_met=True)

    async def lock(self, lock):
        self.locks[lock.asset] = lock.holder
        return Receipt(order=lock.asset)

    async def release(self, asset, *, by):
        if self.locks.get(asset) != by:
            return Receipt(order=asset, refused=f"held by {self.locks.get(asset)}")
        del self.locks[asset]
        return Receipt(order=asset)


class Site:
    def __init__(self, folder):
        made = {name: new_token(name, rank) for name, rank in (("vic", Rank.VIEWER), ("op", Rank.OPERATOR))}
        made["ada"] = new_token("ada", Rank.ADMIN)
        made["other"] = new_token("other", Rank.OPERATOR)
        self.tokens = {name: token for name, (token, _) in made.items()}
        self.desk, self.audit = NoteDesk(), folder / "audit.jsonl"
        self.clock_s = 1000.0
        access = Access.read("\n".join(line for _, line in made.values()), "access.txt")
        api = operator_api(
            self.desk, access, Audit(self.audit), metrics=lambda: b"headrace_up 1\n", monotonic=lambda: self.clock_s
        )
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = uvicorn.Server(uvicorn.Config(api, host="127.0.0.1", port=self.port, log_level="error"))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()), daemon=True)
        self.folder = folder

    def ask(self, method, path, body=None, *, who="op", headers=None, raw=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        sent = {"Authorization": f"Bearer {self.tokens.get(who, who)}"} if who else {}
        content = raw if raw is not None else (None if body is None else json.dumps(body))
        connection.request(method, path, content, sent | {"Content-Type": "application/json"} | (headers or {}))
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text

    def client(self, who):
        path = self.folder / f"{who}.token"
        path.write_text(self.tokens[who])
        return OperatorClient(self.url, path, timeout_s=5.0)

    def audited(self):
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.thread.start()
    deadline = time.perf_counter() + 10
    while not made.server.started and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert made.server.started
    yield made
    made.server.should_exit = True
    made.thread.join(10)


SHED = {"id": "a1", "kind": "shed", "mw": 2.0, "reason": "frequency"}


@pytest.mark.parametrize(("who", "status"), [("", 401), ("hr_guess", 401), ("vic", 403), ("op", 202), ("ada", 202)])
def test_power_moves_for_operators_only(site, who, status):
    assert site.ask("POST", "/v1/orders", SHED, who=who)[0] == status
    assert not site.desk.orders
    assert site.audited()[-1]["outcome"].split()[0] in (str(status), "armed")


def test_reading_needs_a_token_and_life_does_not(site):
    assert site.ask("GET", "/healthz", who="") == (200, {"ok": True})
    assert site.ask("GET", "/v1/status", who="")[0] == 401
    assert site.ask("GET", "/metrics", who="")[0] == 401
    assert site.ask("GET", "/v1/status", who="vic") == (200, {"mode": "live"})
    assert site.ask("GET", "/metrics", who="vic") == (200, b"headrace_up 1\n")
    assert site.ask("GET", "/docs", who="vic")[0] == 404
    assert site.ask("GET", "/openapi.json", who="")[0] == 401
    assert "/v1/orders" in site.ask("GET", "/openapi.json", who="vic")[1]["paths"]


def test_an_order_is_armed_then_fired_by_the_same_person_for_the_same_request(site):
    word = site.ask("POST", "/v1/orders", SHED)[1]["word"]
    assert site.ask("POST", "/v1/orders", SHED | {"word": word}, who="other")[0] == 409
    word = site.ask("POST", "/v1/orders", SHED)[1]["word"]
    assert site.ask("POST", "/v1/orders", SHED | {"word": word, "mw": 20.0})[0] == 409
    word = site.ask("POST", "/v1/orders", SHED)[1]["word"]
    site.clock_s += 31.0
    assert site.ask("POST", "/v1/orders", SHED | {"word": word})[0] == 409
    assert not site.desk.orders
    word = site.ask("POST", "/v1/orders", SHED)[1]["word"]
    assert site.ask("POST", "/v1/orders", SHED | {"word": word})[0] == 200
    assert site.ask("POST", "/v1/orders", SHED | {"word": word})[0] == 409
    (order,) = site.desk.orders
    assert (order.id, order.kind, order.authority, order.issued_by) == ("op.a1", OrderKind.SHED, Authority.SITE, "op")


def test_people_and_equipment_are_an_admins_word(site):
    asked = SHED | {"authority": "safety", "is_certain": True}
    assert site.ask("POST", "/v1/orders", asked)[0] == 403
    assert site.ask("POST", "/v1/orders", asked, who="ada")[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"mw": -1.0},
        {"mw": 1e9},
        {"mw": "2"},
        {"mw": None},
        {"kind": "explode"},
        {"authority": "money"},
        {"within_s": 0.0},
        {"for_s": 1e9},
        {"id": "../../x"},
        {"id": "x" * 65},
        {"reason": ""},
        {"extra": 1},
    ],
)
def test_an_order_that_cannot_be_is_refused_with_its_field(site, change):
    status, said = site.ask("POST", "/v1/orders", SHED | {"is_certain": True} | change)
    assert status == 422
    assert said["detail"][0]["loc"][-1] in change
    assert not site.desk.orders


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"", {}, 422),
        (b"{", {}, 422),
        (b'{"mw": NaN}', {}, 422),
        (b"\xff" * 100, {}, 400),
        (b"[" * 10_000, {}, 400),
        (b"x" * 20_000, {}, 413),
        (b"{}", {"Content-Length": "nine"}, 400),
    ],
)
def test_rubbish_is_refused_and_nothing_falls(site, raw, headers, status):
    assert site.ask("POST", "/v1/orders", raw=raw, headers=headers)[0] == status
    assert site.ask("GET", "/v1/status")[0] == 200


@pytest.mark.parametrize("raw", [b"{", b"{}", b'{"mw": NaN}'])
def test_rubbish_from_nobody_is_turned_away_before_it_is_read(site, raw):
    assert site.ask("POST", "/v1/orders", who="hr_guess", raw=raw)[0] == 401
    assert site.audited()[-1]["outcome"] == "401"


def test_guessing_and_hammering_are_slowed(site):
    statuses = [site.ask("GET", "/v1/status", who=f"hr_{i}")[0] for i in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    site.clock_s += 10.0
    assert site.ask("GET", "/v1/status")[0] == 200
    statuses = [site.ask("GET", "/v1/status")[0] for _ in range(25)]
    assert 429 in statuses
    site.clock_s += 1.0
    assert site.ask("GET", "/v1/status")[0] == 200


def test_only_the_holder_releases_a_lock(site):
    assert site.ask("POST", "/v1/locks", {"asset": "hall1", "reason": "fan"})[0] == 200
    assert site.ask("DELETE", "/v1/locks/hall1", who="ada", raw=b"")[0] == 409
    assert site.desk.locks == {"hall1": "op"}
    assert site.ask("DELETE", "/v1/locks/hall1", raw=b"")[0] == 200


def test_the_audit_names_who_did_what_and_holds_no_token(site):
    site.ask("POST", "/v1/orders", SHED | {"is_certain": True})
    site.ask("POST", "/v1/orders", SHED, who="hr_guess")
    lines = site.audited()
    assert [(line["who"], line["outcome"]) for line in lines] == [
        ("op", "accepted"),
        ("op", "followed: 2.000 of 2.000 MW by the meter"),
        ("", "401"),
    ]
    text = site.audit.read_text()
    assert not any(token in text for token in (*site.tokens.values(), "hr_guess"))


def test_the_verbs_talk_to_it(site, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HEADRACE_API", site.url)
    monkeypatch.setenv("HEADRACE_TOKEN", site.tokens["op"])
    asked = ("shed", "--mw", "2", "--within", "1s", "--reason", "test", "--json")
    said = run(capsys, monkeypatch, *asked)
    assert (said.code, len(site.desk.orders)) == (5, 0)  # nobody is there to confirm
    said = run(capsys, monkeypatch, *asked, "--yes")
    assert said.code == 0
    assert said.json["is_met"]
    order = site.desk.orders[0]
    assert run(capsys, monkeypatch, "restore", order.id, "--reason", "over", "--yes", "--json").code == 0
    assert run(capsys, monkeypatch, "hold", "--reason", "test", "--for", "15min", "--yes", "--json").code == 0
    assert [each.kind for each in site.desk.orders] == [OrderKind.SHED, OrderKind.RESTORE, OrderKind.HOLD]
    assert site.desk.orders[2].ends_us == order.received_us + 900_000_000
    assert run(capsys, monkeypatch, "shed", "--mw", "2", "--reason", "x", "--feeder", "gone", "--yes").code == 5
    assert run(capsys, monkeypatch, "shed", "--mw", "-2", "--reason", "x", "--yes").code == 2
    assert run(capsys, monkeypatch, "shed", "--mw", "2", "--reason", "x", "--within", "soon").code == 2
    assert run(capsys, monkeypatch, "lock", "hall1", "--reason", "fan", "--json").code == 0
    assert run(capsys, monkeypatch, "release", "hall1").code == 0
    assert run(capsys, monkeypatch, "status", "--json").json == {"mode": "live"}
    monkeypatch.setenv("HEADRACE_TOKEN", site.tokens["vic"])
    assert run(capsys, monkeypatch, "shed", "--mw", "2", "--reason", "x", "--yes").code == 5
    monkeypatch.setenv("HEADRACE_TOKEN", "")
    assert run(capsys, monkeypatch, "status").code == 2


def test_a_site_that_is_not_there_is_said_so(site):
    client = site.client("op")
    site.server.should_exit = True
    site.thread.join(10)
    with pytest.raises(Unreachable, match="Is `headrace live` running"):
        client.get("/v1/status")


def test_a_token_never_crosses_a_network_in_the_clear(tmp_path):
    with pytest.raises(BadInput, match="in the clear"):
        OperatorClient("http://10.0.0.1:8620", tmp_path / "token")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "http://127.0.0.1:abc",
        "http://[::1",
        "https://\u2100.com",
        f"https://{'a' * 80}.com",
        "https://127.0.0.1@elsewhere.example",
        "ftp://127.0.0.1",
    ],
)
def test_an_address_that_is_none_is_refused_by_its_option(url):
    with pytest.raises(BadInput, match=r"--api .*not a URL"):
        OperatorClient(url, None)


@pytest.mark.parametrize(
    "reply",
    [
        b"200 OK\r\n\r\n[]",
        b"200 OK\r\n\r\n<html>",
        b"200 OK\r\n\r\n" + b"[" * 100_000,
        b"200 OK\r\n\r\n\xff",
        b"302 Found\r\nLocation: /x\r\n\r\n{}",
    ],
)
def test_what_is_no_site_is_said_to_be_none(reply, monkeypatch):
    monkeypatch.setenv("HEADRACE_TOKEN", "x")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            peer, _ = listening.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 " + reply)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65_536):  # closing on what is unread would reset the connection
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable, match="Check --api"):
            OperatorClient(f"http://127.0.0.1:{listening.getsockname()[1]}", None).get("/v1/status")
        thread.join(10)


def test_a_client_says_what_the_site_refused(site):
    with pytest.raises(Refused, match="role operator"):
        site.client("vic").send("POST", "/v1/orders", SHED)


@pytest.mark.parametrize("line", ["op operator short", "op king " + "0" * 64, "op operator", "a b c d"])
def test_an_access_file_that_cannot_be_read_names_its_line_and_not_its_words(line):
    with pytest.raises(BadInput, match="line 2") as caught:
        Access.read(f"# people\n{line}\n", "access.txt")
    assert "0000" not in str(caught.value)


def test_access_add_prints_the_token_once_and_keeps_its_hash(tmp_path, capsys, monkeypatch):
    file = tmp_path / "access.txt"
    said = run(capsys, monkeypatch, "access", "add", "maria", "--role", "operator", "--file", file, "--json")
    assert said.json["token"] not in file.read_text()
    assert Access.read(file.read_text(), "x").who(said.json["token"]).rank is Rank.OPERATOR
    assert run(capsys, monkeypatch, "access", "add", "maria", "--file", file).code == 2
    assert file.stat().st_mode & 0o077 == 0


def test_access_add_leaves_a_file_that_it_cannot_read_as_it_was(tmp_path, capsys, monkeypatch):
    file = tmp_path / "access.txt"
    file.write_bytes(b"\xff\xfe")
    said = run(capsys, monkeypatch, "access", "add", "maria", "--file", file)
    assert (said.code, file.read_bytes()) == (2, b"\xff\xfe")
    assert "is not UTF-8 text" in said.err


def test_access_add_writes_the_file_whole_or_not_at_all(tmp_path, capsys, monkeypatch):
    file, other = tmp_path / "access.txt", tmp_path / "elsewhere"
    assert run(capsys, monkeypatch, "access", "add", "maria", "--file", other).code == 0
    file.symlink_to(other)
    was = other.stat().st_ino
    assert run(capsys, monkeypatch, "access", "add", "li", "--file", file).code == 0
    assert other.stat().st_ino != was  # another file took its place, and the link still leads there
    assert file.is_symlink()
    assert [line.split()[0] for line in file.read_text().splitlines()] == ["maria", "li"]
    assert sorted(tmp_path.iterdir()) == [file, other]


def test_a_name_that_is_no_text_is_not_released(capsys, monkeypatch):
    monkeypatch.setenv("HEADRACE_TOKEN", "x")
    said = run(capsys, monkeypatch, "release", "hall\udce4")
    assert said.code == 2
    assert "not UTF-8 text" in said.err
