"""HTTP as a miner's web server speaks it."""

import pytest

from headrace.adapters.miners.codec import Closed
from headrace.adapters.miners.exchange import NotReadable
from headrace.adapters.miners.http import Challenge, HttpFraming, HttpReply, authorization, challenge_of, http_request

MUFASA = {
    "user": "Mufasa",
    "password": "Circle of Life",
    "method": "GET",
    "path": "/dir/index.html",
    "client_nonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "count": 1,
}
RFC_7616 = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize("algorithm", RFC_7616)
def test_a_digest_is_the_one_of_rfc_7616_section_3_9_1(algorithm):
    challenge = Challenge(
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        algorithm=algorithm,
        has_qop=True,
    )
    words = authorization(challenge, **MUFASA)
    assert f'response="{RFC_7616[algorithm]}"' in words
    assert "Circle" not in words


def test_a_digest_without_qop_is_the_older_one():
    challenge = Challenge(realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093")
    words = authorization(challenge, **{**MUFASA, "password": "Circle Of Life"})
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in words  # RFC 2617 3.5's words, by RFC 2069's formula
    assert "qop" not in words


def _reply(*pieces):
    framing = HttpFraming()
    for piece in pieces:
        found = framing.feed(piece)
        if found is not None:
            return found
    return None


def test_a_body_has_the_length_it_says():
    reply = _reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body, reply.closes) == (200, b"{}", False)


def test_a_body_in_chunks_is_put_together():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = _reply(head, b'2\r\n{"\r\n', b'4;x=y\r\na":1\r\n1\r\n}\r\n0\r\n\r\n')
    assert isinstance(reply, HttpReply)
    assert reply.body == b'{"a":1}'


def test_a_body_without_length_ends_with_the_connection():
    reply = _reply(b"HTTP/1.0 200 OK\r\n\r\n{", b"}", Closed())
    assert isinstance(reply, HttpReply)
    assert (reply.body, reply.closes) == (b"{}", True)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-dropbear\r\n\r\n",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_not_readable(data):
    assert isinstance(_reply(data), NotReadable)


@pytest.mark.parametrize(
    "words",
    [
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest realm="x", nonce="1", algorithm=MD4',
        'Digest realm="x", nonce="1", qop="auth-int"',
    ],
)
def test_a_challenge_that_cannot_be_met_is_none(words):
    assert challenge_of(HttpReply(status=401, headers={"www-authenticate": words}, body=b"", closes=False)) is None


def test_a_request_says_how_long_its_body_is():
    request = http_request("POST", "/x", "miner", body=b"{}")
    assert request.endswith(b"Content-Length: 2\r\n\r\n{}")
