"""Commands of one decision, numbered as they are written: the same decision taken again makes the same ids."""

from collections.abc import Iterable

from headrace.control.commands import Action, Command
from headrace.control.layout import US_PER_S, Layout

__all__ = ["CommandBook"]


class CommandBook:
    """Collects the commands of one record.

    Parameters
    ----------
    record
        Id of the record.
    reason
        Reason code of its commands.
    now_us
        When it was decided, epoch microseconds.
    life_s
        How long its commands may be carried out, seconds.
    """

    def __init__(self, record: str, reason: str, *, now_us: int, life_s: float) -> None:
        self._record = record
        self._reason = reason
        self._now_us = now_us
        self._expires_us = now_us + round(life_s * US_PER_S)
        self._written: list[Command | None] = []

    def tell(self, layout: Layout, i: int, action: Action, power_mw: float | None = None) -> None:
        """Write the next command, to the asset at a position."""
        self._written.append(
            Command(
                id=f"{self._record}.{len(self._written)}",
                asset=layout.inventory.assets[i].name,
                action=action,
                power_mw=power_mw,
                commanded_us=self._now_us,
                expires_us=self._expires_us,
                reason=self._reason,
            )
        )

    def tell_all(self, layout: Layout, positions: Iterable[int], action: Action) -> None:
        """Write one command to each of many assets, as fast as it goes."""
        assets, record, first = layout.inventory.assets, self._record, len(self._written)
        now_us, expires_us, reason = self._now_us, self._expires_us, self._reason
        self._written += [
            Command(
                id=f"{record}.{number}",
                asset=assets[i].name,
                action=action,
                commanded_us=now_us,
                expires_us=expires_us,
                reason=reason,
            )
            for number, i in enumerate(positions, start=first)
        ]

    def take_back(self, number: int) -> None:
        """Leave out a command that is not needed after all; the others keep their numbers."""
        self._written[number] = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """What was written, in order."""
        return tuple(command for command in self._written if command is not None)
