"""What every `Feed` owes its callers, whatever it reads from."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from headrace.adapters.feeds.catalogue import catalogue
from headrace.adapters.feeds.declaration import FeedDeclaration, Publication
from headrace.adapters.feeds.live.feed import LiveFeed
from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.feeds.sample import SAMPLE_ROLES, SAMPLE_TIME_ZONE, SAMPLE_WINDOW
from headrace.core import BadInput, Interval, iso
from headrace.energy import Feed
from live_replies import Operator

DATA = Path(os.environ.get("HEADRACE_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))

Case = tuple[Feed, str, Interval]


def _csv(folder: Path) -> Case:
    rows = "\n".join(f"2024-03-{1 + h // 24:02}T{h % 24:02}:00:00Z,{h}" for h in range(240) if h not in {7, 100, 101})
    (folder / "own.csv").write_text(f"interval_start,price\n{rows}\n")
    declaration = FeedDeclaration(
        files=("own.csv",),
        columns=("price",),
        unit="usd_per_mwh",
        step_min=60,
        known=Publication(rule="day_before", at_local="13:30"),
    )
    window = Interval(start=datetime(2024, 3, 2, 5, 20, tzinfo=UTC), end=datetime(2024, 3, 11, tzinfo=UTC))
    return RecordedFeed(folder, {"price": declaration}, "America/Chicago"), "price", window


def _sample(role: str) -> Case:
    return RecordedFeed(None, SAMPLE_ROLES, SAMPLE_TIME_ZONE), role, SAMPLE_WINDOW


def _folder(name: str) -> Case:
    if not DATA.is_dir():
        pytest.skip(f"no data folder at {DATA}; set HEADRACE_DATA")
    feed = RecordedFeed(DATA, {name: name}, "America/Chicago")
    end = min(feed.span(name).end, datetime(2024, 11, 20, tzinfo=UTC))
    return feed, name, Interval(start=end - timedelta(days=30), end=end)


FROM_FOLDER = sorted(
    name for name, fields in catalogue().items() if not fields.files[0].startswith(("sample:", "fetched/"))
)
LIVE = ("caiso.real_time.np15", "entsoe.day_ahead.fr", "ercot.real_time.hb_south", "ercot.day_ahead.hb_south")
LIVE += ("nyiso.real_time.west", "nyiso.day_ahead.west")


def _live(name: str) -> Case:
    """An operator that answers in its own format, over the autumn day of either continent, with three values lost."""
    now = datetime(2024, 11, 12, 15, tzinfo=UTC)
    starts_s = np.arange(1_729_000_000 // 3600 * 3600, int(now.timestamp()) + 172_800, _step_s(name), dtype=np.int64)
    values = 20.0 + (starts_s // 3600) % 50
    values[np.isin(starts_s // 3600 % 97, (5, 6, 41))] = np.nan
    window = Interval(start=datetime(2024, 10, 20, 5, tzinfo=UTC), end=datetime(2024, 11, 12, tzinfo=UTC))
    return LiveFeed({name: name}, Operator(name, starts_s, values), lambda: now), name, window


def _step_s(name: str) -> int:
    return catalogue()[name].step_s


CASES = ["csv", *(f"sample:{role}" for role in SAMPLE_ROLES), *(f"folder:{n}" for n in FROM_FOLDER)]
CASES += [f"live:{name}" for name in LIVE]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    kind, _, name = request.param.partition(":")
    match kind:
        case "csv":
            return _csv(tmp_path)
        case "sample":
            return _sample(name)
        case "live":
            return _live(name)
        case _:
            return _folder(name)


def test_answer_covers_the_window_on_its_own_grid(case: Case) -> None:
    feed, name, window = case
    series = feed.series(name, window)
    assert series.start_s <= window.start_s < series.start_s + series.step_s
    assert series.end_s - series.step_s < window.end_s <= series.end_s


def test_a_missing_value_is_nan_and_every_other_is_finite(case: Case) -> None:
    feed, name, window = case
    values = feed.series(name, window).values
    assert not np.isinf(values).any()
    assert np.isfinite(values).any()


def test_no_value_is_known_before_it_could_be(case: Case) -> None:
    feed, name, window = case
    series = feed.series(name, window)
    starts_s = series.start_s + np.arange(len(series)) * series.step_s
    assert (np.diff(series.known_s) >= 0).all()
    declared = catalogue().get(SAMPLE_ROLES.get(name, name))
    if name == "price" or (declared is not None and declared.known.rule == "day_before"):
        # An auction is known some time on the day before: at most 24 h + its hours before the interval.
        lead_s = starts_s - series.known_s
        assert lead_s.min() > 9 * 3600
        assert lead_s.max() < 38 * 3600
    else:
        assert (series.known_s >= starts_s).all()


def test_two_windows_agree_where_they_overlap(case: Case) -> None:
    feed, name, window = case
    whole = feed.series(name, window)
    part = feed.series(name, Interval(start=window.start + timedelta(days=2), end=window.end))
    skipped = (part.start_s - whole.start_s) // whole.step_s
    np.testing.assert_array_equal(whole.values[skipped:], part.values)
    np.testing.assert_array_equal(whole.known_s[skipped:], part.known_s)


def test_span_tells_what_is_on_record(case: Case) -> None:
    feed, name, window = case
    span = feed.span(name)
    if span.start_s == 0:  # a trace without dates is laid over any window
        assert span.end > window.end
        return
    inside = Interval(start=max(span.start, window.start), end=min(span.end, window.end))
    assert len(feed.series(name, inside)) > 0
    with pytest.raises(BadInput, match=r"outside the data|no such file"):
        feed.series(name, Interval(start=span.end + timedelta(days=400), end=span.end + timedelta(days=401)))


def test_a_live_feed_and_its_record_are_the_same_series(tmp_path: Path) -> None:
    feed, name, window = _live("ercot.real_time.hb_south")
    live = feed.series(name, window)
    rows = "\n".join(f"{iso(live.start_s + i * 900)},{v}" for i, v in enumerate(live.values) if not np.isnan(v))
    (tmp_path / "own.csv").write_text(f"interval_start,price\n{rows}\n")
    declaration = FeedDeclaration(files=("own.csv",), columns=("price",), unit=live.unit, step_min=15)
    record = RecordedFeed(tmp_path, {name: declaration}, "America/Chicago").series(name, window)
    np.testing.assert_array_equal(record.values, live.values)
    np.testing.assert_array_equal(record.known_s, live.known_s)


@pytest.mark.parametrize("make", [lambda: _sample("real_time"), lambda: _live("ercot.real_time.hb_south")])
def test_an_undeclared_role_is_refused_with_those_declared(make: Callable[[], Case]) -> None:
    feed, role, window = make()
    with pytest.raises(BadInput, match=rf"declared: .*{role}"):
        feed.series("realtime", window)
