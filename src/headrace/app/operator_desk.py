"""The live engine as the operator's API sees it, and the server it is served by."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from headrace.control.orders import LockOut, Order
from headrace.core import BadInput
from headrace.engine.live.site import LiveSite
from headrace.engine.live.status import LiveStatus
from headrace.interfaces.operator.access import Access
from headrace.interfaces.operator.api import operator_api
from headrace.interfaces.operator.audit import Audit
from headrace.interfaces.operator.desk import Preview, Receipt
from headrace.interfaces.operator.metrics import metrics_page

__all__ = ["ApiServer", "SiteDesk"]

REQUEST_MAX_S = 10.0
"""Longest time that a request takes to come in, seconds."""
START_MAX_S = 10.0
"""Longest wait for the server to listen, seconds."""


class SiteDesk:
    """One live site; see `headrace.interfaces.operator.desk.Desk`.

    Parameters
    ----------
    site
        The site.
    now_us
        Its clock, epoch microseconds.
    """

    def __init__(self, site: LiveSite, now_us: Callable[[], int]) -> None:
        self._site = site
        self.now_us = now_us

    def status(self) -> LiveStatus:
        """Where the site stands."""
        return self._site.status()

    def preview(self, order: Order) -> Preview:
        """What an order would do."""
        shedding = self._site.preview(order)
        return Preview(
            expected_mw=shedding.expected_mw,
            short_mw=shedding.short_mw,
            assets=len(shedding.commands),
            mw_of_load=self._site.mw_of_load(shedding),
            reasons=shedding.reasons,
        )

    async def submit(self, order: Order) -> Receipt:
        """Follow an order."""
        began_us = self.now_us()
        delivered = await self._site.submit(order)
        return Receipt(
            order=order.id,
            refused=delivered.refused,
            asked_mw=delivered.asked_mw,
            metered_mw=delivered.met_mw,
            is_met=delivered.is_met,
            reasons=delivered.reasons,
            seconds=(self.now_us() - began_us) / 1e6,
        )

    async def lock(self, lock: LockOut) -> Receipt:
        """Lock out."""
        return Receipt(order=lock.asset, refused=self._site.lock(lock))

    async def release(self, asset: str, *, by: str) -> Receipt:
        """Release."""
        return Receipt(order=asset, refused=self._site.release(asset, holder=by))


class ApiServer:
    """The API of one site on its address.

    Parameters
    ----------
    desk
        The site.
    access_text
        Content of the access file; None closes the API to everybody.
    audit
        The audit file.
    host, port
        Where to listen.
    allow_remote
        May it listen on more than this machine? Then something in front of it must speak TLS.
    make_room
        Makes space on a full disk, so that orders can still be recorded; None if nobody can.

    Raises
    ------
    headrace.core.BadInput
        If the access file can't be read, the port is taken, or the address is not this machine's and that was not
        allowed.
    """

    def __init__(
        self,
        desk: SiteDesk,
        access_text: str | None,
        audit: Path,
        *,
        host: str,
        port: int,
        allow_remote: bool,
        make_room: Callable[[], bool] | None = None,
    ) -> None:
        if host not in ("127.0.0.1", "::1", "localhost") and not allow_remote:
            raise BadInput(
                f"[api] bind {host!r}", "others could reach it", "Bind 127.0.0.1, or say allow_remote = true behind TLS"
            )
        self._audit = Audit(audit, make_room)
        api = operator_api(
            desk,
            Access.read(access_text or "", "[api] access"),
            self._audit,
            metrics=metrics_page(desk.status),
            monotonic=time.monotonic,  # noqa: TID251  limits and confirmations count the wall's seconds
        )
        config = uvicorn.Config(
            api,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=100,
            http=_Impatient,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=16_384,
        )
        self._server = _Server(config)
        self._socket = _listening(host, port)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        async with asyncio.timeout(START_MAX_S):
            while not self._server.started and not self._task.done():
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Answer what is under way and stop."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task], timeout=START_MAX_S)
        self._audit.close()


class _Impatient(H11Protocol):
    """Hangs up on whoever brought no whole request after some seconds: a hundred of them would keep out the rest."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._look_again(is_late=False)

    def _look_again(self, *, is_late: bool) -> None:
        if self.transport.is_closing():
            return
        is_waiting = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if is_waiting and is_late:
            self.transport.abort()
            return
        self.loop.call_later(REQUEST_MAX_S / 2.0, partial(self._look_again, is_late=is_waiting))


class _Server(uvicorn.Server):
    """A server that leaves signals to the engine."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise BadInput(f"[api] {host}:{port}", f"can't listen: {error.strerror}", "Choose another port") from error
    return opened
