"""Who lies among machines that look alike: a restoration starts half of a feeder's suspects first; its meter tells.

A shed that falls short leaves suspects where several sets of machines explain what is missing. One that never stopped
adds nothing when it is started: what the feeder rises less than it should is drawn by the half that was started, the
rest of what was missing by the other (`control.verify.narrow_suspicion`). While a proof is under way nothing else of
its feeder starts; afterwards everything does. Suspicions are kept in the journal, so that the next event goes on.
"""

from collections.abc import Collection, Sequence

import msgspec

from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.control.fleet import FleetState
from headrace.control.layout import US_PER_S
from headrace.control.readings import MeterReading
from headrace.control.verify import TOLERANCE_LEAST_MW, TOLERANCE_RATIO, Suspicion, attribute, narrow_suspicion
from headrace.engine.live.engine import Engine
from headrace.engine.live.records import Believed, Outcomes, Suspected

__all__ = ["Suspects"]

MW_PER_W = 1e-6


class _Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Suspects of one feeder that were started, and what its meter showed before."""

    before: MeterReading
    half: frozenset[str]
    started: frozenset[str]
    began_us: int
    ready_us: int


class Suspects:
    """Narrows suspicions as machines start.

    Parameters
    ----------
    engine
        Journal and meters.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._proofs: dict[str, _Proof] = {}

    def suspect(self, found: Sequence[Suspicion]) -> None:
        """Note what a shed left unexplained, narrowed by what was suspected before."""
        for new in found:
            held = self._engine.state.suspicions.get(new.feeder, ())
            before = {name for each in held for name, _ in each.drops_mw}
            again = tuple(each for each in new.drops_mw if each[0] in before)
            tolerance_mw = self._tolerance_mw(new.feeder)
            caught = attribute(again, new.residual_mw, tolerance_mw)
            if not caught and again and sum(mw for _, mw in again) >= new.residual_mw - tolerance_mw:
                new = msgspec.structs.replace(new, drops_mw=again)  # noqa: PLW2901  the same ones, twice unexplained
            self._note(new.feeder, caught, () if caught else (new,))

    def withheld(self, wanted: Sequence[str]) -> set[str]:
        """Assets that wait with their start: the other half of suspects, and all of a feeder while it is judged."""
        state, found = self._engine.state, set[str]()
        for feeder, suspicions in state.suspicions.items():
            own = {name for name in wanted if self._feeder(name) == feeder}
            half = self._proofs[feeder].half if feeder in self._proofs else _half(suspicions, own)
            found |= own - half if half else set()
        return found

    def started(self, before: FleetState, commands: Sequence[Command], outcomes: Sequence[CommandOutcome]) -> None:
        """Watch what a feeder rises by when some of its suspects were started."""
        state = self._engine.state
        said = {each.asset: each for each in outcomes if each.result in (Result.ACKNOWLEDGED, Result.METERED)}
        told = {each.asset: each for each in commands if each.action is Action.RUN}
        for feeder, suspicions in state.suspicions.items():
            f = state.layout.feeder_position[feeder]
            off = {
                name
                for each in suspicions
                for name, _ in each.drops_mw
                if before.runs[state.layout.position[name]] != 1 or name in told
            }
            proof = self._proofs.get(feeder)
            half = _half(suspicions, off) if proof is None else proof.half
            runs = frozenset(name for name in told if name in half and name in said)
            reading = before.feeders[f]
            if not runs or reading is None:
                continue
            last_us = max(said[name].acknowledged_us or said[name].commanded_us for name in runs)
            self._proofs[feeder] = _Proof(
                before=reading if proof is None else proof.before,
                half=half,
                started=runs if proof is None else proof.started | runs,
                began_us=min(told[name].commanded_us for name in runs) if proof is None else proof.began_us,
                ready_us=last_us + round(state.rules.wake_settle_s * US_PER_S),
            )

    def look(self) -> None:
        """Judge the proofs whose meters have spoken; one that something else has touched proves nothing."""
        state, now_us = self._engine.state, self._engine.clock.now_us()
        for feeder, proof in list(self._proofs.items()):
            reading = state.fleet.feeders[state.layout.feeder_position[feeder]]
            is_over = now_us > proof.ready_us + round(state.rules.verdict_max_s * US_PER_S)
            if self._is_touched(feeder, proof) or is_over:
                del self._proofs[feeder]
            elif reading is not None and reading.at_us >= proof.ready_us:
                del self._proofs[feeder]
                self._judge(feeder, proof, reading)

    def _judge(self, feeder: str, proof: _Proof, reading: MeterReading) -> None:
        state = self._engine.state
        rise_mw = (reading.power_w - proof.before.power_w) * MW_PER_W
        tolerance_mw = self._tolerance_mw(feeder)
        caught: list[str] = []
        left: list[Suspicion] = []
        for suspicion in state.suspicions.get(feeder, ()):
            own = [(name, mw) for name, mw in suspicion.drops_mw if name in proof.started]
            if not own:
                left.append(suspicion)
                continue
            missing_mw = max(0.0, sum(mw for _, mw in own) - rise_mw)
            liars, narrowed = narrow_suspicion(
                suspicion, [name for name, _ in own], missing_mw, tolerance_mw=tolerance_mw
            )
            caught += liars
            left += narrowed
        self._note(feeder, caught, left)

    def _note(self, feeder: str, caught: Sequence[str], left: Sequence[Suspicion]) -> None:
        engine = self._engine
        state, now_us = engine.state, engine.clock.now_us()
        engine.note(Suspected(at_us=now_us, feeder=feeder, suspicions=tuple(left)))
        changes = dict.fromkeys(caught, "lying: its feeder's meter shows that it never stopped")
        count, residual_mw = sum(len(each.drops_mw) for each in left), sum(each.residual_mw for each in left)
        text = f"suspected: {count} assets, of which some drew {residual_mw:.3f} MW that they were told to take off"
        engine.note(Believed(at_us=now_us, changes=changes | {feeder: text if left else ""}))
        told = [(name, state.fleet.told[state.layout.position[name]]) for name in caught]
        outcomes = tuple(
            CommandOutcome(
                command="" if command is None else command.id,
                asset=name,
                result=Result.LYING,
                commanded_us=now_us if command is None else command.commanded_us,
                reason=f"{feeder} shows that it never stopped",
            )
            for name, command in told
        )
        if outcomes:
            engine.note(Outcomes(at_us=now_us, outcomes=outcomes))

    def _is_touched(self, feeder: str, proof: _Proof) -> bool:
        """Was another asset of the feeder told anything since the proof began?"""
        state = self._engine.state
        f = state.layout.feeder_position[feeder]
        for i in (state.layout.behind_of == f).nonzero()[0].tolist():
            told = state.fleet.told[i]
            name = state.layout.asset(i).name
            if told is not None and told.commanded_us > proof.began_us and name not in proof.started:
                return True
        return False

    def _feeder(self, name: str) -> str:
        layout = self._engine.state.layout
        return layout.inventory.feeders[int(layout.behind_of[layout.position[name]])].name

    def _tolerance_mw(self, feeder: str) -> float:
        state = self._engine.state
        reading = state.fleet.feeders[state.layout.feeder_position[feeder]]
        power_mw = 0.0 if reading is None else abs(reading.power_w) * MW_PER_W
        return max(TOLERANCE_RATIO * power_mw, TOLERANCE_LEAST_MW)


def _half(suspicions: Sequence[Suspicion], off: Collection[str]) -> frozenset[str]:
    """Who is to start first: half of a set of suspects that all stand; empty if there is none to halve."""
    for each in suspicions:
        names = [name for name, _ in each.drops_mw]
        if len(names) > 1 and all(name in off for name in names):
            return frozenset(names[: len(names) // 2])
    return frozenset()
