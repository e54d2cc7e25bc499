"""The one socket: only named hosts, bounded tries and sizes, and no secret in any message."""

import io
import json
import ssl
from email.message import Message
from urllib.error import URLError
from urllib.request import HTTPSHandler, build_opener
from urllib.response import addinfourl

import pytest

from headrace.adapters.feeds.live.request import Request, SignIn
from headrace.adapters.feeds.live.transport import HttpTransport, Limits, Unreachable, _NoRedirect
from headrace.core import BadInput, ExitCode, Interval

HOST = "api.example.org"
SECRETS = {"KEY": "k3y-of-mine", "USER": "me@example.org", "WORD": "pass-w0rd"}
SIGN_IN = SignIn(
    url=f"https://{HOST}/token",
    form=(("grant_type", "password"),),
    secret_form=(("username", "USER"), ("password", "WORD")),
    token_key="id_token",
)


def get(url=f"https://{HOST}/data", **fields):
    return Request(url=url, params=(("day", "2024-11-03"),), interval=Interval.from_epoch(0, 3600), **fields)


class Wire(HTTPSHandler):
    """Where the socket would be: answers each request with the next of these (status, body, headers) or errors."""

    def __init__(self, *answers):
        super().__init__(context=ssl.create_default_context())
        self.answers, self.sent = list(answers), []

    def https_open(self, req):
        self.sent.append(req)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *extra = answer
        headers = Message()
        for key, value in (extra[0] if extra else {}).items():
            headers[key] = value
        reply = addinfourl(io.BytesIO(body), headers, req.full_url, status)
        reply.msg = ""
        return reply


def over(wire, *, secrets=SECRETS, pause_s=0.0, **limits):
    waits = []
    opener = build_opener(wire, _NoRedirect)
    transport = HttpTransport({HOST: pause_s}, secrets, Limits(**limits), opener, waits.append)
    return transport, waits


def test_a_reply_comes_back_whole():
    wire = Wire((200, b"data"))
    assert over(wire)[0].fetch(get()) == b"data"
    assert wire.sent[0].full_url == f"https://{HOST}/data?day=2024-11-03"


def test_secrets_go_with_the_request_and_into_no_text():
    wire = Wire((403, b"key k3y-of-mine is not known"))
    request = get(secret_params=(("token", "KEY"),), secret_headers=(("X-User", "USER"),))
    assert request.shown() == f"https://{HOST}/data?day=2024-11-03&token=${{KEY}}"
    with pytest.raises(BadInput) as caught:
        over(wire)[0].fetch(request)
    assert "k3y-of-mine" in wire.sent[0].full_url
    assert wire.sent[0].headers["X-user"] == "me@example.org"
    told = f"{caught.value} {caught.value.__cause__} {caught.value!r}"
    assert "HTTP 403, 'key *** is not known'" in told
    assert "Check KEY, USER" in told
    assert not any(secret in told for secret in SECRETS.values())


def test_a_missing_secret_is_told_before_anything_is_sent():
    wire = Wire()
    with pytest.raises(BadInput, match="KEY not set in the environment") as caught:
        over(wire, secrets={"KEY": ""})[0].fetch(get(secret_params=(("token", "KEY"),)))
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert not wire.sent


@pytest.mark.parametrize("url", [f"http://{HOST}/data", "https://elsewhere.example.org/data", "file:///etc/hosts"])
def test_only_named_hosts_are_asked_and_only_over_https(url):
    wire = Wire()
    with pytest.raises(BadInput, match="not https to a known host"):
        over(wire)[0].fetch(get(url))
    assert not wire.sent


def test_a_redirect_is_not_followed():
    wire = Wire((302, b"", {"Location": "https://elsewhere.example.org/data"}))
    with pytest.raises(Unreachable, match="HTTP 302"):
        over(wire)[0].fetch(get())
    assert len(wire.sent) == 1


def test_a_busy_operator_is_asked_again_after_the_wait_it_names():
    wire = Wire((429, b"", {"Retry-After": "7"}), (503, b""), URLError("reset"), (200, b"data"))
    transport, waits = over(wire)
    assert transport.fetch(get()) == b"data"
    assert waits == [0.0, 7.0, 4.0, 8.0]


def test_no_wait_is_longer_than_the_limit():
    transport, waits = over(Wire((429, b"", {"Retry-After": "86400"}), (200, b"")), wait_max_s=90.0)
    transport.fetch(get())
    assert waits == [0.0, 90.0]


def test_tries_are_counted_and_the_end_of_them_is_stale_not_wrong():
    wire = Wire(*[URLError(OSError("Name or service not known"))] * 3)
    with pytest.raises(Unreachable, match=r"no answer .*3 tries\. Check the network") as caught:
        over(wire, tries=3)[0].fetch(get())
    assert caught.value.exit_code == ExitCode.STALE
    assert len(wire.sent) == 3


def test_what_is_not_there_is_not_asked_again():
    wire = Wire((404, b"<html>Not Found</html>"))
    with pytest.raises(Unreachable, match="HTTP 404"):
        over(wire)[0].fetch(get())
    assert len(wire.sent) == 1


def test_a_reply_larger_than_the_limit_is_refused():
    with pytest.raises(BadInput, match="more than 100 bytes"):
        over(Wire((200, b"x" * 101)), reply_max_bytes=100)[0].fetch(get())
    assert over(Wire((200, b"x" * 100)), reply_max_bytes=100)[0].fetch(get()) == b"x" * 100


def test_an_operators_explanation_is_a_reply():
    assert over(Wire((400, b"<why/>")))[0].fetch(get()) == b"<why/>"


def test_requests_to_a_host_are_spaced():
    transport, waits = over(Wire(*[(200, b"")] * 3), pause_s=2.1)
    for _ in range(3):
        transport.fetch(get())
    assert waits == [0.0, 2.1, 2.1]


def test_one_sign_in_serves_until_it_is_refused():
    token = [(200, json.dumps({"id_token": f"t0ken-{i}"}).encode()) for i in range(2)]
    wire = Wire(token[0], (200, b"a"), (200, b"b"), (401, b"expired"), token[1], (200, b"c"))
    transport, _ = over(wire)
    assert [transport.fetch(get(sign_in=SIGN_IN)) for _ in range(3)] == [b"a", b"b", b"c"]
    form = wire.sent[0].data.decode()
    assert form == "grant_type=password&username=me%40example.org&password=pass-w0rd"
    assert [sent.headers.get("Authorization") for sent in wire.sent[1:4:2]] == ["Bearer t0ken-0"] * 2
    assert wire.sent[5].headers["Authorization"] == "Bearer t0ken-1"


@pytest.mark.parametrize("answer", [(401, b"pass-w0rd is wrong"), (200, b"{}"), (200, b"<html>"), (400, b"{}")])
def test_a_refused_sign_in_names_the_variables_alone(answer):
    with pytest.raises(BadInput, match=r"gave no token\. Check USER, WORD") as caught:
        over(Wire(answer))[0].fetch(get(sign_in=SIGN_IN))
    assert "pass-w0rd" not in f"{caught.value} {caught.value.__cause__}"


def test_a_token_that_stays_refused_is_told_once():
    token = (200, b'{"id_token": "t0ken-1"}')
    wire = Wire(token, (401, b"no"), token, (401, b"t0ken-1: no"))
    with pytest.raises(BadInput, match=r"refused \(HTTP 401, '\*\*\*: no'\)"):
        over(wire)[0].fetch(get(sign_in=SIGN_IN))
