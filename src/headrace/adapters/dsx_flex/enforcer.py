"""The infrastructure agent's part of DSX Flex: shed hints of a breach carried out through power caps, and reported.

Hints are advice, in order of priority. A cap hint becomes a limit on the named unit; a throttle hint its lowest limit;
a suspend hint goes to whoever can pause work there. When the breach is resolved, what was limited is given back.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from headrace.adapters.dsx_flex.envelope import Sealer, time_of
from headrace.adapters.dsx_flex.payloads import (
    Enforcement,
    EnforcementResult,
    EventType,
    PowerBreach,
    ShedHint,
    mw_of,
)
from headrace.adapters.mqtt import MqttLink, Publication
from headrace.control.ports import Caps

__all__ = ["Enforcer", "Suspend"]

Suspend = Callable[[str, bool], Awaitable[str]]
"""Pauses (True) or continues (False) the work on a unit; why not, empty if it is done."""
HINTS_MAX: Final = 10_000
W_PER_MW: Final = 1e6


class Enforcer:
    """Carries out hints and tells the factory's agent what came of them.

    Parameters
    ----------
    caps
        Limits power; units are named as the hints' resources.
    suspend
        Pauses work; None if nothing here can.
    sealer
        Signs as the infrastructure agent.
    link
        Connection to the broker.
    now_us
        The site's clock, epoch microseconds.
    """

    def __init__(
        self, caps: Caps, *, suspend: Suspend | None, sealer: Sealer, link: MqttLink, now_us: Callable[[], int]
    ) -> None:
        self._caps = caps
        self._suspend = suspend
        self._sealer = sealer
        self._link = link
        self._now_us = now_us
        self._held: dict[str, tuple[ShedHint, ...]] = {}

    async def handle(self, breach: PowerBreach) -> Enforcement:
        """Shed for an active or escalated breach, give back for a resolved one, and publish what came of it."""
        key = str(breach.breach.breach_id)
        if breach.status == "resolved":
            hints = self._held.pop(key, ())
            results = [await self._revert(hint) for hint in hints]
        else:
            hints = () if breach.shed_hints is UNSET else breach.shed_hints[:HINTS_MAX]
            results = [await self._apply(hint) for hint in sorted(hints, key=lambda hint: hint.priority)]
            done = {result.resource_id for result in results if result.code == "applied"}
            self._held[key] = (*self._held.get(key, ()), *(hint for hint in hints if hint.resource_id in done))
        enforcement = Enforcement(
            breach_id=breach.breach.breach_id,
            feed_tag=breach.feed_tag,
            action="reverted" if breach.status == "resolved" else "applied",
            code=_code(results),
            results=tuple(results),
            timestamp=time_of(self._now_us()),
        )
        await self.publish(enforcement, correlation=str(breach.target.correlation_id))
        return enforcement

    async def publish(self, enforcement: Enforcement, *, correlation: str) -> Publication:
        """Tell what was done, QoS 2."""
        topic, payload = self._sealer.seal(
            EventType.ENFORCEMENT, enforcement, now_us=self._now_us(), correlation=correlation
        )
        return await self._link.publish(topic, payload, qos=2)

    async def _apply(self, hint: ShedHint) -> EnforcementResult:
        if hint.action == "suspend":
            if self._suspend is None:
                return _result(hint, "skipped", "nothing here pauses work")
            why = await self._suspend(hint.resource_id, True)
            return _result(hint, "failed" if why else "applied", why or UNSET)
        limit_w = await self._least_w(hint) if hint.action == "throttle" else _asked_w(hint)
        if limit_w is None:
            return _result(hint, "skipped", "no power to cap it at")
        (outcome,) = await self._caps.limit_power({hint.resource_id: limit_w})
        return _result(hint, "applied" if outcome.is_in_force else "failed", outcome.reason or UNSET)

    async def _revert(self, hint: ShedHint) -> EnforcementResult:
        if hint.action == "suspend":
            why = (
                "nothing here continues work" if self._suspend is None else await self._suspend(hint.resource_id, False)
            )
            return _result(hint, "failed" if why else "applied", why or UNSET)
        (outcome,) = await self._caps.limit_power({hint.resource_id: None})
        return _result(hint, "applied" if outcome.is_in_force else "failed", outcome.reason or UNSET)

    async def _least_w(self, hint: ShedHint) -> int | None:
        states = await self._caps.states()
        return next((state.least_w for state in states if state.unit == hint.resource_id), None)


def _asked_w(hint: ShedHint) -> int | None:
    return None if isinstance(hint.target_power, UnsetType) else round(mw_of(hint.target_power) * W_PER_MW)


def _result(
    hint: ShedHint, code: Literal["applied", "failed", "skipped"], message: str | UnsetType
) -> EnforcementResult:
    return EnforcementResult(
        resource_id=hint.resource_id,
        resource_type=hint.resource_type,
        requested_action=hint.action,
        code=code,
        message=message,
    )


def _code(results: list[EnforcementResult]) -> Literal["success", "partial", "error"]:
    """All of it, some of it, or none; nothing to do is a success."""
    done = sum(result.code == "applied" for result in results)
    if done == len(results):
        return "success"
    return "partial" if done else "error"
