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
    body: Any
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
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise BadInput(f"--api {url!r}", "not a URL", "Write http://127.0.0.1:8620")
        if parts.scheme == "http" and host not in LOOPBACK:
            raise BadInput(f"--api {url!r}", "a token does not cross a network in the clear", "Use https")
        self._url, self._host, self._port, self._is_tls = url, host, parts.port, parts.scheme == "https"
        self._token = _token(token_file)
        self._timeout_s = timeout_s

    def get(self, path: str) -> Any:  # noqa: ANN401  whatever JSON the site says
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
            return Answer(status=reply.status, body=json.loads(content or b"{}"))
        except ValueError:
            return Answer(status=reply.status, body={"detail": content[:200].decode("utf-8", "replace")})

    def _said(self, answer: Answer) -> Answer:
        if answer.status < 400:
            return answer
        found = answer.body if isinstance(answer.body, dict) else {}
        why = found.get("refused") or found.get("detail") or f"status {answer.status}"
        if answer.status == 401:
            raise BadInput(self._url, "the token is not known there", "Set HEADRACE_TOKEN or --token-file")
        if answer.status == 422:
            raise BadInput("order", _first_error(why), "See `headrace shed --help`")
        raise Refused(f"{self._url}: {why if isinstance(why, str) else json.dumps(why)}")


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
