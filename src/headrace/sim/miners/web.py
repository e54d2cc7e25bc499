"""Requests and answers of HTTP from a machine's side."""

import re
from collections.abc import Mapping

import msgspec

__all__ = ["WebRequest", "answer", "request_of"]

_LINE = re.compile(r"(GET|POST|PUT) (/\S*) HTTP/1\.[01]")


class WebRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One whole request."""

    method: str
    """GET, POST or PUT; empty if it is none of them."""
    path: str
    """What is asked for."""
    headers: Mapping[str, str]
    """Headers by their names in small letters."""
    body: bytes
    """What it carries."""


def request_of(data: bytes) -> tuple[WebRequest, int] | None:
    """First request of the bytes and how many of them it is; None while it is not whole."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = headers.get("content-length", "0")
    length = int(words) if words.isdigit() else 0
    if len(rest) < length:
        return None
    line = _LINE.fullmatch(first)
    method, path = (line[1], line[2]) if line else ("", "")
    return WebRequest(method=method, path=path, headers=headers, body=rest[:length]), len(head) + 4 + length


def answer(status: int, body: bytes, headers: str = "") -> bytes:
    """Whole answer on a connection that stays."""
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body
