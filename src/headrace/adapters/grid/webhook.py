"""Where a VTN calls back: one address on loopback, a shared secret, small bodies.

A public address is the business of whatever stands in front (a reverse proxy with TLS); this binds to loopback only.
"""

import asyncio
import hmac
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from headrace.adapters.grid.book import Unreadable
from headrace.adapters.grid.refusals import Why

__all__ = ["Webhook", "WebhookSettings"]

PATH: Final = "/notifications"
BODY_MAX_BYTES: Final = 1_000_000
BODY_WAIT_S: Final = 5.0
"""Longest wait for a body, seconds."""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a VTN calls back; the secret is in no text that this makes of itself."""

    port: int
    """Port on loopback; 0 for any."""
    secret: str
    """Bearer token that the VTN is given and must show."""
    public_url: str = ""
    """Address that the VTN is told, if something stands in front; empty for the one on loopback."""

    def __repr__(self) -> str:
        return f"WebhookSettings(port={self.port}, public_url={self.public_url!r}, ...)"


class Webhook:
    """Takes notifications in.

    Parameters
    ----------
    settings
        Where, and with which secret.
    notified
        Told each JSON object that came with the right secret.
    refused
        Told what was turned away.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        notified: Callable[[dict[str, Any]], None],
        refused: Callable[[Unreadable], None],
    ) -> None:
        self._settings = settings
        self._notified = notified
        self._refused = refused
        self._runner: web.AppRunner | None = None
        self.url = settings.public_url

    async def open(self) -> None:
        """Serve."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post(PATH, self._post)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._settings.port).start()
        self.url = self._settings.public_url or f"http://127.0.0.1:{self._runner.addresses[0][1]}{PATH}"

    async def close(self) -> None:
        """Serve no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _post(self, request: web.Request) -> web.Response:
        shown = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(shown, f"Bearer {self._settings.secret}".encode()):
            self._refused(Unreadable(Why.UNAUTHORISED, "notification", "without the secret that the VTN was given"))
            return web.Response(status=403)
        try:
            async with asyncio.timeout(BODY_WAIT_S):
                found = msgspec.json.decode(await request.read(), type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError, TimeoutError, web.HTTPRequestEntityTooLarge) as error:
            self._refused(Unreadable(Why.MALFORMED, "notification", f"no JSON object in time ({type(error).__name__})"))
            return web.Response(status=400)
        self._notified(found)
        return web.Response(status=200)
