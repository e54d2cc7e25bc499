"""What site and agent say to each other: whole, unchanged, once, and from nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.adapters.nodes.wire import (
    AGENT_HELLO_BYTES,
    NONCE_BYTES,
    TELL_MAX_BYTES,
    Answer,
    Channel,
    GroupCount,
    Pause,
    Refusal,
    Resume,
    Side,
    Status,
    agent_hello,
    read_agent_hello,
    read_answer,
    read_key,
    read_tell,
)
from headrace.core import BadInput

KEY = bytes(range(32))
SITE_NONCE, AGENT_NONCE = b"s" * NONCE_BYTES, b"a" * NONCE_BYTES
TELLS = st.one_of(
    st.builds(Pause, tiers=st.lists(st.text(max_size=9)).map(tuple), expires_us=st.integers(0, 2**60)),
    st.builds(Resume, power_w=st.none() | st.integers(0, 10**6), expires_us=st.integers(0, 2**60)),
    st.just(Status()),
)


def channel(side, *, key=KEY, node="n00", agent_nonce=AGENT_NONCE):
    return Channel(key=key, node=node, site_nonce=SITE_NONCE, agent_nonce=agent_nonce, side=side)


@given(st.lists(TELLS, min_size=1, max_size=5), st.data())
def test_messages_come_whole_however_they_are_cut(tells, data):
    site, agent = channel(Side.SITE), channel(Side.AGENT)
    bytes_ = b"".join(site.seal(tell)[1] for tell in tells)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(bytes_)), max_size=6)))
    came = []
    for first, last in zip([0, *cuts], [*cuts, len(bytes_)], strict=True):
        came += agent.receive(bytes_[first:last])
    assert [read_tell(payload) for _, payload in came] == tells
    assert [number for number, _ in came] == list(range(1, len(tells) + 1))
    assert not agent.is_mid_frame


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused(place, change):
    site, agent = channel(Side.SITE), channel(Side.AGENT)
    frame = bytearray(site.seal(Pause(expires_us=1))[1])
    frame[place % len(frame)] ^= change
    came = agent.receive(bytes(frame))
    assert isinstance(came, Refusal) or came == []  # a longer length waits for bytes that never fit


def test_a_repeated_frame_is_refused():
    site, agent = channel(Side.SITE), channel(Side.AGENT)
    _, frame = site.seal(Pause(expires_us=1))
    assert len(agent.receive(frame)) == 1
    assert agent.receive(frame) == Refusal("frame 1 again, after 1")


@pytest.mark.parametrize(
    "other",
    [
        channel(Side.AGENT, key=bytes(32)),
        channel(Side.AGENT, node="n01"),
        channel(Side.AGENT, agent_nonce=b"b" * NONCE_BYTES),
        channel(Side.SITE),
    ],
    ids=["another key", "another node", "another connection", "its own direction"],
)
def test_a_frame_for_somebody_else_is_refused(other):
    _, frame = channel(Side.SITE).seal(Status())
    assert other.receive(frame) == Refusal("a frame whose signature does not hold")


def test_an_oversize_frame_is_refused_before_it_is_read():
    head = (TELL_MAX_BYTES + 1).to_bytes(4, "big") + bytes(40)
    assert isinstance(channel(Side.AGENT).receive(head), Refusal)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_reason(data):
    for read in (read_tell, read_answer):
        found = read(data)
        assert not isinstance(found, Refusal) or found.reason
    came = channel(Side.AGENT).receive(data)
    assert came == [] or isinstance(came, Refusal)


def test_the_agents_hello_carries_its_clock_and_proves_the_key():
    hello = agent_hello(key=KEY, node="n00", site_nonce=SITE_NONCE, agent_nonce=AGENT_NONCE, now_us=123)
    assert len(hello) == AGENT_HELLO_BYTES
    assert read_agent_hello(hello, key=KEY, node="n00", site_nonce=SITE_NONCE) == (AGENT_NONCE, 123)
    for key, node, nonce in ((bytes(32), "n00", SITE_NONCE), (KEY, "n01", SITE_NONCE), (KEY, "n00", AGENT_NONCE)):
        assert isinstance(read_agent_hello(hello, key=key, node=node, site_nonce=nonce), Refusal)


def test_an_answer_survives_the_way_back():
    group = GroupCount(name="17", tier="tier1", processes=3, stopped=3)
    answer = Answer(number=4, is_done=True, acted_us=1, seen_us=2, groups=(group,))
    _, frame = channel(Side.AGENT).seal(answer)
    ((_, payload),) = channel(Side.SITE).receive(frame)
    assert read_answer(payload) == answer


def test_a_key_that_others_may_read_or_that_is_short_is_refused(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(KEY)
    file.chmod(0o640)
    with pytest.raises(BadInput, match="others may read"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == KEY.strip()
    file.write_bytes(b"short")
    with pytest.raises(BadInput, match="5 bytes"):
        read_key(file)
    with pytest.raises(BadInput, match="no key"):
        read_key(tmp_path / "none")
