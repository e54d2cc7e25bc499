"""Frames and answers of single dialects, by public examples."""

import base64
import hashlib
import json

import pytest

from headrace.adapters.miners.codec import (
    Acknowledged,
    Closed,
    Credentials,
    Facts,
    MinerStatus,
    More,
    Refused,
    Say,
    Session,
    SignedIn,
)
from headrace.adapters.miners.dialects import DIALECTS, codec_for
from headrace.control.commands import Action
from headrace.core import BadInput

FACTS = Facts(now_s=1_700_000_000, nonce="00112233445566778899aabbccddeeff")
OK = b'{"STATUS":[{"STATUS":"S","Msg":"ok"}],"id":1}'


def _braiins(answer, *more):
    conversation = codec_for("braiins").command(Action.STOP, None, None, FACTS)
    move = conversation.receive(answer)
    for piece in more:
        move = conversation.receive(piece)
    return move


def test_braiins_is_paused_and_resumed_by_one_word():
    codec = codec_for("braiins")
    assert json.loads(codec.command(Action.STOP, None, None, FACTS).begin()) == {"command": "pause"}
    assert json.loads(codec.command(Action.RUN, None, None, FACTS).begin()) == {"command": "resume"}


@pytest.mark.parametrize("end", [b"", b"\0", b"\n", b"\r\n\0"])
def test_an_answer_may_end_in_a_nul_or_a_line_or_in_nothing(end):
    assert isinstance(_braiins(OK + end), Acknowledged)


def test_an_answer_in_two_pieces_is_waited_for():
    assert isinstance(_braiins(OK[:20]), More)
    assert isinstance(_braiins(OK[:20], OK[20:]), Acknowledged)


def test_braces_in_words_do_not_end_an_answer():
    whole = b'{"STATUS":[{"STATUS":"S","Msg":"}}} {"}],"id":1}'
    assert isinstance(_braiins(*[whole[i : i + 1] for i in range(len(whole))]), Acknowledged)


def test_of_several_status_objects_one_failure_is_enough():
    move = _braiins(b'{"STATUS":[{"STATUS":"S"},{"STATUS":"E","Msg":"Hashboard 2 missing"}]}')
    assert move == Refused(reason="Hashboard 2 missing")


def test_a_warning_is_no_refusal():
    assert isinstance(_braiins(b'{"STATUS":[{"STATUS":"W","Msg":"already paused"}]}'), Acknowledged)


def test_long_words_of_a_device_are_shortened_to_one_line():
    move = _braiins(json.dumps({"STATUS": [{"STATUS": "E", "Msg": "no\n" * 500}]}).encode())
    assert isinstance(move, Refused)
    assert len(move.reason) == 120
    assert "\n" not in move.reason


@pytest.mark.parametrize("answer", [b"", b'{"STATUS":[{"STATUS":"S"'])
def test_a_connection_that_ends_too_early_is_garbled(answer):
    move = _braiins(answer, Closed())
    assert isinstance(move, Refused)
    assert move.is_garbled


def test_a_miner_that_says_it_is_paused_is_believed_by_its_hash_rate():
    answer = {"summary": [{"SUMMARY": [{"MHS 5s": 0.0}]}], "tunerstatus": [{"TUNERSTATUS": [{}]}]}
    move = codec_for("braiins").status(None, FACTS).receive(json.dumps(answer).encode() + b"\0")
    assert isinstance(move, MinerStatus)
    assert move.is_mining is False
    assert move.power_w is None


def test_a_dialect_nobody_knows_is_named_with_those_that_exist():
    with pytest.raises(BadInput, match="whatsminer-v2"):
        codec_for("avalon")


def test_a_whatsminer_token_is_used_for_less_than_its_half_hour():
    answer = {"STATUS": "S", "Code": 134, "Msg": {"time": "5626", "salt": "BQ5hoXV9", "newsalt": "jbzkfQls"}}
    move = codec_for("whatsminer-v2").sign_in(Credentials(password="admin"), FACTS).receive(json.dumps(answer).encode())
    assert isinstance(move, SignedIn)
    assert FACTS.now_s + 1500 < move.session.expires_s < FACTS.now_s + 1800
    assert "admin" not in repr(move)


def test_a_whatsminer_refusal_in_the_clear_is_read():
    codec = codec_for("whatsminer-v2")
    answer = {"STATUS": "S", "Code": 134, "Msg": {"time": "5626", "salt": "BQ5hoXV9", "newsalt": "jbzkfQls"}}
    session = codec.sign_in(Credentials(password="admin"), FACTS).receive(json.dumps(answer).encode()).session
    for code, needs_sign_in in ((45, False), (135, True), (136, True)):
        said = json.dumps({"STATUS": "E", "Code": code, "Msg": "no"}).encode()
        move = codec.command(Action.STOP, None, session, FACTS).receive(said)
        assert move == Refused(reason="no", needs_sign_in=needs_sign_in)


def test_a_token_with_endless_fields_is_not_hashed():
    answer = {"STATUS": "S", "Code": 134, "Msg": {"time": "5" * 60_000, "salt": "a", "newsalt": "b"}}
    move = codec_for("whatsminer-v2").sign_in(Credentials(password="admin"), FACTS).receive(json.dumps(answer).encode())
    assert isinstance(move, Refused)
    assert move.is_garbled


def test_a_whatsminer_v3_frame_is_signed_with_command_password_salt_and_time():
    codec = codec_for("whatsminer-v3")
    body = b'{"code":0,"when":1,"msg":{"salt":"QbVy1Ou3"},"desc":"get.device.info"}'
    conversation = codec.sign_in(Credentials(user="user1", password="abcdefg"), FACTS)
    move = conversation.receive(len(body).to_bytes(4, "little") + body)
    assert isinstance(move, SignedIn)
    frame = codec.command(Action.STOP, None, move.session, FACTS).begin()
    assert int.from_bytes(frame[:4], "little") == len(frame) - 4
    signed = hashlib.sha256(b"set.miner.serviceabcdefgQbVy1Ou31700000000").digest()
    assert json.loads(frame[4:]) == {
        "cmd": "set.miner.service",
        "ts": 1_700_000_000,
        "token": base64.b64encode(signed).decode()[:8],
        "account": "user1",
        "param": "stop",
    }


def test_a_heartbeat_is_no_answer():
    conversation = codec_for("whatsminer-v3").sign_in(Credentials(), FACTS)
    assert isinstance(conversation.receive(bytes(8)), More)
    body = b'{"code":-4,"msg":"no permission"}'
    move = conversation.receive(len(body).to_bytes(4, "little") + body)
    assert move == Refused(reason="code -4: no permission", needs_sign_in=True)


def test_a_luxos_session_that_would_change_the_command_is_not_taken():
    answer = {"STATUS": [{"STATUS": "S"}], "SESSION": [{"SessionID": 'x,wakeup"}'}]}
    move = codec_for("luxos").sign_in(Credentials(), FACTS).receive(json.dumps(answer).encode())
    assert isinstance(move, Refused)
    assert move.is_garbled


def test_luxos_ends_a_foreign_session_before_it_logs_on_again():
    conversation = codec_for("luxos").sign_in(Credentials(), FACTS)
    refused = b'{"STATUS":[{"STATUS":"E","Msg":"Another session is active"}]}'
    held = b'{"STATUS":[{"STATUS":"S"}],"SESSION":[{"SessionID":"abc12345"}]}'
    asked = [json.loads(conversation.begin())]
    for answer in (refused, held, OK):
        move = conversation.receive(answer)
        assert isinstance(move, Say)
        assert move.on_new_connection
        asked.append(json.loads(move.data))
    words = [(each["command"], each.get("parameter", "")) for each in asked]
    assert words == [("logon", ""), ("session", ""), ("logoff", "abc12345"), ("logon", "")]
    assert isinstance(conversation.receive(refused), Refused)


def test_antminer_sends_its_whole_configuration_back_with_the_mode_changed():
    codec = codec_for("antminer")
    credentials = Credentials(user="root", password="root")
    head = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nContent-Length: 0\r\n\r\n'
    signing = codec.sign_in(credentials, FACTS)
    assert isinstance(signing.receive(head.encode()), Say)
    session = signing.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").session
    conversation = codec.command(Action.STOP, None, session, FACTS)
    conf = b'{"pools":[{"url":"u"}],"bitmain-fan-pwm":"100","bitmain-work-mode":"0"}'
    move = conversation.receive(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(conf) + conf)
    assert isinstance(move, Say)
    assert not move.on_new_connection
    posted, body = move.data.split(b"\r\n\r\n", 1)
    assert posted.startswith(b"POST /cgi-bin/set_miner_conf.cgi")
    assert b"nc=00000002" in posted
    assert json.loads(body) == {**json.loads(conf), "miner-mode": "1"}


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "braiins"])
def test_a_command_without_a_session_is_a_mistake_of_ours(dialect):
    with pytest.raises(BadInput, match="Sign in first"):
        codec_for(dialect).command(Action.STOP, None, None, FACTS)


def test_secrets_are_in_no_repr():
    assert "hunter2" not in repr(Credentials(user="root", password="hunter2"))
    assert "hunter2" not in repr(Session(token=b"hunter2", expires_s=1))
