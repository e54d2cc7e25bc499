"""Talks to a running site's API: small, bounded, and clear about what went wrong."""

import json
import os
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from headrace.core import BadInput, ExitCode, HeadraceError

__all__ = ["OperatorClient", "Refused", "Unreachable"]

REPLY_MAX_BYTES: Final = 16_000_000
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Unreachable(HeadraceError):
    """No site answers there."""

    exit_code = ExitCode.STALE


class Refused(HeadraceError):
    """The site answered that it will not."""

    exit_code = ExitCode.REFUSED


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the site said."""

    status: int
    """HTTP status."""
    body: dict[str, Any]
    """Its JSON."""


class OperatorClient:
    """One site's API.

    Parameters
    ----------
    url
        Where it is ("http://127.0.0.1:8620"); https unless it is this machine.
    token_file
        File that holds the token; None takes HEADRACE_TOKEN from the environment.
    timeout_s
        Longest wait for an answer, seconds.

    Raises
    ------
    headrace.core.BadInput
        If the URL or the token can't be used.
    """

    def __init__(self, url: str, token_file: Path | None, *, timeout_s: float = 30.0) -> None:
        scheme, host, port = _place(url)
        if scheme == "http" and host not in LOOPBACK:
            raise BadInput(f"--api {url!r}", "a token does not cross a network in the clear", "Use https")
        self._url, self._host, self._port, self._is_tls = url, host, port, scheme == "https"
        self._token = _token(token_file)
        self._timeout_s = timeout_s

    def get(self, path: str) -> dict[str, Any]:
        """Ask for something."""
        return self._said(self._ask("GET", path, None)).body

    def send(self, method: str, path: str, body: object | None = None) -> Answer:
        """Ask for something to be done."""
        return self._said(self._ask(method, path, body))

    def _ask(self, method: str, path: str, body: object | None) -> Answer:
        connection: HTTPConnection
        if self._is_tls:
            context = ssl.create_default_context()
            connection = HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        else:
            connection = HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(
                method,
                path,
                body=json.dumps({} if body is None else body),
                headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            )
            reply = connection.getresponse()
            content = reply.read(REPLY_MAX_BYTES + 1)
        except (OSError, HTTPException) as error:
            raise Unreachable(
                f"{self._url}: no answer ({type(error).__name__}). Is `headrace live` running there?"
            ) from error
        finally:
            connection.close()
        if len(content) > REPLY_MAX_BYTES:
            raise Unreachable(f"{self._url}: the answer is longer than {REPLY_MAX_BYTES} bytes: not a site's API")
        try:
            body = msgspec.json.decode(content or b"{}", type=dict[str, Any])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if reply.status < 400:
                raise Unreachable(f"{self._url}: what answers there is not a site's API. Check --api") from error
            body = {"detail": content[:200].decode("utf-8", "replace")}
        return Answer(status=reply.status, body=body)

    def _said(self, answer: Answer) -> Answer:
        if answer.status < 300:
            return answer
        if answer.status < 400:
            raise Unreachable(f"{self._url}: it sends us elsewhere (status {answer.status}). Check --api")
        why = answer.body.get("refused") or answer.body.get("detail") or f"status {answer.status}"
        if answer.status == 401:
            raise BadInput(self._url, "the token is not known there", "Set HEADRACE_TOKEN or --token-file")
        if answer.status == 422:
            raise BadInput("order", _first_error(why), "See `headrace shed --help`")
        raise Refused(f"{self._url}: {why if isinstance(why, str) else json.dumps(why)}")


def _place(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError as error:
        raise BadInput(f"--api {url!r}", f"not a URL: {error}", "Write http://127.0.0.1:8620") from error
    if scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise BadInput(f"--api {url!r}", "not a URL", "Write http://127.0.0.1:8620")
    return scheme, host, port


def _first_error(why: object) -> str:
    if isinstance(why, list) and why and isinstance(why[0], dict):
        return f"{'.'.join(str(part) for part in why[0].get('loc', ())[1:])}: {why[0].get('msg', '')}"
    return str(why)


def _token(token_file: Path | None) -> str:
    if token_file is None:
        token = os.environ.get("HEADRACE_TOKEN", "")
    else:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(str(token_file), "the token can't be read", "Name the file with --token-file") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise BadInput(
            "HEADRACE_TOKEN" if token_file is None else str(token_file),
            "no token",
            "Get one from whoever runs the site: `headrace access add NAME`",
        )
    return token
