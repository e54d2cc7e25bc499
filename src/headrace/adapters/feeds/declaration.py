"""How a recorded series is declared: which files, which columns, which unit, and when a value could be known.

A declaration is written by people (in a site file's `[feeds]` table or in the built-in catalogue), so it is a pydantic
model: it names every error at once and publishes a JSON schema.
"""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["FeedDeclaration", "Publication"]


class Publication(BaseModel):
    """When a value could first be known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Literal["after_end", "after_start", "day_before"] = "after_end"
    """`after_end`: `delay_min` after its interval has ended (a settled price, a meter); `after_start`: `delay_min`
    after it has begun (a price in time, a thermometer read on the hour); `day_before`: at `at_local` on the local day
    before (a day-ahead auction)."""
    delay_min: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    """Minutes of delay for the first two rules."""
    at_local: str = Field(default="13:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """Local wall time of publication for `day_before`, "HH:MM"."""
    time_zone: str | None = None
    """IANA zone of `at_local` and of the day it belongs to; None means the site's own."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"must be an IANA zone such as America/Chicago, was {name!r}") from error
        return name


class FeedDeclaration(BaseModel):
    """One recorded series: value = `scale` × (sum of `columns`) / `divide_by`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: tuple[str, ...] = Field(min_length=1)
    """Paths under the data folder. Plain paths are read one after the other. Paths with "{year}" are templates: for
    each year the window touches, the first template whose file exists is read; a file of several years is named by its
    first and last (2017_2018). "sample:" stands for the embedded sample."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Columns that are added up."""
    divide_by: str | None = None
    """Column to divide by."""
    scale: float = Field(default=1.0, allow_inf_nan=False)
    """Multiplies the result (unit conversion)."""
    unit: str
    """Unit suffix of the result: usd_per_mwh, eur_per_mwh, cad_per_mwh, c, ratio, btc, usd, kg_per_mwh, per_s, mw."""
    step_min: float = Field(gt=0.0, le=1440.0)
    """Length of one interval, minutes; a day is a whole number of them."""
    time: str = "interval_start"
    """Column with the interval's start (UTC; a naive stamp is read as UTC)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Keep only the rows in which each of these columns equals this text."""
    is_undated: bool = False
    """The time column counts seconds from the trace's own start: the trace is laid from a local Monday midnight and its
    whole weeks are repeated over the window."""
    known: Publication = Publication()
    """When a value could first be known."""
    note: str = ""
    """What a reader must know beside a figure made from it ("transaction fees not included")."""

    @field_validator("step_min")
    @classmethod
    def _step_divides_the_day(cls, step_min: float) -> float:
        step_s = round(step_min * 60.0)
        if abs(step_s - step_min * 60.0) > 1e-6 or 86_400 % step_s:
            raise ValueError(f"must be whole seconds that divide a day (5, 15, 60, 1440 minutes), was {step_min:g}")
        return step_min

    @field_validator("files")
    @classmethod
    def _templates_are_clear(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if len({"{year}" in file for file in files}) > 1:
            raise ValueError('must be all plain paths or all with "{year}"')
        if any("{year}" in file.rpartition("/")[0] for file in files):
            raise ValueError('"{year}" belongs in the name of the file, not of a folder')
        return files

    @property
    def step_s(self) -> int:
        """Length of one interval, seconds."""
        return round(self.step_min * 60.0)

    @property
    def is_yearly(self) -> bool:
        """The paths are templates with "{year}"."""
        return "{year}" in self.files[0]
