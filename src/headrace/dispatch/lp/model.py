"""A linear programme as it grows: blocks of columns with cost and bounds, blocks of rows with entries. Maximised."""

from collections.abc import Sequence

import highspy
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["OPTIONS", "Model"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Model:
    """Columns by name, rows by name, in the order they were added."""

    def __init__(self) -> None:
        self.columns: dict[str, Ints] = {}
        self.rows: dict[str, Ints] = {}
        self._column_parts: list[tuple[Floats, Floats, Floats]] = []
        self._row_parts: list[tuple[Floats, Floats]] = []
        self._entry_parts: list[tuple[Ints, Ints, Floats]] = []
        self._column_count = 0
        self._row_count = 0

    def add_columns(
        self, name: str, shape: tuple[int, ...], *, value: ArrayLike, low: ArrayLike, high: ArrayLike
    ) -> None:
        """Add a block of variables.

        Parameters
        ----------
        name
            Key in `columns`, whose entry has `shape` and holds column numbers.
        shape
            Shape of the block.
        value
            Worth per unit in the objective, broadcast to `shape`.
        low, high
            Bounds, broadcast to `shape`.
        """
        size = int(np.prod(shape))
        self.columns[name] = np.arange(self._column_count, self._column_count + size).reshape(shape)
        self._column_count += size
        value, low, high = (np.broadcast_to(np.asarray(x, float), shape).ravel() for x in (value, low, high))
        self._column_parts.append((value, low, high))

    def add_rows(
        self, name: str, count: int, *, low: ArrayLike, high: ArrayLike, entries: Sequence[tuple[Ints, ArrayLike]]
    ) -> None:
        """Add a block of rows `low <= Σ coefficient · column <= high`.

        Parameters
        ----------
        name
            Key in `rows`.
        count
            Number of rows R.
        low, high
            Shape (R,) or one number.
        entries
            Terms: column numbers, shape (R,), with their coefficients, shape (R,) or one number; a column number of -1
            leaves its row without that term.
        """
        numbers = np.arange(self._row_count, self._row_count + count)
        self.rows[name] = numbers
        self._row_count += count
        low, high = (np.broadcast_to(np.asarray(x, float), (count,)) for x in (low, high))
        self._row_parts.append((low, high))
        for columns, coefficients in entries:
            self.add_terms(name, columns, coefficients)

    def add_terms(self, name: str, columns: Ints, coefficients: ArrayLike) -> None:
        """Add one more term to every row of a block; a column number of -1 leaves its row as it is."""
        present = columns >= 0
        values = np.broadcast_to(np.asarray(coefficients, float), columns.shape)
        self._entry_parts.append((self.rows[name][present], columns[present], values[present]))

    def add_sparse_terms(self, name: str, rows: Ints, columns: Ints, coefficients: ArrayLike) -> None:
        """Add single terms: row `rows[i]` of the block takes `coefficients[i]` of `columns[i]`."""
        values = np.broadcast_to(np.asarray(coefficients, float), columns.shape)
        self._entry_parts.append((self.rows[name][rows], columns, values))

    def to_highs(self) -> highspy.Highs:
        """Load into HiGHS: one thread, simplex, no output, fixed options."""
        highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no types
        for option, setting in OPTIONS:
            highs.setOptionValue(option, setting)
        highs.passModel(self.lp())
        return highs

    def lp(self) -> highspy.HighsLp:
        """The programme as HiGHS takes it."""
        lp = highspy.HighsLp()
        value, low, high = (np.concatenate(part) for part in zip(*self._column_parts, strict=True))
        row_low, row_high = (np.concatenate(part) for part in zip(*self._row_parts, strict=True))
        rows, columns, values = (np.concatenate(part) for part in zip(*self._entry_parts, strict=True))
        order = np.lexsort((columns, rows))
        lp.num_col_, lp.num_row_ = self._column_count, self._row_count
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = value, low, high
        lp.row_lower_, lp.row_upper_ = row_low, row_high
        lp.sense_ = highspy.ObjSense.kMaximize
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = self._column_count, self._row_count
        lp.a_matrix_.start_ = np.searchsorted(rows[order], np.arange(self._row_count + 1)).astype(np.int32)
        lp.a_matrix_.index_ = columns[order].astype(np.int32)
        lp.a_matrix_.value_ = values[order]
        return lp


OPTIONS: tuple[tuple[str, str | int | float | bool], ...] = (
    ("output_flag", False),
    ("threads", 1),
    ("solver", "simplex"),
    ("random_seed", 0),
    ("primal_feasibility_tolerance", 1e-9),
    ("dual_feasibility_tolerance", 1e-9),
)
"""Options of every solve: the same answer on every machine."""
