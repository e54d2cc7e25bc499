"""The operator's API beside a live site: it answers as long as the site runs."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from headrace.adapters.devicefile.schema_doors import ApiSection
from headrace.adapters.devicefile.secrets import read_secret
from headrace.app.operator_desk import ApiServer, SiteDesk
from headrace.engine.live.site import LiveSite

__all__ = ["serving"]


def serving(
    section: ApiSection,
    *,
    folder: Path,
    out: Path,
    now_us: Callable[[], int],
    make_room: Callable[[], bool] | None = None,
) -> Callable[[LiveSite], Awaitable[None]]:
    """Make what runs beside the site.

    Parameters
    ----------
    section
        `[api]` of the device file.
    folder
        Folder of the device file, which a file of secrets is relative to.
    out
        Folder of the run; the audit file goes into it.
    now_us
        The site's clock, epoch microseconds.
    make_room
        Makes space on a full disk, so that orders can still be recorded; None if nobody can.

    Raises
    ------
    headrace.core.BadInput
        If the access file can't be read, when the API starts.
    """

    async def serve(site: LiveSite) -> None:
        text = None
        if section.access is not None:
            text = read_secret(section.access, folder=folder, environ=os.environ).reveal()
        server = ApiServer(
            SiteDesk(site, now_us),
            text,
            out / "audit.jsonl",
            host=section.bind,
            port=section.port,
            allow_remote=section.allow_remote,
            make_room=make_room,
        )
        await server.start()
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()

    return serve
