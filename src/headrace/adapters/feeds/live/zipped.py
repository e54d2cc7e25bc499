"""Opening what an operator sends as a zip, without trusting it: whole, few files, bounded size."""

import io
import zipfile
import zlib
from typing import Final

from headrace.core import BadInput

__all__ = ["unzipped"]

UNZIPPED_MAX_BYTES: Final = 400_000_000
"""Most that one reply may unpack to."""
MEMBERS_MAX: Final = 1_000


def unzipped(where: str, body: bytes) -> dict[str, bytes]:
    """Files of a zip by name, in order.

    Raises
    ------
    BadInput
        If the body is no zip, is cut short or damaged, or unpacks to more than the limit.
    """
    again = "Ask again later; if it stays, the operator's format has changed"
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_MAX or sum(member.file_size for member in members) > UNZIPPED_MAX_BYTES:
                raise BadInput(where, f"a zip that unpacks to more than {UNZIPPED_MAX_BYTES:,} bytes", again)
            return {member.filename: archive.read(member) for member in members}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        head = body[:60].decode("utf-8", "replace").strip()
        found = f"a page instead of a zip ({head!r}...)" if head.startswith("<") else f"no whole zip ({error})"
        raise BadInput(where, found, again) from error
