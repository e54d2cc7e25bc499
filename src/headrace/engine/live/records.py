"""What a live site's journal holds: facts as they came, decisions as they fell, in the order of happening.

Facts are what nobody here could decide: data that arrived, what a person or a programme asked, what devices and meters
said, that the solver was late. Decisions follow from them alone: `reproduce` takes the facts, decides again, and must
write the same bytes.

Ids are made from the journal's own sequence numbers: the order in line 42 is record `o42`, its commands are `o42.0`,
`o42.1` ...; a decision's `d43.0`, a watch's `w44.0`, a restart's `s45.0`. One line is one id, for ever.
"""

import msgspec

from headrace.control.commands import Command, CommandOutcome
from headrace.control.orders import LockOut, Order
from headrace.control.setpoints import Mode
from headrace.control.verify import Suspicion
from headrace.dispatch.plan import Infeasible
from headrace.dispatch.policies import Proposal
from headrace.engine.cycle import CycleRecord
from headrace.settlement import Statement

__all__ = [
    "Alarmed",
    "Arrived",
    "Attested",
    "Based",
    "Believed",
    "Closed",
    "Commanded",
    "Decided",
    "Delivered",
    "Followed",
    "LiveRecord",
    "Locked",
    "Observed",
    "Ordered",
    "OrdersEnded",
    "Outcomes",
    "Released",
    "Resettled",
    "Started",
    "Stopped",
    "Suspected",
    "Waking",
]


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="started", omit_defaults=True, gc=False):
    """The engine began to run: the first time, or again after it stopped or was killed."""

    at_us: int
    """When, epoch microseconds of the site's clock; so in every record."""
    first_s: int
    """Start of the first control interval it will decide, epoch seconds."""
    stored_mwh: float
    """Energy in store as the battery's meter said then, MWh."""


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="stopped", omit_defaults=True, gc=False):
    """The engine was asked to stop and did."""

    at_us: int
    """See `Started.at_us`."""
    reason: str
    """Why."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="arrived", omit_defaults=True, gc=False):
    """Data of one role that came in: consecutive intervals of its series."""

    at_us: int
    """See `Started.at_us`."""
    role: str
    """Role in the site file."""
    unit: str
    """Unit of the values."""
    step_s: int
    """Length of an interval, seconds."""
    start_s: int
    """Start of the first interval, epoch seconds."""
    values: tuple[float | None, ...]
    """One an interval; None where it is missing."""
    known_s: tuple[int, ...]
    """When each could be known, epoch seconds; never falls."""
    source: str
    """Where they came from."""


class Based(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="based", omit_defaults=True, gc=False):
    """Where every counter stood when the first interval began: what is metered from."""

    at_us: int
    """See `Started.at_us`."""
    at_s: int
    """Start of the first control interval, epoch seconds."""
    counters: dict[str, int]
    """Running totals."""


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="decided", omit_defaults=True, gc=False):
    """One control interval's decision, before anything of it is done."""

    at_us: int
    """See `Started.at_us`."""
    at_s: int
    """Start of the control interval, epoch seconds."""
    proposal: Proposal | None
    """What the policy asked for."""
    infeasible: Infeasible | None = None
    """Why it asked for nothing."""
    missing: str = ""
    """Why there is no answer ("plan.late", "feed.stale.real_time"); empty if there is one."""
    mode: Mode
    """Rung of the safe ladder."""
    reasons: tuple[str, ...] = ()
    """How it came to this rung, and what narrowed it."""
    setpoints_digest: str
    """Digest of what control may do in the interval."""
    is_anew: bool = False
    """Was the interval decided once more, because its price arrived after it began?"""


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="closed", omit_defaults=True, gc=False):
    """A control interval that is over: read, and settled where it completes a settlement interval."""

    at_us: int
    """See `Started.at_us`."""
    cycle: CycleRecord
    """The same record that a replay writes."""
    moved: dict[str, int]
    """What each counter moved in the interval: the reading is made of it."""
    counters: dict[str, int]
    """What is booked of each running total by now."""
    estimated: dict[str, int] = {}
    """Of them, what was estimated because the counter did not answer, until it does."""
    reasons: tuple[str, ...] = ()
    """Which counters were estimated, and why."""


class Resettled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="resettled", omit_defaults=True, gc=False
):
    """A settlement interval settled again, because its price came after it had ended."""

    at_us: int
    """See `Started.at_us`."""
    version: int
    """Of its statement; the one in the cycle's own record is 1."""
    statement: Statement
    """What it says now; the interval is its own."""


class Attested(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="attested", omit_defaults=True, gc=False):
    """The gateway signed a closed interval's readings."""

    at_us: int
    """See `Started.at_us`."""
    interval_s: int
    """Start of the interval, epoch seconds."""
    root: str
    """Merkle root of its readings, hexadecimal."""
    sequence: int
    """Number of the interval among the gateway's."""
    readings: int
    """Readings that counted."""
    absent: int = 0
    """Enrolled devices without one."""
    missing: int = 0
    """Readings signed that never came."""
    refused: int = 0
    """Readings refused."""


class Observed(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="observed", omit_defaults=True, gc=False):
    """In shadow: what the real site drew and had counted when an interval ended."""

    at_us: int
    """See `Started.at_us`."""
    power_w: dict[str, int]
    """Power of every meter that answered, load-positive, W."""
    counters: dict[str, int]
    """Running totals."""


class Ordered(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="ordered", omit_defaults=True, gc=False):
    """Somebody asked for something; on disk before the first byte leaves."""

    at_us: int
    """See `Started.at_us`."""
    order: Order
    load_mw: float
    """Net import of what the order is about when it came, MW: what a shed is measured from."""
    refused: str = ""
    """Why it is not followed; empty if it is."""


class OrdersEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="ended", omit_defaults=True, gc=False):
    """Orders that stopped to bind."""

    at_us: int
    """See `Started.at_us`."""
    orders: tuple[str, ...]
    """Their ids."""
    reason: str
    """Their time was over, or a restore ended them."""


class Locked(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="locked", omit_defaults=True, gc=False):
    """A lock-out was set."""

    at_us: int
    """See `Started.at_us`."""
    lock: LockOut


class Released(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="released", omit_defaults=True, gc=False):
    """A lock-out was released, or somebody tried who does not hold it."""

    at_us: int
    """See `Started.at_us`."""
    asset: str
    """Asset or feeder."""
    by: str
    """Who asked."""
    refused: str = ""
    """Why it stays locked; empty if it is released."""


class Commanded(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="commanded", omit_defaults=True, gc=False
):
    """Commands that follow from one record; on disk before the first byte leaves. They are sent once, or never."""

    at_us: int
    """See `Started.at_us`."""
    commands: tuple[Command, ...]
    expected_mw: float = 0.0
    """Fall of the load that they should bring, MW."""
    short_mw: float = 0.0
    """What was asked and nothing is left to give, MW."""
    reasons: tuple[str, ...] = ()
    """Why it is short."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="outcomes", omit_defaults=True, gc=False):
    """What became of commands."""

    at_us: int
    """See `Started.at_us`."""
    outcomes: tuple[CommandOutcome, ...]


class Believed(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="believed", omit_defaults=True, gc=False):
    """What changed in the health of assets, feeders and meters: lost, back, lying, partly tripped."""

    at_us: int
    """See `Started.at_us`."""
    changes: dict[str, str]
    """What each is now, with the reason, by name; empty for one that is well again."""


class Suspected(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="suspected", omit_defaults=True, gc=False
):
    """Who of a feeder's assets is suspected of not having stopped; replaces what was suspected of it."""

    at_us: int
    """See `Started.at_us`."""
    feeder: str
    """Its name."""
    suspicions: tuple[Suspicion, ...] = ()
    """Sets among which some still drew; empty when nobody is left."""


class Delivered(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="delivered", omit_defaults=True, gc=False
):
    """How an order was met, by the meter."""

    at_us: int
    """See `Started.at_us`."""
    order: str
    """Its id."""
    asked_mw: float
    """Fall it asked for, MW."""
    met_mw: float
    """Fall the meter shows, MW."""
    is_met: bool
    """Within its time and to within a hundredth."""
    reasons: tuple[str, ...] = ()
    """What stood in the way."""
    refused: str = ""
    """Why it is not followed at all; empty if it is."""


class Followed(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="followed", omit_defaults=True, gc=False):
    """How a market's base points were followed in one period, by the meter at the connection."""

    at_us: int
    """See `Started.at_us`."""
    resource: str
    """The load's name in the market."""
    start_us: int
    """First reading that a base point was in force at, epoch microseconds."""
    end_us: int
    """End of the period, epoch microseconds."""
    base_mw: float
    """Last base point of the period, MW."""
    metered_wh: int
    """Energy drawn."""
    path_wh: int
    """Energy on the path."""
    over_wh: int
    """Energy drawn above the tolerance."""
    under_wh: int
    """Energy not drawn below the tolerance."""
    longest_off_us: int
    """Longest time outside the tolerance in one go, microseconds."""
    worst_w: int
    """Largest distance from the path, W."""


class Waking(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="waking", omit_defaults=True, gc=False):
    """Restoration began: assets come back in waves as cooling, ramp and inrush allow."""

    at_us: int
    """See `Started.at_us`."""
    record: str
    """Id of the restore that began it."""


class Alarmed(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag="alarm", omit_defaults=True, gc=False):
    """An alarm came up or went."""

    at_us: int
    """See `Started.at_us`."""
    code: str
    """Which ("feed.stale.real_time", "feeder.over.hall1")."""
    is_up: bool
    """Came up, else went."""
    text: str
    """In words."""


LiveRecord = (
    Started
    | Stopped
    | Arrived
    | Based
    | Decided
    | Closed
    | Resettled
    | Attested
    | Observed
    | Ordered
    | OrdersEnded
    | Locked
    | Released
    | Commanded
    | Outcomes
    | Believed
    | Suspected
    | Delivered
    | Followed
    | Waking
    | Alarmed
)
"""One line of a live journal."""
