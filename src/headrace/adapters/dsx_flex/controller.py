"""The site's side of DSX Flex: load targets out, verified power states and breaches in, as a driver of control.

An AI factory is one party with feeds; each feed is an asset of the site (`Asset.address` is its tag). A command
becomes a load target: stop asks for the asset's standby power, cap for its power, run takes the constraint off. It
counts as acknowledged when a signed status, answering that very message, says that the target is enforced, the feed
has arrived and its load is within. The site believes its own meter before the factory's word: `breaches` compares.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Literal

import msgspec
from msgspec import UNSET

from headrace.adapters.dsx_flex.envelope import AGE_MAX_S, Event, Inspector, Sealer, time_of, topic_of, us_of
from headrace.adapters.dsx_flex.payloads import (
    Enforcement,
    EventType,
    FeedState,
    LoadTarget,
    LoadTargets,
    PowerBreach,
    PowerState,
    Span,
    Strategy,
    mw_of,
    power_of,
)
from headrace.adapters.dsx_flex.signing import Peer, Signer, prepare
from headrace.adapters.mqtt import MqttLink, within
from headrace.control.assets import Asset
from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.readings import AssetReading, MeterReading

__all__ = ["Answer", "Factory", "FlexController", "OwnBreach", "Target", "severity_of"]

CRITICAL_RATIO: Final = 0.20
"""Excess over the target from which a breach is critical: the contract's."""
LEAST_MW: Final = 1e-6
"""Least power that a target names, MW: the contract wants more than 0."""
KEPT_MAX: Final = 256
"""Alerts and enforcements kept for whoever reads them; older ones go."""


class Factory(msgspec.Struct, frozen=True, kw_only=True):
    """One AI factory as the site knows it."""

    name: str
    """Name of the driver, as `Asset.driver` has it."""
    isv: str
    """Our identifier at its broker."""
    agent: str
    """Identifier of its DSX Flex agent."""
    infra: str = ""
    """Identifier of its infrastructure agent; empty if we do not listen to it."""
    answer_s: float = 2.0
    """Time for a status to come once a target has left, seconds."""
    status_age_max_s: float = 120.0
    """Age from which its last status says nothing of now, seconds."""
    breach_ratio: float = 0.02
    """Excess of our meter over the target from which it is a breach, share of the target."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Power asked of a feed for a time."""

    feed: str
    """Tag of the feed."""
    power_mw: float | None
    """Most power, MW; None takes the constraint off."""
    starts_us: int
    """When it begins, epoch microseconds."""
    ends_us: int | None = None
    """When it ends; with the next target if None."""
    best_effort: bool = False
    """Only as far as running jobs bear it?"""


class OwnBreach(msgspec.Struct, frozen=True, kw_only=True):
    """Our meter above a target that the factory holds."""

    feed: str
    """Tag of the feed."""
    severity: Literal["warning", "critical"]
    """Up to a fifth above the target, or more."""
    measured_mw: float
    """Power by our meter, MW."""
    target_mw: float
    """Target in force, MW."""
    claimed_mw: float | None
    """Load by the factory's last status, MW; None if it is too old."""
    at_us: int
    """When our meter measured, epoch microseconds."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a target."""

    result: Result
    """How far it got."""
    reason: str = ""
    """Why not all the way."""
    sent_us: int | None = None
    """When it had left, epoch microseconds."""
    acknowledged_us: int | None = None
    """Time of the status that says it is met, epoch microseconds."""


class _Wait(msgspec.Struct, kw_only=True):
    """Feeds of one message that have not arrived, and their last word."""

    open_feeds: set[str]
    future: "asyncio.Future[None]"
    states: dict[str, tuple[FeedState, int]]


class FlexController:
    """Controls one AI factory.

    Parameters
    ----------
    factory
        The factory.
    link
        Connection to its broker; started by `arm`, closed by `close`.
    signer
        Our key.
    peers
        Keys of its agents.
    now_us
        The site's clock, epoch microseconds.
    """

    def __init__(
        self,
        factory: Factory,
        link: MqttLink,
        *,
        signer: Signer,
        peers: tuple[Peer, ...],
        now_us: Callable[[], int],
        age_max_s: float = AGE_MAX_S,
    ) -> None:
        self.name = factory.name
        self.factory = factory
        self.inspector = Inspector(peers, age_max_s=age_max_s)
        self.alerts: deque[PowerBreach] = deque(maxlen=KEPT_MAX)
        """Breaches that the factory reported, newest last."""
        self.enforcements: deque[Enforcement] = deque(maxlen=KEPT_MAX)
        """What its infrastructure agent did about them."""
        self._link = link
        self._sealer = Sealer(role="isv", identifier=factory.isv, signer=signer)
        self._now_us = now_us
        self._assets: dict[str, Asset] = {}
        self._states: dict[str, tuple[FeedState, int]] = {}
        self._asked: dict[str, Target] = {}
        self._waits: OrderedDict[str, _Wait] = OrderedDict()
        self._reader: asyncio.Task[None] | None = None

    async def arm(self, assets: Sequence[Asset]) -> None:
        """Connect, subscribe, and remember which feed is which asset."""
        self._assets = {asset.name: asset for asset in assets}
        prepare()
        await self._link.start()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_messages())
        topics = [
            (topic_of(EventType.POWER_STATE, self.factory.agent), 1),
            (topic_of(EventType.BREACH, self.factory.agent), 2),
        ]
        if self.factory.infra:
            topics.append((topic_of(EventType.ENFORCEMENT, self.factory.infra), 2))
        for topic, qos in topics:
            await self._link.subscribe(topic, qos=qos)

    async def send(self, commands: Sequence[Command]) -> tuple[CommandOutcome, ...]:
        """Ask for all commands in one message and wait for the status that answers it."""
        now_us = self._now_us()
        answers: dict[str, Answer] = {}
        targets: dict[str, Target] = {}
        for command in commands:
            asset = self._assets.get(command.asset)
            if asset is None:
                why = f"{command.asset} is no feed of {self.name}"
                answers[command.id] = Answer(result=Result.UNREACHABLE, reason=why)
            elif now_us >= command.expires_us:
                answers[command.id] = Answer(result=Result.EXPIRED, reason="its time had passed")
            elif command.action not in (Action.STOP, Action.RUN, Action.CAP):
                why = f"an AI factory does not {command.action}"
                answers[command.id] = Answer(result=Result.REFUSED, reason=why)
            else:
                targets[command.id] = Target(feed=asset.address, power_mw=_power_mw(command, asset), starts_us=now_us)
        asked = await self.ask(tuple(targets.values())) if targets else {}
        answers |= {command: asked[target.feed] for command, target in targets.items()}
        return tuple(_outcome(command, answers[command.id]) for command in commands)

    async def ask(self, targets: Sequence[Target]) -> dict[str, Answer]:
        """Send load targets in one signed message; what came of them, by feed."""
        now_us = self._now_us()
        correlation = self._sealer.new_id(now_us)
        data = LoadTargets(targets=tuple(_load_target(target) for target in targets))
        topic, payload = self._sealer.seal(EventType.LOAD_TARGET, data, now_us=now_us, correlation=correlation)
        wait = _Wait(
            open_feeds={target.feed for target in targets},
            future=asyncio.get_running_loop().create_future(),
            states={},
        )
        self._waits[correlation] = wait
        try:
            sent = await self._link.publish(topic, payload, qos=1, timeout_s=self.factory.answer_s)
            sent_us = self._now_us()
            if not sent.is_delivered:
                result = Result.UNREACHABLE if self._link.counts.reason else Result.MUTE
                return {target.feed: Answer(result=result, reason=sent.reason) for target in targets}
            self._asked |= {target.feed: target for target in targets}
            await within(wait.future, self.factory.answer_s)
            return {target.feed: self._answer(target, wait, sent_us) for target in targets}
        finally:
            self._waits.pop(correlation, None)

    async def read(self) -> tuple[AssetReading, ...]:
        """What the factory last said of each feed, if that is recent."""
        now_us = self._now_us()
        return tuple(self._reading(asset, now_us) for asset in self._assets.values())

    async def close(self) -> None:
        """Stop reading and disconnect."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        await self._link.close()

    def breaches(self, readings: Sequence[MeterReading], *, meters: dict[str, str]) -> tuple[OwnBreach, ...]:
        """Feeds whose own meter is above the target in force.

        Parameters
        ----------
        readings
            Our meters.
        meters
            Feed tag by meter name.
        """
        found = []
        for reading in readings:
            target = self._asked.get(meters.get(reading.meter, ""))
            if target is None or target.power_mw is None or not _holds(target, reading.at_us):
                continue
            measured_mw = reading.power_w * 1e-6
            severity = severity_of(measured_mw, target.power_mw, threshold_ratio=self.factory.breach_ratio)
            if severity is not None:
                claimed = self._states.get(target.feed)
                is_fresh = claimed is not None and not self._is_old(claimed[1], reading.at_us)
                found.append(
                    OwnBreach(
                        feed=target.feed,
                        severity=severity,
                        measured_mw=measured_mw,
                        target_mw=target.power_mw,
                        claimed_mw=mw_of(claimed[0].calculated_load) if claimed is not None and is_fresh else None,
                        at_us=reading.at_us,
                    )
                )
        return tuple(found)

    def _is_old(self, at_us: int, now_us: int) -> bool:
        return now_us - at_us > self.factory.status_age_max_s * 1e6

    def _answer(self, target: Target, wait: _Wait, sent_us: int) -> Answer:
        last = wait.states.get(target.feed)
        if last is None:
            refused = sum(self.inspector.refused.values())
            why = f"no status within {self.factory.answer_s:g} s"
            why += f"; {refused} messages refused so far" if refused else ""
            return Answer(result=Result.MUTE, reason=why, sent_us=sent_us)
        state, at_us = last
        if has_arrived(state, target):
            return Answer(result=Result.ACKNOWLEDGED, sent_us=sent_us, acknowledged_us=at_us)
        load_mw = mw_of(state.calculated_load)
        if state.in_flight:
            return Answer(result=Result.SENT, reason=f"taken up, still ramping: {load_mw:g} MW", sent_us=sent_us)
        return Answer(result=Result.REFUSED, reason=f"stays at {load_mw:g} MW", sent_us=sent_us)

    def _reading(self, asset: Asset, now_us: int) -> AssetReading:
        last = self._states.get(asset.address)
        if last is None or self._is_old(last[1], now_us):
            why = "no status yet" if last is None else f"its status is {(now_us - last[1]) * 1e-6:.0f} s old"
            return AssetReading(asset=asset.name, at_us=now_us, is_running=None, reason=why)
        load_mw = mw_of(last[0].calculated_load)
        return AssetReading(
            asset=asset.name,
            at_us=last[1],
            is_running=load_mw > asset.standby_mw + LEAST_MW,
            power_w=round(load_mw * 1e6),
        )

    async def _read_messages(self) -> None:
        async for message in self._link.messages():
            event = self.inspector.open(message.topic, message.payload, now_us=self._now_us())
            if event is not None:
                self._take(event)

    def _take(self, event: Event) -> None:
        match event.data:
            case PowerState() as status:
                self._take_status(event, status)
            case PowerBreach() as breach:
                self.alerts.append(breach)
            case Enforcement() as enforcement:
                self.enforcements.append(enforcement)
            case LoadTargets():  # somebody else's; the broker should not have let us hear it
                return

    def _take_status(self, event: Event, status: PowerState) -> None:
        at_us = us_of(status.snapshot_time)
        for feed, state in status.feeds.items():
            if feed in self._asked or any(asset.address == feed for asset in self._assets.values()):
                self._states[feed] = (state, at_us)
        wait = self._waits.get(event.correlation) or self._wait_of(status)
        if wait is None:
            return
        for feed in wait.open_feeds & status.feeds.keys():
            state = status.feeds[feed]
            wait.states[feed] = (state, at_us)
            if not state.in_flight:
                wait.open_feeds.discard(feed)
        if not wait.open_feeds and not wait.future.done():
            wait.future.set_result(None)

    def _wait_of(self, status: PowerState) -> _Wait | None:
        """The wait that a status answers by its targets, where the envelope repeats no correlation."""
        ids = (str(target.correlation_id) for state in status.feeds.values() for target in state.targets)
        return next((self._waits[each] for each in ids if each in self._waits), None)


def severity_of(
    measured_mw: float, target_mw: float, *, threshold_ratio: float
) -> Literal["warning", "critical"] | None:
    """How bad an excess is: a warning up to a fifth above the target, critical beyond; None within the threshold."""
    excess_mw = measured_mw - target_mw
    if excess_mw <= threshold_ratio * target_mw:
        return None
    return "critical" if excess_mw > CRITICAL_RATIO * target_mw else "warning"


def has_arrived(state: FeedState, target: Target) -> bool:
    """Does a feed's state say that the target is enforced and met?"""
    if state.in_flight or not state.compliant:
        return False
    if target.power_mw is None:
        return not any(each.active for each in state.targets)
    return mw_of(state.calculated_load) <= target.power_mw + LEAST_MW


def _holds(target: Target, at_us: int) -> bool:
    return target.starts_us <= at_us and (target.ends_us is None or at_us < target.ends_us)


def _power_mw(command: Command, asset: Asset) -> float | None:
    if command.action is Action.RUN:
        return None
    if command.action is Action.STOP or command.power_mw is None:
        return max(asset.standby_mw, LEAST_MW)
    return max(command.power_mw, LEAST_MW)


def _load_target(target: Target) -> LoadTarget:
    return LoadTarget(
        interval=Span(
            start_time=time_of(target.starts_us), end_time=UNSET if target.ends_us is None else time_of(target.ends_us)
        ),
        feed_tags=(target.feed,),
        load_constraint=None if target.power_mw is None else power_of(target.power_mw),
        strategy=Strategy(best_effort=target.best_effort),
    )


def _outcome(command: Command, answer: Answer) -> CommandOutcome:
    return CommandOutcome(
        command=command.id,
        asset=command.asset,
        result=answer.result,
        commanded_us=command.commanded_us,
        sent_us=answer.sent_us,
        acknowledged_us=answer.acknowledged_us,
        reason=answer.reason,
    )
