"""What became of a command to a piece of equipment."""

from headrace.control.commands import Command, CommandOutcome, Result

__all__ = ["outcome_of"]


def outcome_of(
    command: Command,
    result: Result,
    *,
    sent_us: int | None = None,
    acknowledged_us: int | None = None,
    reason: str = "",
) -> CommandOutcome:
    """Outcome of a command; times in epoch microseconds."""
    return CommandOutcome(
        command=command.id,
        asset=command.asset,
        result=result,
        commanded_us=command.commanded_us,
        sent_us=sent_us,
        acknowledged_us=acknowledged_us,
        reason=reason,
    )
