"""How likely an hour is to become a coincident peak of its period, from the system's load so far.

The log x of a day's highest load is seen as

    x = level + season(day of year) − 0.02 on weekends + e
    z = e / σ↑ if e > 0, e / σ↓ if e < 0                          hot days lie closer together than mild ones
    z(day + 1) = ρ z(day) + √(1 − ρ²) · N(0, 1)                   heat lasts

The level is the median of the last 14 days, each taken to its normal temperature where temperatures are known. Today,
each of the last 28 days gives a course the load may take from its last known hour on (its own course, scaled), weighed
by how likely the day before makes its highest load. So

    P(hour) = Σ courses  weight × share of the hour in the course's top × P(the highest so far is passed)
                                × P(no later day of the period passes it)

The last factor is an exact sum over the chain of z on a grid to the period's end. Where a period has k peaks on k days
(Ontario's five), "the highest so far" is the k-th highest day, and fewer than k days pass. Every figure at `now` rests
on loads known at `now`: a month's highest load so far is worked out again from the series, never carried.

Parameters start from stated priors and take in the periods of earlier calendar years: walk-forward. So does the trust
in the result (`coincident_trust`), where each month is a period of its own.
"""

from datetime import date
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from headrace.energy.coincident_chain import EDGES, GRID, normal_below, survival, transition
from headrace.energy.coincident_days import LoadDays
from headrace.energy.coincident_trust import odds_learned, tempered

__all__ = ["PeakCalendar", "PeakForecast"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRAILING_DAYS: Final = 28
"""Days behind the courses: four weeks, so that weekdays weigh alike."""
LEVEL_DAYS: Final = 14
"""Days behind the level: two weeks follow a hot spell sooner than four, and cost less in each of five summers."""

WEEKEND_LOG: Final = 0.02
"""How much lower a weekend's highest load is. Prior: about 2 % (offices closed, air conditioning running)."""

PRIOR_DAYS: Final = 60.0
"""Weight of the three priors below, in days of an earlier season."""
PRIOR_RHO: Final = 0.75
"""Daily maximum temperatures of neighbouring summer days correlate by about this."""
PRIOR_UP_LOG: Final = 0.04
"""σ↑."""
PRIOR_DOWN_LOG: Final = 0.06
"""σ↓: a rainy day falls further below than a hot one rises above."""

SEASON_C: Final = (13.9, 16.3, 20.7, 25.0, 29.1, 33.3, 35.4, 35.8, 31.6, 26.2, 19.3, 14.3)
"""The season's shape: normal daily maximum of Dallas by month, C (1991-2020, rounded, from memory: an assumption)."""
LOG_PER_C: Final = 0.025
"""Log load per degree above `COOLING_FROM_C`: 2.5 % a degree, an assumption."""
COOLING_FROM_C: Final = 24.0
"""Daily maximum from which cooling counts."""

NOON_HOUR: Final = 12
"""Hour from which what was said is counted: a hot month's highest load comes in the afternoon."""

NEAR_LOG: Final = 0.005
"""Hours within about half a per cent of a course's highest share its chance."""
BLUR_LOG: Final = 0.003
"""Least blur of a course's highest load: an hour's load differs by this much from what was expected before it."""
BLUR_RATIO: Final = 0.3
"""Blur over the spread of the courses' highest loads, as 28 of them stand for a smooth distribution."""


class PeakCalendar(msgspec.Struct, frozen=True, kw_only=True):
    """Which days compete for a peak."""

    months: tuple[int, ...]
    """Local months that have peaks."""
    is_monthly: bool
    """Each month is a period of its own; otherwise the period is a year from `first_month` on."""
    first_month: int
    """First local month of a yearly period."""
    count: int
    """Peaks of a period, on as many different days."""

    def period(self, day: date) -> int:
        """Number of the period that a day competes in; -1 for none."""
        if day.month not in self.months:
            return -1
        return day.year * 12 + day.month if self.is_monthly else (day.year - (day.month < self.first_month)) * 12


class PeakForecast:
    """Chances of coincident peaks of one system.

    Parameters
    ----------
    days
        The system's load by local day; every answer is cut at what was known.
    calendar
        Which days compete.
    is_weather_known
        Every day's highest temperature is known from the start: a labelled sensitivity of the benches, never a plan.
    """

    def __init__(self, days: LoadDays, calendar: PeakCalendar, *, is_weather_known: bool = False) -> None:
        self.days, self.calendar = days, calendar
        self.period = np.array([calendar.period(day) for day in days.dates], np.int64)
        normal_c = np.interp(
            days.day_of_year, [30.4 * i - 15.2 for i in range(14)], [SEASON_C[-1], *SEASON_C, SEASON_C[0]]
        )
        weekend_log = WEEKEND_LOG * days.is_weekend
        felt_c = np.maximum(np.where(np.isnan(days.most_c), normal_c, days.most_c), COOLING_FROM_C)
        seen_c = felt_c if is_weather_known else np.maximum(normal_c, COOLING_FROM_C)
        self._shape_log = LOG_PER_C * seen_c - weekend_log
        self._level_log = _trailing_median(days.most_log_mw - LOG_PER_C * felt_c + weekend_log)
        self._spreads: dict[int, _Spread] = {}
        self._odds: dict[int, float] = {}
        self._lasts: dict[tuple[int, int], Floats] = {}
        self._ahead: tuple[int, Floats] = (-1, np.zeros(0))

    def at(self, now_s: int, starts_s: Ints) -> Floats:
        """Chance of the hour that holds each instant to become a peak, by what was known at `now_s`.

        It is 0 for hours already known, and after tomorrow.
        """
        known = int(self.days.known_s.searchsorted(now_s, side="right"))
        if known != self._ahead[0]:
            self._ahead = known, self._look_ahead(known, is_tempered=True)
        chance = self._ahead[1]
        place = (starts_s - self.days.start_s) // 3600 - known
        out = np.zeros(len(place))
        inside = (place >= 0) & (place < len(chance))
        out[inside] = chance[place[inside]]
        return out

    def is_high(self, now_s: int, near_ratio: float) -> bool:
        """Is the load of today so far, or of yesterday, near the highest of today's period, as known at `now_s`?

        So it is on the first day of a period, of which nothing is known; never outside a period.
        """
        known = int(self.days.known_s.searchsorted(now_s, side="right"))
        today = int(np.searchsorted(self.days.first_hour, known, side="right")) - 1
        if known == 0 or self.period[today] < 0:
            return False
        before_log = self._highest(today, int(self.days.first_hour[today]))
        if not len(before_log):
            return True
        lately_log = self.days.hour_log_mw[self.days.first_hour[max(today - 1, 0)] : known].max()
        return bool(lately_log >= before_log[-1] + np.log(near_ratio))

    def _look_ahead(self, known: int, *, is_tempered: bool) -> Floats:
        """Chances of the hours from the first unknown one to the end of tomorrow."""
        days = self.days
        today = int(np.searchsorted(days.first_hour, known, side="right")) - 1
        if today <= TRAILING_DAYS + 1 or (self.period[today] < 0 and self.period[today + 1] < 0):
            return np.zeros(0)
        left = int(days.first_hour[today + 1]) - known
        course_log = self._courses(known, left)
        past_log = float(days.hour_log_mw[days.first_hour[today] : known].max(initial=-np.inf))
        most_log = np.maximum(course_log.max(axis=1), past_log)
        spread = self._spread(days.dates[today].year)
        z = spread.z_of(most_log - self._mean_log(today, today))
        z_before = spread.z_of(days.most_log_mw[today - 1] - self._mean_log(today - 1, today))
        weight = _likely((z - spread.rho_ratio * z_before) / np.sqrt(1.0 - spread.rho_ratio**2))
        chance = np.zeros(int(days.first_hour[today + 2]) - known)
        highest_log = self._highest(today, known)
        if self.period[today] >= 0:
            variance = float(weight @ most_log**2 - (weight @ most_log) ** 2)
            blur_log = max(BLUR_LOG, BLUR_RATIO * np.sqrt(max(variance, 0.0)))
            passes = self._passes(today, today, most_log, z, highest_log, blur_log)
            chance[:left] = (weight * passes) @ _share(course_log, most_log)
        if self.period[today + 1] >= 0:
            if self.period[today + 1] != self.period[today]:
                highest_log = np.zeros(0)
            else:
                highest_log = _top(np.append(highest_log, weight @ most_log), self.calendar.count)
            chance[left:] = self._tomorrow(today, float(weight @ z), highest_log)
        return tempered(chance, self._trust(days.dates[today].year)) if is_tempered else chance

    def _tomorrow(self, today: int, z_today: float, highest_log: Floats) -> Floats:
        """Chances of tomorrow's hours: a day of any height, of the shape the last 28 had."""
        days, spread = self.days, self._spread(self.days.dates[today].year)
        width = np.sqrt(1.0 - spread.rho_ratio**2)
        weight = np.diff(normal_below((EDGES - spread.rho_ratio * z_today) / width))
        most_log = self._mean_log(today + 1, today) + spread.e_of(GRID)
        passes = self._passes(today + 1, today, most_log, GRID, highest_log, BLUR_LOG)
        hours = np.arange(days.first_hour[today + 1], days.first_hour[today + 2])
        course_log = days.hour_log_mw[hours[None, :] - 24 * np.arange(2, TRAILING_DAYS + 2)[:, None]]
        return np.asarray(float(weight @ passes) * _share(course_log, course_log.max(axis=1)).mean(axis=0))

    def _courses(self, known: int, left: int) -> Floats:
        """Log load of the hours left of today in each course, shape (C, hours)."""
        log = self.days.hour_log_mw
        back = 24 * np.arange(1, TRAILING_DAYS + 1)[:, None]
        return np.asarray(log[known - 1] + log[np.arange(known, known + left) - back] - log[known - 1 - back])

    def _mean_log(self, day: int, today: int) -> float:
        """Expected log of a day's highest load without its own weather, by the level of `today`."""
        return float(self._level_log[today] + self._shape_log[day])

    def _highest(self, today: int, known: int) -> Floats:
        """Highest loads of the days before today in its period, and of today so far, at most `count`."""
        first = today
        while first > 0 and self.period[first - 1] == self.period[today]:
            first -= 1
        so_far = self.days.hour_log_mw[self.days.first_hour[today] : known]
        return _top(np.append(self.days.most_log_mw[first:today], so_far.max(initial=-np.inf)), self.calendar.count)

    def _passes(
        self, day: int, today: int, most_log: Floats, z: Floats, highest_log: Floats, blur_log: float
    ) -> Floats:
        """Chance that a day with each of these highest loads is among its period's peaks, shape of `most_log`."""
        count = self.calendar.count
        last = self._last(day, today)
        above = normal_below((most_log[None, :] - highest_log[:, None]) / blur_log)
        no_more = np.ones((count - len(highest_log), len(most_log)))
        passed = np.concatenate((np.zeros((1, len(most_log))), above, no_more))
        chance = np.zeros(len(most_log))
        for before in range(count):
            chance += (passed[before + 1] - passed[before]) * np.interp(z, GRID, last[count - 1 - before])
        return chance

    def _last(self, day: int, today: int) -> Floats:
        """Chance that at most c later days of the period pass a day of each z, shape (count, Z)."""
        if (day, today) not in self._lasts:
            spread = self._spread(self.days.dates[today].year)
            end = day + 1
            while end < len(self.period) and self.period[end] == self.period[day]:
                end += 1
            value_log = self._mean_log(day, today) + spread.e_of(GRID)
            mean_log = self._level_log[today] + self._shape_log[day + 1 : end]
            threshold = spread.z_of(value_log[None, :] - mean_log[:, None])
            self._lasts[day, today] = survival(spread.chain, threshold, self.calendar.count)
        return self._lasts[day, today]

    def _trust(self, year: int) -> float:
        """Factor on the odds from the periods of calendar years before `year`; 1 where a period is a year.

        Yearly periods are too few to learn from, and too long to go through again.
        """
        if not self.calendar.is_monthly:
            return 1.0
        if year not in self._odds:
            is_before = np.array([day.year < year for day in self.days.dates])
            seen = np.flatnonzero((self.period >= 0) & is_before & np.isfinite(self._level_log))
            seen = seen[seen > TRAILING_DAYS + 1]
            said_phs = sum(self._said_phs(int(day)) for day in seen)
            self._odds[year] = odds_learned(said_phs, self.calendar.count * len(np.unique(self.period[seen])))
        return self._odds[year]

    def _said_phs(self, day: int) -> float:
        """Sum of the chances of a day's hours from noon on, each as it began and before any tempering."""
        hours = range(int(self.days.first_hour[day]) + NOON_HOUR, int(self.days.first_hour[day + 1]))
        return sum(float(self._look_ahead(hour, is_tempered=False)[0]) for hour in hours)

    def _spread(self, year: int) -> "_Spread":
        """Scatter from the priors and from the periods of calendar years before `year`."""
        if year not in self._spreads:
            days = self.days
            e_log = days.most_log_mw - self._level_log - self._shape_log
            is_before = np.array([day.year < year for day in days.dates])
            use = (self.period >= 0) & is_before & np.isfinite(e_log)
            up_log = _scale(PRIOR_UP_LOG, e_log[use & (e_log > 0.0)])
            down_log = _scale(PRIOR_DOWN_LOG, e_log[use & (e_log <= 0.0)])
            z = np.where(e_log > 0.0, e_log / up_log, e_log / down_log)
            pairs = np.flatnonzero(use[1:] & use[:-1])
            products, squares = float(z[pairs] @ z[pairs + 1]), float(z[pairs] @ z[pairs])
            rho_ratio = min(max((PRIOR_DAYS * PRIOR_RHO + products) / (PRIOR_DAYS + squares), 0.0), 0.95)
            self._spreads[year] = _Spread(
                up_log=up_log, down_log=down_log, rho_ratio=rho_ratio, chain=transition(rho_ratio)
            )
        return self._spreads[year]


class _Spread(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How days scatter about their level, as known at the start of a year."""

    up_log: float
    """σ↑."""
    down_log: float
    """σ↓."""
    rho_ratio: float
    """ρ."""
    chain: Floats
    """Chance of each cell of z the day after each cell, shape (Z, Z)."""

    def z_of(self, e_log: Floats | float) -> Floats:
        """Standard deviations of a log departure from the level."""
        e = np.asarray(e_log, float)
        return np.where(e > 0.0, e / self.up_log, e / self.down_log)

    def e_of(self, z: Floats) -> Floats:
        """Log departure of as many standard deviations."""
        return np.where(z > 0.0, z * self.up_log, z * self.down_log)


def _scale(prior_log: float, seen_log: Floats) -> float:
    return float(np.sqrt((PRIOR_DAYS * prior_log**2 + seen_log @ seen_log) / (PRIOR_DAYS + len(seen_log))))


def _trailing_median(adjusted_log: Floats) -> Floats:
    """Median of the days before each; NaN where there are too few."""
    level = np.full(len(adjusted_log), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(adjusted_log, LEVEL_DAYS)
    level[LEVEL_DAYS:] = np.median(windows[:-1], axis=1)
    return level


def _likely(deviation: Floats) -> Floats:
    """Weights of normal deviations, summing to 1."""
    fit = -0.5 * deviation**2
    weight = np.exp(fit - fit.max())
    return np.asarray(weight / weight.sum())


def _share(course_log: Floats, most_log: Floats) -> Floats:
    """Chance of each hour to be the highest of its course's day, shape of `course_log`."""
    near = np.exp((course_log - most_log[:, None]) / NEAR_LOG)
    return np.asarray(near / np.maximum(near.sum(axis=1, keepdims=True), 1.0))


def _top(most_log: Floats, count: int) -> Floats:
    """The highest of them, highest first; days without a load left out."""
    return np.sort(most_log[np.isfinite(most_log)])[::-1][:count]
