"""What DSX Flex messages carry: load targets, power state, breaches and their enforcement, field for field.

The contract is NVIDIA's (dsx-exchange, schemas/asyncapi/dsx-flex, version 1.7.0, Apache-2.0). A field it does not know
is passed over, not refused: the contract is open and grows, and a status refused for a new field would leave the
controller blind. What it does name must be as it says.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = [
    "BreachTarget",
    "Enforcement",
    "EnforcementResult",
    "EventType",
    "FeedMetadata",
    "FeedState",
    "FeedTarget",
    "LoadTarget",
    "LoadTargets",
    "Power",
    "PowerBreach",
    "PowerState",
    "ShedHint",
    "Span",
    "Strategy",
    "mw_of",
    "power_of",
]

Time = Annotated[datetime, Meta(tz=True)]
Unit = Literal["watt", "kilowatt", "megawatt"]
ResourceType = Literal["node", "gpu", "chassis"]
ShedAction = Literal["power_cap", "throttle", "suspend"]
MW_PER: Final[dict[str, float]] = {"watt": 1e-6, "kilowatt": 1e-3, "megawatt": 1.0}


class EventType(StrEnum):
    """What an event is about."""

    LOAD_TARGET = "grid.loadtarget.set.v1"
    POWER_STATE = "grid.powerstate.status.v1"
    BREACH = "grid.powerbreach.alert.v1"
    ENFORCEMENT = "grid.powerbreach.enforcement.v1"


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """`PowerUnit` and `LoadConstraint` of the contract."""

    value: Annotated[float, Meta(ge=0.0)]
    """Amount in `unit`."""
    unit: Unit
    """Unit of the amount."""


def mw_of(power: Power) -> float:
    """Power in MW."""
    return power.value * MW_PER[power.unit]


def power_of(power_mw: float) -> Power:
    """Power as we write it: in MW."""
    return Power(value=power_mw, unit="megawatt")


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """`Interval` of the contract."""

    start_time: Time | UnsetType = UNSET
    """When it begins; at once if unset."""
    end_time: Time | UnsetType = UNSET
    """When it ends; with the next target if unset."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """How to shed."""

    best_effort: bool = False
    """Only as far as running jobs bear it, and else stay above the target?"""


class LoadTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One target."""

    interval: Span
    """When it holds."""
    feed_tags: tuple[str, ...] | UnsetType = UNSET
    """Feeds that it is about; all of them if unset or empty."""
    load_constraint: Power | None
    """Most power; None takes the constraint off."""
    strategy: Strategy | UnsetType = UNSET
    """How to shed."""


class LoadTargets(msgspec.Struct, frozen=True, kw_only=True):
    """`SetLoadTargetData`: what the site's controller asks of the factory."""

    targets: Annotated[tuple[LoadTarget, ...], Meta(min_length=1)]
    """The targets."""


class FeedMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A feed's limits, which an event does not change."""

    power_minimum: Power
    """Least it can be brought to."""
    power_maximum: Power
    """Most it carries."""
    default_constraint: Power
    """What holds while there is no target."""


class FeedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target that the factory has taken up."""

    active: bool
    """Is it being enforced now?"""
    load_constraint: Power
    """Most power."""
    interval: Span
    """When it holds."""
    strategy: Strategy
    """How it is shed."""
    correlation_id: UUID
    """Of the message that set it."""


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """State of one feed."""

    metadata: FeedMetadata
    """Its limits."""
    targets: tuple[FeedTarget, ...]
    """Targets, active and to come."""
    calculated_load: Power
    """Load as the factory reckons it."""
    in_flight: bool
    """Is it on its way from one level to another?"""
    event: Literal["target_set", "start_ramp_down", "end_ramp_down", "start_ramp_up", "end_ramp_up", "periodic"]
    """Why this was published."""
    power_event_start_time: Time | UnsetType | None = UNSET
    """When the present event began."""
    compliant: bool
    """Is the load within the active target?"""


class PowerState(msgspec.Struct, frozen=True, kw_only=True):
    """`PowerStateStatusData`."""

    snapshot_time: Time
    """When this was so."""
    feeds: dict[str, FeedState]
    """State by feed."""


class ShedHint(msgspec.Struct, frozen=True, kw_only=True):
    """What could be shed."""

    resource_id: str
    """Which node, accelerator or chassis."""
    resource_type: ResourceType
    """What it is."""
    action: ShedAction
    """What to do with it."""
    priority: Annotated[int, Meta(ge=1)]
    """1 is shed first."""
    target_power: Power | UnsetType = UNSET
    """Cap, with power_cap."""


class BreachDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Which breach."""

    breach_id: UUID
    """The same from its first alert to its last."""
    detected_at: Time
    """When it was first seen."""
    resolved_at: Time | UnsetType = UNSET
    """When it was over."""


class BreachTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The target that was breached."""

    correlation_id: UUID
    """Of the message that set it."""
    load_constraint: Power
    """Most power."""


class PowerBreach(msgspec.Struct, frozen=True, kw_only=True):
    """`PowerBreachAlertData`."""

    feed_tag: str
    """Which feed."""
    status: Literal["active", "escalated", "resolved"]
    """Where the breach is in its life."""
    severity: Literal["warning", "critical"]
    """Up to a fifth above the target, or more."""
    breach: BreachDetails
    """Which breach."""
    target: BreachTarget
    """Which target."""
    measured_load: Power
    """Power as metered by the factory."""
    shed_hints: tuple[ShedHint, ...] | UnsetType = UNSET
    """What could be shed, in order."""
    infrastructure_actions: tuple[Literal["SHUTDOWN_NODES", "SHUTDOWN_RACKS", "CUT_DATA_FEEDS", "TRIP_BREAKERS"], ...]
    """What may follow, mildest first; empty when resolved."""


class EnforcementResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one hint."""

    resource_id: str
    """As in the hint."""
    resource_type: ResourceType
    """As in the hint."""
    requested_action: ShedAction
    """As in the hint."""
    code: Literal["applied", "failed", "skipped"]
    """What became of it."""
    message: str | UnsetType = UNSET
    """Why."""
    applied_power: Power | UnsetType = UNSET
    """Cap set, if another than asked."""


class Enforcement(msgspec.Struct, frozen=True, kw_only=True):
    """`PowerBreachEnforcementData`."""

    breach_id: UUID
    """Of the alert."""
    feed_tag: str
    """Which feed."""
    action: Literal["applied", "reverted"]
    """Shed, or given back?"""
    code: Literal["success", "partial", "error"]
    """All, some or none of it."""
    diag_msg: str | UnsetType = UNSET
    """In words."""
    results: tuple[EnforcementResult, ...]
    """One for each hint."""
    timestamp: Time
    """When it was done."""
