"""No byte that a miner can send makes a codec fail, and how an answer is cut into pieces changes nothing."""

import json
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.adapters.miners.codec import (
    REPLY_MAX_BYTES,
    Acknowledged,
    Closed,
    Conversation,
    MinerStatus,
    More,
    Move,
    Refused,
    Say,
    SignedIn,
)
from headrace.adapters.miners.dialects import DIALECTS, codec_for
from headrace.control.commands import Action
from headrace.sim.miners.faults import Manner
from headrace.sim.miners.fleet import Device
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.serve import TWINS
from miner_talks import CAPS, FACTS, PASSWORDS, SIGNS_IN

ENDS = (Acknowledged, MinerStatus, Refused, SignedIn)
NOW_S = 1000.0
WEB = ("antminer", "braiins-rest")
FEW = settings(max_examples=25, deadline=None)

Pieces = Callable[[bytes], Iterable[bytes]]


def _device(dialect: str) -> Device:
    return Device(0, TWINS[dialect][0](), MinerModel(), Manner.HONEST)


def _talk(device: Device, conversation: Conversation, pieces: Pieces) -> Move:
    """Hold a conversation with a machine that has no socket, its answers cut as `pieces` says."""
    data = conversation.begin()
    while True:
        request, length = device.twin.take(data, device.model, NOW_S)
        assert length == len(data)
        said = [*pieces(device.respond(request, NOW_S)), Closed()]
        move = More()
        while isinstance(move, More):
            move = conversation.receive(said.pop(0))
        if not isinstance(move, Say):
            return move
        data = move.data


def _whole(data: bytes) -> list[bytes]:
    return [data]


def _conversations(dialect: str, device: Device) -> dict[str, Callable[[], Conversation]]:
    codec = codec_for(dialect)
    session = None
    if dialect in SIGNS_IN:
        session = _talk(device, codec.sign_in(PASSWORDS[dialect], FACTS), _whole).session
    found = {
        "stop": lambda: codec.command(Action.STOP, None, session, FACTS),
        "run": lambda: codec.command(Action.RUN, None, session, FACTS),
        "status": lambda: codec.status(session, FACTS),
    }
    if dialect in CAPS:
        found["cap"] = lambda: codec.command(Action.CAP, 2000, session, FACTS)
        found["run lifting a cap"] = lambda: codec.command(Action.RUN, 3400, session, FACTS)
    if dialect in SIGNS_IN:  # last: it may end the session of the others
        found["sign_in"] = lambda: codec.sign_in(PASSWORDS[dialect], FACTS)
    return found


def _feed(conversation: Conversation, pieces: Iterable[bytes]) -> None:
    """Answer everything it says with the next piece, until it ends; it must not raise and must end."""
    conversation.begin()
    move: Move = More()
    for piece in [*pieces, Closed(), Closed(), Closed(), Closed(), Closed(), Closed()]:
        move = conversation.receive(piece)
        if isinstance(move, ENDS):
            break
    assert isinstance(move, ENDS)
    if isinstance(move, Refused):
        assert move.reason
        assert move.reason.isprintable()


@pytest.mark.parametrize("dialect", DIALECTS)
@FEW
@given(pieces=st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_end_in_a_reason(dialect, pieces):
    for make in _conversations(dialect, _device(dialect)).values():
        _feed(make(), pieces)


KEYS = ["STATUS", "Msg", "SUMMARY", "summary", "MHS 5s", "enc", "msg", "code", "SESSION", "SessionID", "time", "salt"]
KEYS += [
    "newsalt",
    "temps",
    "TEMPS",
    "Chip",
    "POWER",
    "Watts",
    "bitmain-work-mode",
    "STATS",
    "INFO",
    "chain",
    "temp_chip",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMED = st.dictionaries(st.sampled_from(["STATUS", "Msg", "SUMMARY", "enc", "msg", "code", "SESSION", "STATS"]), JSON)


def _framed(dialect: str, body: bytes) -> bytes:
    if dialect == "whatsminer-v3":
        return len(body).to_bytes(4, "little") + body
    if dialect in WEB:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    return body + b"\0"


@pytest.mark.parametrize("dialect", DIALECTS)
@FEW
@given(answers=st.lists(NAMED, min_size=1, max_size=3))
def test_an_answer_of_the_wrong_shape_ends_in_a_reason(dialect, answers):
    # json writes NaN and infinities, as some firmware does
    pieces = [_framed(dialect, json.dumps(answer).encode()) for answer in answers]
    for make in _conversations(dialect, _device(dialect)).values():
        _feed(make(), pieces)


@pytest.mark.parametrize("dialect", DIALECTS)
@FEW
@given(data=st.data())
def test_a_valid_answer_cut_anywhere_gives_the_same_move(dialect, data):
    def cut(answer: bytes) -> list[bytes]:
        places = sorted(data.draw(st.sets(st.integers(0, len(answer)), max_size=5)))
        edges = [0, *places, len(answer)]
        return [answer[a:b] for a, b in pairwise(edges) if a < b]

    one, other = _device(dialect), _device(dialect)
    makers = zip(_conversations(dialect, one).items(), _conversations(dialect, other).values(), strict=True)
    for (name, make), make_other in makers:
        expected = _talk(one, make(), _whole)
        assert not isinstance(expected, Refused), name
        assert _talk(other, make_other(), cut) == expected, name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_valid_answer_byte_by_byte_gives_the_same_move(dialect):
    one, other = _device(dialect), _device(dialect)
    makers = zip(_conversations(dialect, one).values(), _conversations(dialect, other).values(), strict=True)
    for make, make_other in makers:
        bytewise = _talk(other, make_other(), lambda answer: [answer[i : i + 1] for i in range(len(answer))])
        assert bytewise == _talk(one, make(), _whole)


@pytest.mark.parametrize("dialect", DIALECTS)
@FEW
@given(data=st.data())
def test_a_damaged_answer_ends_in_a_reason(dialect, data):
    device = _device(dialect)

    def damaged(answer: bytes) -> list[bytes]:
        place = data.draw(st.integers(0, len(answer) - 1))
        kind = data.draw(st.sampled_from(["cut", "flip", "repeat"]))
        if kind == "cut":
            return [answer[:place]]
        if kind == "flip":
            return [answer[:place] + bytes([answer[place] ^ data.draw(st.integers(1, 255))]) + answer[place + 1 :]]
        return [answer[:place] + answer]

    for make in _conversations(dialect, device).values():
        conversation = make()
        asked = conversation.begin()
        request, _ = device.twin.take(asked, device.model, NOW_S)
        _feed(conversation, damaged(device.respond(request, NOW_S)))


HOSTILE = {
    "empty": [],
    "a megabyte": [b'{"STATUS":"' + b"x" * 1_000_000],
    "deep": [b'{"STATUS":' + b"[" * 60_000],
    "deep and closed": [b'{"STATUS":' + b"[" * 20_000 + b"]" * 20_000 + b"}"],
    "braces": [b'{"a":"' + b"}" * 3000] + [b"}"] * 500,
    "a huge length": [b"\xff\xff\xff\xff"],
    "a long header": [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000],
    "a false length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"],
    "chunks without end": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    "a digest without a nonce": [b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="x"\r\nContent-Length: 0\r\n\r\n'],
    "not UTF-8": [b'{"STATUS":[{"STATUS":"E","Msg":"\xff\xfe\x00"}]}\0'],
    "control characters": [b'{"STATUS":[{"STATUS":"E","Msg":"\\u001b[31m\\n\\u0000no"}]}\0'],
    "heartbeats": [bytes(4 * 10_000)],
    "numbers too big": [b'{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"MHS 5s":1e999,"Power":' + b"9" * 400 + b"}]}\0"],
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_ends_in_a_reason(dialect, name):
    for make in _conversations(dialect, _device(dialect)).values():
        _feed(make(), HOSTILE[name])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_longer_than_the_limit_is_refused_before_it_ends(dialect):
    """A peer that never stops is given up on as soon as it has sent too much, not when it closes."""
    endless = _framed(dialect, b'{"STATUS":"')[:-1] if dialect not in {"whatsminer-v3", *WEB} else b""
    if dialect in WEB:
        endless = b"HTTP/1.1 200 OK\r\n\r\n"
    if dialect == "whatsminer-v3":
        endless = (REPLY_MAX_BYTES + 1).to_bytes(4, "little")
    conversation = _conversations(dialect, _device(dialect))["status"]()
    conversation.begin()
    move = conversation.receive(endless + b"x" * (REPLY_MAX_BYTES + 1))
    assert isinstance(move, Refused)
    assert move.is_garbled
