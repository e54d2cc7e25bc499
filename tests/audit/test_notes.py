"""Notes beside the headline must be true of the site they stand beside."""

from types import SimpleNamespace

import msgspec
import pytest

from headrace.app.replaying import _notes
from headrace.dispatch.inputs import in_time
from replays import days_of, demo_site, world


@pytest.mark.parametrize(
    ("ahead", "battery", "said"),
    [
        (False, True, "forecasts repeat the last day and the desk's battery follows them."),
        (False, False, "forecasts repeat the last day."),
        (True, False, None),
    ],
)
def test_only_a_price_that_must_be_forecast_is_said_to_be(ahead, battery, said):
    loaded = demo_site()
    base = world(loaded, days_of(loaded, 3, 1))
    live = in_time(base.inputs.real_time) if ahead else base.inputs.real_time
    base = msgspec.structs.replace(base, inputs=msgspec.structs.replace(base.inputs, day_ahead=None, real_time=live))
    site = loaded.site if battery else msgspec.structs.replace(loaded.site, battery=None)
    found = [note for note in _notes(SimpleNamespace(site=site, feeds=loaded.feeds), base) if "No day-ahead" in note]
    assert found == ([] if said is None else [f"No day-ahead series: {said}"])
