"""A section of the board's page as data: words, tables and pictures that the page lays out like its own."""

import msgspec

__all__ = ["Section", "Table"]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table: the first column names the row, the others hold figures or words."""

    caption: str
    """What it shows."""
    columns: tuple[str, ...]
    """Headings; the first is the row's name."""
    rows: tuple[tuple[str, ...], ...]
    """Cells as they are printed."""
    words: frozenset[int] = frozenset()
    """Columns, from 0, that hold words and are set flush left."""
    key: frozenset[int] = frozenset()
    """Rows, from 0, that stand out: totals, the headline."""
    is_folded: bool = False
    """Shown only when asked for."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the page."""

    key: str
    """Id in the page, unique."""
    title: str
    """Heading."""
    words: tuple[str, ...] = ()
    """Paragraphs before the tables."""
    pictures: tuple[str, ...] = ()
    """SVG, shown side by side where there is room."""
    tables: tuple[Table, ...] = ()
    source: str = ""
    """How the figures came about: small print under the tables."""
