"""How one miner's power and hash rate follow what it was told.

Power moves at a constant rate between standby and full: down within about a second, up slower, because a miner tunes
its chips first. Hash rate follows power in proportion between standby and full. The figures are assumptions of the
simulated world and can be set; the rates are those that operators quote ("under 5 s down, under 10 s up": LuxOS).
"""

__all__ = ["MinerModel"]

RAMP_DOWN_S = 1.0
"""From full to standby, seconds."""
RAMP_UP_S = 8.0
"""From standby to full, seconds."""


class MinerModel:
    """One machine's state: what it aims at and since when. Pure: the time is told.

    Parameters
    ----------
    full_w
        Power at full, W.
    standby_w
        Power asleep, W: fans and controller.
    hashrate_ths
        Hash rate at full, TH/s.
    ramp_down_s, ramp_up_s
        Time between full and standby either way, seconds.
    floor_ratio
        Part of the power above standby that it keeps drawing when told to sleep (0: it obeys; 1: it does nothing).
    """

    __slots__ = (
        "_floor_w",
        "_from_w",
        "_ramp_down_s",
        "_ramp_up_s",
        "_since_s",
        "_to_w",
        "effects",
        "full_w",
        "hashrate_full_ths",
        "is_asleep",
        "limit_w",
        "standby_w",
    )

    def __init__(
        self,
        *,
        full_w: float = 3400.0,
        standby_w: float = 60.0,
        hashrate_ths: float = 110.0,
        ramp_down_s: float = RAMP_DOWN_S,
        ramp_up_s: float = RAMP_UP_S,
        floor_ratio: float = 0.0,
    ) -> None:
        self.full_w = full_w
        self.standby_w = standby_w
        self.hashrate_full_ths = hashrate_ths
        self.is_asleep = False
        self.limit_w = full_w
        self.effects = 0
        """State changes so far: a command heard twice counts once."""
        self._ramp_down_s = ramp_down_s
        self._ramp_up_s = ramp_up_s
        self._floor_w = standby_w + floor_ratio * (full_w - standby_w)
        self._from_w = self._to_w = full_w
        self._since_s = 0.0

    def stop(self, at_s: float) -> None:
        """Go to sleep."""
        if not self.is_asleep:
            self.is_asleep = True
            self._aim(at_s)

    def wake(self, at_s: float) -> None:
        """Wake up and run as far as its limit allows."""
        if self.is_asleep:
            self.is_asleep = False
            self._aim(at_s)

    def run(self, at_s: float) -> None:
        """Wake up and run at full, whatever limit it had."""
        if self.is_asleep or self.limit_w < self.full_w:
            self.is_asleep = False
            self.limit_w = self.full_w
            self._aim(at_s)

    def cap(self, at_s: float, limit_w: float) -> None:
        """Run at no more than `limit_w`, W, awake or once awake."""
        limit_w = min(max(limit_w, self.standby_w), self.full_w)
        if limit_w != self.limit_w:
            self.limit_w = limit_w
            self._aim(at_s)

    def restart(self, at_s: float, *, takes_s: float, stays_asleep: bool) -> None:
        """Draw standby power for `takes_s`, seconds, then go on; asleep only if it was and its firmware remembers."""
        self.is_asleep = self.is_asleep and stays_asleep
        self._aim(at_s)
        self._from_w = self.standby_w
        self._since_s = at_s + takes_s

    def power_w(self, at_s: float) -> float:
        """Power at a time not before the last change, W."""
        way_w = self._to_w - self._from_w
        if way_w == 0.0:
            return self._to_w
        whole_s = self._ramp_up_s if way_w > 0.0 else self._ramp_down_s
        rate_w_per_s = (self.full_w - self.standby_w) / whole_s if whole_s > 0.0 else float("inf")
        moved_w = max(0.0, at_s - self._since_s) * rate_w_per_s
        if moved_w >= abs(way_w):
            return self._to_w
        return self._from_w + moved_w * (1.0 if way_w > 0.0 else -1.0)

    def hashrate_ths(self, at_s: float) -> float:
        """Hash rate at a time not before the last change, TH/s."""
        span_w = self.full_w - self.standby_w
        return self.hashrate_full_ths * (self.power_w(at_s) - self.standby_w) / span_w if span_w > 0.0 else 0.0

    def _aim(self, at_s: float) -> None:
        self._from_w = self.power_w(at_s)
        self._to_w = self._floor_w if self.is_asleep else self.limit_w
        self._since_s = at_s
        self.effects += 1
