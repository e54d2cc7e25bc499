"""Objects of an OpenADR 3 VTN: what a client must send, and what the VTN adds.

Required fields, patterns and lengths are those of the OpenADR Alliance's OpenAPI description, versions 3.0.1 and 3.1;
targets may be values maps (3.0) or plain words (3.1). What a client sends beside them is kept as it came.
"""

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

__all__ = ["Collection", "collections", "problem_of"]

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]*$")]
Word = Annotated[str, Field(min_length=1, max_length=128)]
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class _Object(BaseModel):
    model_config = ConfigDict(extra="allow", alias_generator=to_camel, strict=True)


class _ValuesMap(_Object):
    type: Word
    values: list[Any]


class _Period(_Object):
    start: str | None = None
    duration: str | None = None


class _Interval(_Object):
    id: int
    interval_period: _Period | None = None
    payloads: list[_ValuesMap]


class _Program(_Object):
    object_type: Literal["PROGRAM"] = "PROGRAM"
    program_name: Word


class _Event(_Object):
    object_type: Literal["EVENT"] = "EVENT"
    program_id: Annotated[Id, Field(alias="programID")]
    interval_period: _Period | None = None
    intervals: list[_Interval]


class _ReportData(_Object):
    resource_name: Word
    intervals: list[_Interval]


class _Report(_Object):
    object_type: Literal["REPORT"] = "REPORT"
    event_id: Annotated[Id, Field(alias="eventID")]
    client_name: Word
    resources: list[_ReportData]


class _Operation(_Object):
    objects: list[Literal["PROGRAM", "EVENT", "REPORT", "SUBSCRIPTION", "VEN", "RESOURCE"]]
    operations: list[Literal["GET", "POST", "PUT", "DELETE", "CREATE", "READ", "UPDATE"]]
    callback_url: str
    bearer_token: str | None = None

    @field_validator("callback_url")
    @classmethod
    def _stay_here(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise ValueError("this VTN calls back on loopback only")
        return url


class _Subscription(_Object):
    object_type: Literal["SUBSCRIPTION"] = "SUBSCRIPTION"
    client_name: Word
    object_operations: list[_Operation]


class _Ven(_Object):
    object_type: Literal["VEN", "VEN_VEN_REQUEST", "BL_VEN_REQUEST"] = "VEN"
    ven_name: Word


class _Resource(_Object):
    object_type: Literal["RESOURCE", "VEN_RESOURCE_REQUEST", "BL_RESOURCE_REQUEST"] = "RESOURCE"
    resource_name: Word
    ven_id: Annotated[Id, Field(alias="venID")]


class Collection:
    """One kind of object.

    Parameters
    ----------
    kind
        Its objectType.
    model
        What a client must send.
    scope
        Scope that may write it.
    unique
        Field that no two of them share; empty if any.
    filters
        Query parameters that pick by a field of the same name.
    """

    def __init__(self, kind: str, model: type[BaseModel], scope: str, unique: str, filters: tuple[str, ...]) -> None:
        self.kind = kind
        self.model = model
        self.scope = scope
        self.unique = unique
        self.filters = filters
        self.objects: dict[str, dict[str, Any]] = {}


def collections() -> dict[str, Collection]:
    """Fresh, empty collections by the first part of their paths."""
    return {
        "programs": Collection("PROGRAM", _Program, "write_programs", "programName", ()),
        "events": Collection("EVENT", _Event, "write_events", "", ("programID",)),
        "reports": Collection("REPORT", _Report, "write_reports", "", ("programID", "eventID", "clientName")),
        "subscriptions": Collection(
            "SUBSCRIPTION", _Subscription, "write_subscriptions", "", ("programID", "clientName")
        ),
        "vens": Collection("VEN", _Ven, "write_vens", "venName", ("venName",)),
        "resources": Collection("RESOURCE", _Resource, "write_vens", "", ("venID", "resourceName")),
    }


def problem_of(error: ValidationError) -> str:
    """What is wrong with an object, in one line."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
