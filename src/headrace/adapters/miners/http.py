"""HTTP/1.1 as a miner's web server speaks it: requests as bytes, answers gathered from pieces, digest log-in.

Bounded and strict where it protects us: an answer has a length, chunks, or ends with the connection, and none is longer
than a reply may be. Digest is RFC 7616 with MD5 or SHA-256 and `qop=auth`, or the older RFC 2069 without.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from headrace.adapters.miners.codec import REPLY_MAX_BYTES, Closed
from headrace.adapters.miners.exchange import NotReadable

__all__ = ["Challenge", "HttpFraming", "HttpReply", "authorization", "challenge_of", "http_request"]

HEAD_MAX_BYTES: Final = 16_384
"""Longest status line with headers."""
BEGINS: Final = b"HTTP/1."

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?")
_CHUNK_LENGTH = re.compile(rb"[0-9A-Fa-f]{1,5}")
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"\x00-\x1f]*)"|([^\s,"]+))')


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """One whole answer."""

    status: int
    """Status code."""
    headers: Mapping[str, str]
    """Headers by their names in small letters; of one that repeats, the last."""
    body: bytes
    """What it carries."""
    closes: bool
    """Does the connection end with it?"""


class Challenge(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a server asks for before it lets one in."""

    realm: str
    """Whose password."""
    nonce: str
    """Its own challenge."""
    opaque: str = ""
    """To be sent back as it came."""
    algorithm: str = "MD5"
    """"MD5" or "SHA-256"."""
    has_qop: bool = False
    """Does it take `qop=auth`?"""


class HttpFraming:
    """Gathers one answer."""

    __slots__ = ("_gathered", "_head")

    def __init__(self) -> None:
        self._gathered = b""
        self._head: tuple[int, dict[str, str]] | None = None

    def feed(self, data: bytes | Closed) -> HttpReply | NotReadable | None:
        """Take in the next piece; None while the answer is not whole."""
        ended = isinstance(data, Closed)
        if not isinstance(data, Closed):
            self._gathered += data
        if self._head is None:
            if not self._gathered.startswith(BEGINS[: len(self._gathered)]):
                return NotReadable(why="not HTTP")
            end = self._gathered.find(b"\r\n\r\n")
            if end < 0:
                if ended:
                    return NotReadable(why="cut short" if self._gathered else "closed without an answer")
                return NotReadable(why="headers without end") if len(self._gathered) > HEAD_MAX_BYTES else None
            head = _head(self._gathered[:end])
            if head is None:
                return NotReadable(why="not HTTP")
            self._head = head
            self._gathered = self._gathered[end + 4 :]
        if len(self._gathered) > REPLY_MAX_BYTES:
            return NotReadable(why=f"longer than {REPLY_MAX_BYTES} bytes")
        return self._whole(*self._head, ended=ended)

    def _whole(self, status: int, headers: dict[str, str], *, ended: bool) -> HttpReply | NotReadable | None:
        body: bytes | None
        closes = headers.get("connection", "").lower() == "close"
        if "chunked" in headers.get("transfer-encoding", "").lower():
            found = _chunks(self._gathered)
            if isinstance(found, NotReadable):
                return found
            body = found
        elif "content-length" in headers:
            length = _length(headers["content-length"])
            if length is None or length > REPLY_MAX_BYTES:
                return NotReadable(why="a length that is none, or too long")
            body = self._gathered[:length] if len(self._gathered) >= length else None
        elif status in (204, 304):
            body = b""
        else:
            closes = True
            body = self._gathered if ended else None
        if body is None:
            return NotReadable(why="cut short") if ended else None
        return HttpReply(status=status, headers=headers, body=body, closes=closes or ended)


def http_request(method: str, path: str, host: str, *, body: bytes = b"", login: str = "") -> bytes:
    """Whole request; `login` is the value of its Authorization header."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: */*", "Connection: keep-alive"]
    if login:
        lines.append(f"Authorization: {login}")
    if method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def challenge_of(reply: HttpReply) -> Challenge | None:
    """Digest challenge of a 401; None if it has none that can be met."""
    words = reply.headers.get("www-authenticate", "")
    if not words.lower().startswith("digest "):
        return None
    found = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(words[7:])}
    algorithm = found.get("algorithm", "MD5").upper()
    qops = [qop.strip() for qop in found.get("qop", "").split(",") if qop.strip()]
    if "nonce" not in found or algorithm not in ("MD5", "SHA-256") or (qops and "auth" not in qops):
        return None
    return Challenge(
        realm=found.get("realm", ""),
        nonce=found["nonce"],
        opaque=found.get("opaque", ""),
        algorithm=algorithm,
        has_qop=bool(qops),
    )


def authorization(
    challenge: Challenge, *, user: str, password: str, method: str, path: str, client_nonce: str, count: int
) -> str:
    """Value of the Authorization header that meets a challenge, the `count`-th with this client nonce."""

    def digest(words: str) -> str:
        if challenge.algorithm == "SHA-256":
            return hashlib.sha256(words.encode()).hexdigest()
        return hashlib.md5(words.encode(), usedforsecurity=False).hexdigest()

    secret = digest(f"{user}:{challenge.realm}:{password}")
    asked = digest(f"{method}:{path}")
    fields = [f'username="{user}"', f'realm="{challenge.realm}"', f'nonce="{challenge.nonce}"', f'uri="{path}"']
    if challenge.has_qop:
        number = f"{count:08x}"
        response = digest(f"{secret}:{challenge.nonce}:{number}:{client_nonce}:auth:{asked}")
        fields += ["qop=auth", f"nc={number}", f'cnonce="{client_nonce}"']
    else:
        response = digest(f"{secret}:{challenge.nonce}:{asked}")
    fields += [f'response="{response}"', f"algorithm={challenge.algorithm}"]
    if challenge.opaque:
        fields.append(f'opaque="{challenge.opaque}"')
    return "Digest " + ", ".join(fields)


def _head(data: bytes) -> tuple[int, dict[str, str]] | None:
    first, *rest = data.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        return None
    headers = {}
    for line in rest:
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    return int(status[1]), headers


def _length(words: str) -> int | None:
    return int(words) if words.isascii() and words.isdigit() and len(words) < 8 else None


def _chunks(data: bytes) -> bytes | NotReadable | None:
    """Body put together from its chunks; None while the last is missing. Trailers are not read."""
    if not data.endswith(b"0\r\n\r\n"):
        return None
    body: list[bytes] = []
    at = 0
    while (end := data.find(b"\r\n", at)) >= 0:
        words = data[at:end].split(b";")[0].strip()
        if not _CHUNK_LENGTH.fullmatch(words):
            return NotReadable(why="a chunk without a length")
        length = int(words, 16)
        if length == 0:
            return b"".join(body)
        at = end + 2 + length + 2
        body.append(data[end + 2 : at - 2])
    return None
