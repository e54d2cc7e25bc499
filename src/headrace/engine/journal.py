"""The journal: what every cycle decided and why, append-only, chained, and the same bytes for the same run.

One JSON text per line. The first is the run's header, then one line per cycle:

    {"chain":"<16 hex>","header":{...}}
    {"seq":1,"chain":"<16 hex>","rec":{...}}

`chain` is BLAKE2b (8 bytes) over the line before's chain and this line's record, so a changed byte anywhere is found
by reading. The journal holds no wall-clock time. A run that was killed leaves a torn last line at worst: `recover` cuts
it off and hands back what is whole. A cut at the end of a line leaves a shorter, valid journal: the reader knows how
many cycles it expects.
"""

import io
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from headrace.core import BadInput
from headrace.engine.atomic import refused, sync_folder
from headrace.engine.spare import DISK_FULL

__all__ = ["JournalHeader", "JournalWriter", "Recovered", "read_journal", "recover", "what_differs"]

FORMAT: Final = 1
"""Version of the line format; a change of the records' meaning or of the chain raises it."""

_CHAIN_BYTES: Final = 8
_HEADER_PREFIX: Final = b'{"chain":"%s","header":'
_RECORD_PREFIX: Final = b'{"seq":%d,"chain":"%s","rec":'
_LINE_END: Final = b"}\n"


class JournalHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run is; two runs with equal headers write equal journals."""

    format: int = FORMAT
    """Version of the line format."""
    kind: str
    """Mode of the run, e.g. "backtest"."""
    site: str
    """The site's name, for people."""
    policy: str
    """Policy and sensitivity that decided."""
    period: str
    """First and last time of the run, ISO-8601, "start/end"."""
    config_digest: str
    """Digest of the site and of every setting that moves a decision."""
    input_digest: str
    """Digest of every series the run reads."""
    fields: dict[str, tuple[str, ...]] = {}
    """Field names of the records that are written as arrays, by record."""
    versions: dict[str, str]
    """Version of Python, of headrace and of each package whose figures enter the records."""


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What is whole in a journal that a run left behind."""

    records: tuple[bytes, ...]
    """Every cycle's record, in order; the last one's sequence number is their count."""
    chain: bytes
    """Chain of the last whole line, hexadecimal; empty if not even the header is whole."""


class JournalWriter:
    """Appends records to one journal file.

    Parameters
    ----------
    path
        The file; its folder is made. Whatever it held is replaced, unless `recovered` says to go on after it.
    header
        What this run is.
    fsync_every
        Records between writes to disk; 1 loses nothing at a power cut, a replay can afford thousands.
    recovered
        What `recover` found in this very file.
    make_room
        Asked when the disk is full: true if it made space and the lines may be tried again; None if nobody can.

    Raises
    ------
    headrace.core.BadInput
        If the file can't be written; so do `append`, `flush` and `close`.
    """

    def __init__(
        self,
        path: Path,
        header: JournalHeader,
        *,
        fsync_every: int = 2016,
        recovered: Recovered | None = None,
        make_room: Callable[[], bool] | None = None,
    ) -> None:
        self._path = path
        self._make_room = make_room
        self._fsync_every = fsync_every
        self._pending: list[bytes] = []
        self._seq = 0
        self._chain = b""
        keep = recovered is not None and recovered.chain != b""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab" if keep else "wb", buffering=0)
        except OSError as error:
            raise refused(path, error) from error
        if recovered is not None and keep:
            self._seq, self._chain = len(recovered.records), recovered.chain
        else:
            self._start(header)

    @property
    def seq(self) -> int:
        """Sequence number of the last record appended; 0 before the first."""
        return self._seq

    def append(self, record: bytes) -> None:
        """Append one cycle's record, a JSON text without a line break (`msgspec.json.encode` writes such)."""
        self._seq += 1
        self._chain = _next_chain(self._chain, record)
        self._pending.append(_RECORD_PREFIX % (self._seq, self._chain) + record + _LINE_END)
        if len(self._pending) >= self._fsync_every:
            self.flush()

    def flush(self) -> None:
        """Write what is pending and make it survive a power cut."""
        lines = b"".join(self._pending)
        self._pending.clear()
        whole_bytes = 0
        try:
            whole_bytes = self._path.stat().st_size
            try:
                self._write(lines)
            except OSError as error:
                if error.errno not in DISK_FULL or self._make_room is None or not self._make_room():
                    raise
                self._file.truncate(whole_bytes)
                self._file.seek(whole_bytes)
                self._write(lines)
        except OSError as error:
            self._cut(whole_bytes)
            raise refused(self._path, error) from error

    def close(self) -> None:
        """Flush and close; closing twice does nothing."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, lines: bytes) -> None:
        unwritten = memoryview(lines)
        while unwritten:
            unwritten = unwritten[self._file.write(unwritten) :]
        os.fsync(self._file.fileno())

    def _cut(self, whole_bytes: int) -> None:
        """Leave whole lines only, and no file without one: `recover` would do so too."""
        with suppress(OSError):
            self._file.truncate(whole_bytes)
            if not whole_bytes:
                self._path.unlink()
        self._file.close()

    def _start(self, header: JournalHeader) -> None:
        encoded = _encode(header)
        self._chain = _next_chain(b"", encoded)
        self._pending.append(_HEADER_PREFIX % self._chain + encoded + _LINE_END)
        self.flush()
        try:
            sync_folder(self._path.parent)
        except OSError as error:
            self._file.close()
            raise refused(self._path, error) from error


def read_journal(path: Path) -> tuple[JournalHeader, list[bytes]]:
    """Read a journal and verify every line.

    Returns
    -------
    tuple of JournalHeader and list of bytes
        The header and each cycle's record, in order.

    Raises
    ------
    headrace.core.BadInput
        If the file can't be read, or a line is torn or was changed.
    """
    lines = _lines(_read(path))
    records, _ = _whole(lines)
    if not lines or len(records) < len(lines):
        raise BadInput(
            f"{path} line {len(records) + 1}",
            "the line is torn or was changed: it does not continue the chain",
            "Run again with --resume to mend a torn end, or without it to write the journal afresh",
        )
    return _decode_header(path, records[0]), records[1:]


def recover(path: Path, header: JournalHeader) -> Recovered:
    """Cut a torn last line off the journal of a run that was killed.

    Parameters
    ----------
    path
        The journal; absent means that the run had not begun.
    header
        What the run that goes on would write.

    Raises
    ------
    headrace.core.BadInput
        If the journal belongs to another run (the message names what differs), was changed before its last line, or
        can't be read or cut.
    """
    if not path.exists():
        return Recovered(records=(), chain=b"")
    content = _read(path)
    lines = _lines(content)
    records, chain = _whole(lines)
    if records:
        _refuse_other_run(path, _decode_header(path, records[0]), header)
    if len(records) < len(lines) - 1:
        raise BadInput(
            f"{path} line {len(records) + 1}",
            "the line was changed: it does not continue the chain, and whole lines follow it",
            "Run again without --resume to write the journal afresh",
        )
    if len(records) < len(lines):
        try:
            os.truncate(path, len(content) - len(lines[-1]))
        except OSError as error:
            raise refused(path, error) from error
    return Recovered(records=tuple(records[1:]), chain=chain)


def _encode(header: JournalHeader) -> bytes:
    return msgspec.json.encode(header, order="deterministic")


def _next_chain(chain: bytes, record: bytes) -> bytes:
    return blake2b(chain + record, digest_size=_CHAIN_BYTES).hexdigest().encode()


def _lines(content: bytes) -> list[bytes]:
    """Lines with their line feeds (a carriage return, which only damage brings in, ends none)."""
    return list(io.BytesIO(content))


def _whole(lines: Iterable[bytes]) -> tuple[list[bytes], bytes]:
    """Payloads (header first) of the leading lines that are exactly what the writer would write, and the last chain."""
    payloads: list[bytes] = []
    chain = b""
    blank = b"0" * (2 * _CHAIN_BYTES)
    for seq, line in enumerate(lines):
        prefix_size = len(_HEADER_PREFIX % blank if seq == 0 else _RECORD_PREFIX % (seq, blank))
        payload = line[prefix_size : -len(_LINE_END)]
        expected = _next_chain(chain, payload)
        prefix = _HEADER_PREFIX % expected if seq == 0 else _RECORD_PREFIX % (seq, expected)
        if line != prefix + payload + _LINE_END:
            break
        payloads.append(payload)
        chain = expected
    return payloads, chain


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(str(path), f"can't be read: {error.strerror or error}", "Name a journal of a run") from error


def _decode_header(path: Path, encoded: bytes) -> JournalHeader:
    try:
        return msgspec.json.decode(encoded, type=JournalHeader)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"{path} line 1", f"the header is of another format: {error}", "Run again without --resume"
        ) from error


def what_differs(found: JournalHeader, expected: JournalHeader) -> str:
    """Say in which fields two runs differ; empty if they are the same run."""
    was: dict[str, Any] = msgspec.to_builtins(found)
    now: dict[str, Any] = msgspec.to_builtins(expected)
    return "; ".join(f"{key} was {was[key]!r} and would be {now[key]!r}" for key in now if was[key] != now[key])


def _refuse_other_run(path: Path, found: JournalHeader, expected: JournalHeader) -> None:
    if differing := what_differs(found, expected):
        raise BadInput(
            f"{path} line 1",
            f"the journal is another run's: {differing}",
            "Run again with the site, data and versions it was begun with, or without --resume to begin afresh",
        )
