"""The registered ramp over everything that is no emergency's: plan, battery, programmes, called reserve, restoration.

    allowed = ramp · min(time since the last such move, 60 s − what the moves of the last 60 s took of them)

so that no minute sees more than a minute's ramp. One clock for all of them: two that each kept to the ramp would
together move the site twice as fast.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from headrace.control.layout import US_PER_S
from headrace.control.shed import SLACK_MW, Shedding
from headrace.engine.live.engine import Engine

__all__ = ["Pace"]

RAMP_CREDIT_S: Final = 60.0
"""What the ramp allowed while nothing moved counts for this long: a registered rate is a rate by the minute."""


class Pace:
    """When the site's load was last moved for anything but an emergency, and how far it may move now.

    Parameters
    ----------
    engine
        Clock and inventory.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.moved_us = engine.clock.now_us()
        """Time of the last move, epoch microseconds."""
        self.bus_ratio = 1.0
        """Power at the connection for each MW of machines: their cooling moves with them."""
        self._moves: deque[tuple[int, float]] = deque()

    def moved(self, *by_mw: float) -> None:
        """Something was moved: by how much each, load-positive."""
        self.moved_us = self._engine.clock.now_us()
        self._moves.extend((self.moved_us, mw) for mw in by_mw)

    def since_s(self) -> float:
        """Time whose ramp may be used now, seconds."""
        now_us = self._engine.clock.now_us()
        while self._moves and now_us - self._moves[0][0] >= RAMP_CREDIT_S * US_PER_S:
            self._moves.popleft()
        up_s = sum(self.used_s(mw) for _, mw in self._moves if mw > 0.0)
        down_s = sum(self.used_s(mw) for _, mw in self._moves if mw < 0.0)
        rested_s = max(0, now_us - self.moved_us) / US_PER_S
        return max(0.0, min(rested_s / self.bus_ratio, RAMP_CREDIT_S / self.bus_ratio - max(up_s, down_s)))

    def for_wave_s(self, wave_us: int) -> float:
        """Time whose ramp a wave may use: a machine larger than a minute's ramp waits for longer than a minute.

        Parameters
        ----------
        wave_us
            Time of the last wave, or of the permission before the first, epoch microseconds.
        """
        rested_s = (self._engine.clock.now_us() - max(wave_us, self.moved_us)) / US_PER_S
        return rested_s if rested_s >= RAMP_CREDIT_S else max(0.0, min(rested_s, self.since_s()))

    def used_s(self, by_mw: float) -> float:
        """Time of ramp that a move takes up, load-positive, seconds."""
        inventory = self._engine.state.layout.inventory
        ramp = inventory.ramp_up_max_mw_per_min if by_mw > 0.0 else inventory.ramp_down_max_mw_per_min
        return abs(by_mw) / ramp * 60.0

    def fall_mw(self) -> float:
        """Most that the load may fall now, MW."""
        return self._engine.state.layout.inventory.ramp_down_max_mw_per_min * self.since_s() / 60.0

    def fitted(self, choose: Callable[[float], Shedding], mw: float) -> Shedding | None:
        """What takes off as much of `mw` as the ramp allows now; None if that is less than a whole machine.

        A machine larger than a minute's ramp goes alone, once that minute has passed.
        """
        most_mw = self.fall_mw()
        wanted_mw = min(mw, most_mw)
        for _ in range(2):
            shedding = choose(wanted_mw)
            over_mw = shedding.expected_mw - most_mw
            if over_mw <= SLACK_MW:
                return shedding if shedding.commands else None
            if wanted_mw <= over_mw:
                break
            wanted_mw -= over_mw  # whole machines: aim lower by what they overshoot
        rested_us = self._engine.clock.now_us() - self.moved_us
        is_alone = len(shedding.commands) == 1 and rested_us >= RAMP_CREDIT_S * US_PER_S
        return shedding if is_alone else None
