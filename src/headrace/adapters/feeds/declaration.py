"""How a recorded series is declared: which files, which columns, which unit, and when a value could be known.

A declaration is written by people (in a site file's `[feeds]` table or in the built-in catalogue), so it is a pydantic
model: it names every error at once and publishes a JSON schema.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FeedDeclaration", "Publication"]


class Publication(BaseModel):
    """When a value could first be known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Literal["after_end", "after_start", "day_before"] = "after_end"
    """`after_end`: `delay_min` after its interval has ended (a settled price, a meter); `after_start`: `delay_min` after it
    has begun (a price in time); `day_before`: at `at_local` on the local day before (a day-ahead auction)."""
    delay_min: float = Field(default=0.0, ge=0.0)
    """Minutes of delay for the first two rules."""
    at_local: str = "13:30"
    """Local wall time of publication for `day_before`, "HH:MM"."""
    time_zone: str | None = None
    """IANA zone of `at_local`; None means the site's own."""


class FeedDeclaration(BaseModel):
    """One recorded series: value = `scale` × (sum of `columns`) / `divide_by`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: tuple[str, ...]
    """Paths under the data folder; "{year}" stands for each year the window touches."""
    columns: tuple[str, ...]
    """Columns that are added up."""
    divide_by: str | None = None
    """Column to divide by."""
    scale: float = 1.0
    """Multiplies the result (unit conversion)."""
    unit: str
    """Unit suffix of the result: usd_per_mwh, eur_per_mwh, cad_per_mwh, c, ratio, btc, usd, kg_per_mwh, per_s, mw."""
    step_min: float = Field(gt=0.0)
    """Length of one interval, minutes."""
    time: str = "interval_start"
    """Column with the interval's start (UTC; a naive stamp is read as UTC)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Keep only the rows in which each of these columns equals this text."""
    is_undated: bool = False
    """The time column counts seconds from the trace's own start: the trace is laid from a local Monday midnight and
    repeated over the window."""
    known: Publication = Publication()
    """When a value could first be known."""
    note: str = ""
    """What a reader must know beside a figure made from it ("transaction fees not included")."""
