"""Reserve on real days of 2024: sold honestly, held in every interval, booked, and explained."""

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.adapters.sitefile import load_site
from headrace.app.replaying import prepare
from headrace.core import BadInput, Interval
from headrace.interfaces.report.page import render
from replays import run

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "energy" / "ercot_as_mcpc_hourly_2024.parquet").exists(), reason="recorded reserve prices not at hand"
)
LABELS = ("always-on", "desk", "rolling", "stochastic", "bound")


def bench_site():
    return load_site(Path(str(resources.files("headrace.app.bench"))) / "reserve_site.toml")


def days(first, last):
    return Interval(start=datetime(*first, 6, tzinfo=UTC), end=datetime(*last, 6, tzinfo=UTC))


@pytest.fixture(scope="module")
def sold():
    """20 to 23 August 2024: scarcity in the evenings."""
    loaded = bench_site()
    reserves = [msgspec.structs.replace(each, calls=f"simulated calls {each.name}") for each in loaded.site.reserves]
    site = msgspec.structs.replace(loaded.site, reserves=tuple(reserves))
    window = Interval(start=datetime(2024, 8, 19, 5, tzinfo=UTC), end=datetime(2024, 8, 22, 5, tzinfo=UTC))
    return run(msgspec.structs.replace(loaded, site=site), window, LABELS, data=DATA)


@pytest.mark.inv("C2")
def test_every_policy_holds_what_it_sold_in_every_interval(sold):
    for each in sold.runs:
        frame = each.intervals
        for reserve in sold.site.reserves:
            name = f"reserve:{reserve.name}"
            assert frame[f"{name}_short_mw"].max() == 0.0, (each.label, name)
        assert each.lines_ccy["reserve_penalties"] == 0.0


def test_always_on_sells_nothing_and_the_others_do(sold):
    for each in sold.runs:
        assert (each.lines_ccy["reserve"] > 0.0) == (each.policy != "always-on")


def test_nothing_is_sold_before_the_first_gate(sold):
    rolling = sold.run("rolling").intervals
    before = rolling.filter(rolling["interval_start"] < datetime(2024, 8, 20, 5, tzinfo=UTC))
    assert before["reserve:RRS_sold_mw"].max() == 0.0


def test_hindsight_sells_best(sold):
    margins = {each.policy: each.margin_ccy for each in sold.runs}
    assert margins["bound"] == max(margins.values())


def test_the_page_tells_of_it(sold):
    page = render(sold)
    assert 'id="reserve"' in page
    assert "Capacity sold and held" in page


def test_a_period_across_two_sets_of_rules_is_refused():
    loaded = bench_site()
    feed = RecordedFeed(DATA, loaded.feeds, loaded.site.time_zone)
    first = loaded.site.reserves[0].products
    moved = tuple(
        msgspec.structs.replace(
            product,
            valid_from_s=1_722_470_400 if i else product.valid_from_s,  # 1 August 2024
            valid_to_s=None if i else 1_722_470_400,
        )
        for i, product in enumerate(first)
    )
    reserves = (msgspec.structs.replace(loaded.site.reserves[0], products=moved), *loaded.site.reserves[1:])
    across = msgspec.structs.replace(loaded, site=msgspec.structs.replace(loaded.site, reserves=reserves))
    with pytest.raises(BadInput, match="never mixed"):
        prepare(across, feed, days((2024, 7, 30), (2024, 8, 3)))


def test_hours_without_a_price_are_said_and_not_sold():
    result = run(bench_site(), days((2024, 3, 12), (2024, 3, 14)), ("rolling",), data=DATA)
    assert result.run("rolling").lines_ccy["reserve"] == 0.0
    assert any("no price in 48 hours" in note for note in result.notes)


@pytest.mark.inv("R2")
def test_a_replay_that_sells_reserve_resumes_to_the_same_bytes(tmp_path):
    loaded = bench_site()
    reserves = [msgspec.structs.replace(each, calls=f"simulated calls {each.name}") for each in loaded.site.reserves]
    loaded = msgspec.structs.replace(loaded, site=msgspec.structs.replace(loaded.site, reserves=tuple(reserves)))
    window = days((2024, 8, 19), (2024, 8, 21))
    journal = tmp_path / "rolling.jsonl"
    run(loaded, window, ("rolling",), tmp_path, data=DATA)
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept in (130, 400, 500):
        journal.write_bytes(b"".join(lines[:kept]))
        run(loaded, window, ("rolling",), tmp_path, resume=True, data=DATA)
        assert journal.read_bytes() == whole
