"""The journal of a live site: the replay's chained lines, with a tagged record in each.

What orders and commands say is on disk before the first byte of their effect leaves; the rest follows the site's fsync
policy. A torn last line is cut off at the next start: it was never acted on.
"""

from pathlib import Path

import msgspec

from headrace.core import BadInput
from headrace.engine.journal import JournalHeader, JournalWriter, read_journal, recover
from headrace.engine.live.records import LiveRecord
from headrace.engine.spare import Spare

__all__ = ["LiveJournal", "read_live", "reopen"]


class LiveJournal:
    """Appends a live site's records.

    Parameters
    ----------
    writer
        The journal file.
    """

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._encode = msgspec.json.Encoder().encode

    @property
    def seq(self) -> int:
        """Sequence number of the last record."""
        return self._writer.seq

    def append(self, record: LiveRecord) -> int:
        """Append one record and return its sequence number; it survives a crash when the fsync policy says so."""
        self._writer.append(self._encode(record))
        return self._writer.seq

    def flush(self) -> None:
        """Put everything on disk: called before any effect."""
        self._writer.flush()

    def close(self) -> None:
        """Put everything on disk and close."""
        self._writer.close()


def reopen(
    path: Path, header: JournalHeader, *, fsync_every: int, spare: Spare | None = None
) -> tuple[LiveJournal, list[LiveRecord]]:
    """Begin a journal, or go on after the last whole line of one that an engine left.

    Parameters
    ----------
    path, header
        The file, and what the run is; an existing journal keeps its own beginning.
    fsync_every
        Records between writes to disk; 1 loses none of them at a power cut.
    spare
        Reserve of disk that is given back when it is full.

    Raises
    ------
    headrace.core.BadInput
        If the journal is another site's or another version's, was changed, or can't be written.
    """
    began = _beginning(path)
    header = header if began is None else msgspec.structs.replace(header, period=began.period)
    found = recover(path, header)
    records = _decoded(path, found.records)
    make_room = None if spare is None else spare.give
    writer = JournalWriter(path, header, fsync_every=fsync_every, recovered=found, make_room=make_room)
    return LiveJournal(writer), records


def read_live(path: Path) -> tuple[JournalHeader, list[LiveRecord]]:
    """Read a live journal and verify every line.

    Raises
    ------
    headrace.core.BadInput
        If it can't be read, or a line is torn, was changed, or is of another format.
    """
    header, lines = read_journal(path)
    return header, _decoded(path, lines)


def _beginning(path: Path) -> JournalHeader | None:
    """Header of an existing journal; None if not even that is whole."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        line = file.readline()
    try:
        return msgspec.json.decode(line, type=_FirstLine).header if line.endswith(b"\n") else None
    except msgspec.MsgspecError:
        return None


class _FirstLine(msgspec.Struct):
    header: JournalHeader


def _decoded(path: Path, lines: tuple[bytes, ...] | list[bytes]) -> list[LiveRecord]:
    decoder = msgspec.json.Decoder(LiveRecord)
    records: list[LiveRecord] = []
    for number, line in enumerate(lines, start=2):
        try:
            records.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise BadInput(
                f"{path} line {number}",
                f"the record is of another format: {error}",
                "Use the version of Headrace that wrote it",
            ) from error
    return records
