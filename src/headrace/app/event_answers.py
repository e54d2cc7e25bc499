"""How far each command of an order came, by the journal: told, acknowledged, confirmed by a meter, or not, and why."""

from collections.abc import Sequence
from typing import Final

from headrace.control.commands import Action, Command, CommandOutcome, Result
from headrace.engine.live.records import Believed, Commanded, LiveRecord, Ordered, Outcomes
from headrace.interfaces.event_report import Answers

__all__ = ["answers_of"]

SWITCHES: Final = (Action.OPEN, Action.CLOSE)
SILENT: Final = {Result.MUTE, Result.UNREACHABLE}
REFUSED: Final = {Result.REFUSED, Result.GARBLED, Result.LOCKED_OUT, Result.EXPIRED}
SUSPECTED: Final = "suspected: "
"""How the engine says that a feeder's meter and its devices disagree, and it can't tell which of them."""


def answers_of(records: Sequence[LiveRecord], order_id: str) -> Answers:
    """What became of the commands that follow from one order.

    Parameters
    ----------
    records
        The journal's records, from its first.
    order_id
        The order, one of the journal's.
    """
    seq = next(n for n, each in enumerate(records, 1) if isinstance(each, Ordered) and each.order.id == order_id)
    commands: dict[str, Command] = {}
    heard: dict[str, list[CommandOutcome]] = {}
    suspected: dict[str, str] = {}
    for record in records[seq:]:
        match record:
            case Commanded():
                commands |= {each.id: each for each in record.commands if each.id.startswith(f"o{seq}.")}
            case Outcomes():
                for each in record.outcomes:
                    heard.setdefault(each.command, []).append(each)
            case Believed():
                found = {name: text for name, text in record.changes.items() if text.startswith(SUSPECTED)}
                suspected = found | suspected
            case _:
                pass
    devices = {key: heard.get(key, []) for key, each in commands.items() if each.action not in SWITCHES}
    results = {commands[key].asset: {each.result for each in said} for key, said in devices.items()}
    return Answers(
        commanded=len(devices),
        acknowledged=sum(any(each.acknowledged_us is not None for each in said) for said in devices.values()),
        confirmed=sum(any(each.metered_us is not None for each in said) for said in devices.values()),
        silent=tuple(sorted(name for name, each in results.items() if each & SILENT)),
        refused=tuple(sorted(name for name, each in results.items() if each & REFUSED)),
        lying=tuple(sorted(name for name, each in results.items() if Result.LYING in each)),
        suspected=tuple(f"{name}: {text.removeprefix(SUSPECTED)}" for name, text in sorted(suspected.items())),
        switches=tuple(sorted(each.asset for each in commands.values() if each.action in SWITCHES)),
    )
