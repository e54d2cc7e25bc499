"""Dates of the site file: a day, which begins at midnight in the site's zone, or a time with its own offset."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainValidator, WithJsonSchema

__all__ = ["Moment", "instant"]


def _moment(value: Any) -> date:  # noqa: ANN401  whatever the file holds
    if not isinstance(value, date) or (isinstance(value, datetime) and value.tzinfo is None):
        raise ValueError(f"must be a date (2024-01-01) or a time with its offset (2024-01-01T06:00:00Z), was {value}")
    if not 1970 <= value.year < 2100:
        raise ValueError(f"must lie within the years 1970 to 2099, was {value}")
    return value


Moment = Annotated[
    date,
    PlainValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
"""A TOML date, or a TOML time with its offset."""


def instant(moment: date, zone: ZoneInfo) -> datetime:
    """The instant in UTC."""
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time(), tzinfo=zone)
    return at.astimezone(UTC)
