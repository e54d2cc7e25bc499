"""The feeders' meters judge what orders told: who did it, who only said so. Every look until each feeder has spoken."""

from collections.abc import Sequence

import msgspec

from headrace.control.commands import Command, CommandOutcome
from headrace.control.fleet import FleetState
from headrace.control.layout import US_PER_S
from headrace.control.verify import verify
from headrace.engine.live.engine import Engine
from headrace.engine.live.records import Believed, Outcomes
from headrace.engine.live.suspects import Suspects

__all__ = ["Verdicts"]


class _Case(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    before: FleetState
    commands: tuple[Command, ...]
    outcomes: dict[str, CommandOutcome]
    until_us: int


class Verdicts:
    """Cases that meters have not decided yet.

    Parameters
    ----------
    engine
        Journal and meters.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: list[_Case] = []
        self.suspects = Suspects(engine)
        """Who is suspected, and what restorations say of them."""

    def open(self, before: FleetState, commands: Sequence[Command], outcomes: Sequence[CommandOutcome]) -> None:
        """Ask the meters about commands that were to take power off.

        Parameters
        ----------
        before
            What was believed, and what the meters showed, when they were decided.
        commands, outcomes
            What was told, and what became of it.
        """
        if commands:
            until_us = self._engine.clock.now_us() + round(self._engine.state.rules.verdict_max_s * US_PER_S)
            self._open.append(
                _Case(
                    before=before,
                    commands=tuple(commands),
                    outcomes={each.command: each for each in outcomes},
                    until_us=until_us,
                )
            )

    def look(self) -> None:
        """Judge what can be judged by the meters' latest words."""
        self.suspects.look()
        if not self._open:
            return
        now_us = self._engine.clock.now_us()
        self._open = [case for case in self._open if not self._judge(case) and now_us < case.until_us]

    def _judge(self, case: _Case) -> bool:
        """Judge one case; is it closed?"""
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        meters = [reading for reading in state.fleet.feeders if reading is not None]
        found = verify(
            state.layout,
            case.before,
            case.commands,
            case.outcomes,
            meters,
            settle_s=state.rules.device_settle_s,
        )
        if found.awaited:
            return False
        if found.outcomes:
            engine.note(Outcomes(at_us=now_us, outcomes=found.outcomes))
        changes = dict.fromkeys(found.liars, "lying: acknowledged, and its feeder's meter shows otherwise")
        changes |= {each.feeder: f"tripped: {each.excess_mw:.3f} MW went untold" for each in found.trips}
        if changes:
            engine.note(Believed(at_us=now_us, changes=changes))
        self.suspects.suspect(found.suspects)
        return True
