"""Requests to an OpenADR 3 VTN: OAuth client credentials, paging, and every failure as a reason.

Over toadr3, which reads a list of events all or none, this passes each object on as it came, so that one that can't be
read takes no other with it; and it bounds what it reads.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from headrace.adapters.grid.book import Unreadable
from headrace.adapters.grid.refusals import Why

__all__ = ["Rest", "RestSettings"]

PAGE: Final = 50
"""Objects asked for at once: the most that the standard lets a VTN return."""
PAGES_MAX: Final = 40
TOKEN_SPARE_S: Final = 30.0
"""A token is renewed this long before it expires, seconds."""


class RestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a VTN is reached; the secret is in no text that this makes of itself."""

    url: str
    """Base address of its API."""
    client_id: str
    """Id of this client."""
    client_secret: str
    """Its secret."""
    token_url: str = ""
    """Where tokens are had; empty to ask the VTN."""
    scope: str = "read_all write_reports write_subscriptions write_vens"
    """What a token is asked for."""
    timeout_s: float = 5.0
    """Longest wait for a connection, and for a reply once the request has left, seconds."""
    reply_max_bytes: int = 4_000_000
    """Largest reply that is read."""

    def __repr__(self) -> str:
        return f"RestSettings(url={self.url!r}, client_id={self.client_id!r}, ...)"


class Rest:
    """A client of one VTN.

    Parameters
    ----------
    settings
        How it is reached.
    """

    def __init__(self, settings: RestSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until_s = 0.0

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> tuple[int, Any]:
        """Send a request; the status (2xx, 404 or 409) and the JSON of its reply.

        Raises
        ------
        headrace.adapters.grid.book.Unreadable
            If there is no answer, or not one that can be read, or the VTN refuses.
        """
        status, content = await self._authorised(method, path, params, body)
        if status in {401, 403}:
            self._token = ""  # it may have been revoked: one more try with a new one
            status, content = await self._authorised(method, path, params, body)
        what = f"{method} {path}"
        if status in {401, 403}:
            raise Unreadable(Why.UNAUTHORISED, what, f"the VTN answers HTTP {status}")
        if not (200 <= status < 300 or status in {404, 409}):
            raise Unreadable(Why.UNREACHABLE, what, f"the VTN answers HTTP {status}")
        return status, _json(content, what) if content else None

    async def every(self, path: str, **params: str) -> AsyncIterator[Mapping[str, Any]]:
        """Every object of a collection, page by page.

        Raises
        ------
        headrace.adapters.grid.book.Unreadable
            If a page can't be had or is no list.
        """
        for page in range(PAGES_MAX):
            asked = {**params, "skip": str(page * PAGE), "limit": str(PAGE)}
            _, found = await self.ask("GET", path, params=asked)
            if not isinstance(found, list):
                raise Unreadable(Why.MALFORMED, f"GET {path}", "a list is expected")
            for each in found:
                yield each if isinstance(each, Mapping) else {}
            if len(found) < PAGE:
                return
        raise Unreadable(Why.ABSURD, f"GET {path}", f"more than {PAGE * PAGES_MAX:,} objects")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _authorised(
        self, method: str, path: str, params: Mapping[str, str] | None, body: object
    ) -> tuple[int, bytes]:
        if not self._token or asyncio.get_running_loop().time() > self._token_until_s:
            await self._sign_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        url, data = f"{self._settings.url.rstrip('/')}{path}", None if body is None else msgspec.json.encode(body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        return await self._send(method, url, f"{method} {path}", params=params, data=data, headers=headers)

    async def _sign_in(self) -> None:
        own, what = self._settings, "token"
        url = own.token_url
        if not url:
            _, content = await self._send("GET", f"{own.url.rstrip('/')}/auth/server", what)
            found = _json(content, what)
            url = str(found.get("tokenURL", "")) if isinstance(found, Mapping) else ""
        form = {
            "grant_type": "client_credentials",
            "client_id": own.client_id,
            "client_secret": own.client_secret,
            "scope": own.scope,
        }
        status, content = await self._send("POST", url, what, data=form)
        if status != 200:
            raise Unreadable(Why.UNAUTHORISED, what, f"no token: HTTP {status}")
        granted = _json(content, what)
        if not isinstance(granted, Mapping) or not isinstance(granted.get("access_token"), str):
            raise Unreadable(Why.MALFORMED, what, "a reply without access_token")
        lasts = granted.get("expires_in")
        lasts_s = float(lasts) if isinstance(lasts, int | float) and not isinstance(lasts, bool) else 0.0
        self._token = granted["access_token"]
        self._token_until_s = asyncio.get_running_loop().time() + max(lasts_s - TOKEN_SPARE_S, 0.5 * lasts_s)

    async def _send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        limits = self._settings
        if self._session is None:
            timeout = aiohttp.ClientTimeout(sock_connect=limits.timeout_s, sock_read=limits.timeout_s, total=None)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            async with (
                asyncio.timeout(4.0 * limits.timeout_s),  # a peer that sends a byte at a time ends here
                self._session.request(
                    method, url, params=params, data=data, headers=headers, allow_redirects=False
                ) as reply,
            ):
                content = b""
                while len(content) <= limits.reply_max_bytes and not reply.content.at_eof():
                    content += await reply.content.read(limits.reply_max_bytes + 1 - len(content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreadable(Why.UNREACHABLE, what, f"no reply ({type(error).__name__})") from error
        if len(content) > limits.reply_max_bytes:
            raise Unreadable(Why.MALFORMED, what, f"a reply of more than {limits.reply_max_bytes:,} bytes")
        return reply.status, content


def _json(content: bytes, what: str) -> Any:  # noqa: ANN401  whatever the other side sent
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(Why.MALFORMED, what, f"a reply that is no JSON ({error})") from error
