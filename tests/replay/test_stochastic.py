"""Policy `stochastic` in a replay: it decides by itself, reads nothing early, and resumes to the same bytes."""

import msgspec
import numpy as np
import pytest

from headrace.adapters.feeds.recorded import RecordedFeed
from headrace.app.replaying import with_price_history
from headrace.dispatch.inputs import in_time
from headrace.dispatch.policies import Memory, Rolling, Sight, Stochastic
from headrace.dispatch.policies.stochastic import why_rolling
from headrace.dispatch.uses import model_of
from replays import days_of, demo_site, run, world

DAY = 20
"""By then the sample holds days enough for a fit."""


@pytest.fixture(scope="module")
def setting():
    """The demo site, the period, its world, and the inputs with the prices before it."""
    loaded = demo_site()
    window = days_of(loaded, DAY, 2)
    base = world(loaded, window)
    feed = RecordedFeed(None, loaded.feeds, loaded.site.time_zone)
    return loaded, window, base, with_price_history(base.inputs, feed, window)


def sight_at(inputs, window, now_s: int, stored_mwh: float = 4.0) -> Sight:
    """What a policy sees at a time of the demo's period."""
    return Sight(
        now_s=now_s,
        end_s=window.end_s,
        inputs=inputs,
        stored_mwh=stored_mwh,
        peak_mw=18.0,
        month=11,
        hour_local=12,
        day_end_s=window.start_s + 86_400,
        month_end_s=window.end_s + 86_400,
        memory=Memory(),
    )


def times(window) -> range:
    """Times that fall on every part of a price interval, before and after a publication."""
    return range(window.start_s + 300, window.end_s, 7 * 3600 + 300)


def test_it_decides_by_itself_once_there_are_days_enough(setting):
    _, window, base, inputs = setting
    answers = [
        [policy.propose(base.model, sight_at(inputs, window, now_s)).problem_id for now_s in times(window)]
        for policy in (Stochastic(), Rolling())
    ]
    assert all(ours != theirs for ours, theirs in zip(*answers, strict=True))


def test_bid_never_exceeds_ask(setting):
    _, window, base, inputs = setting
    policy = Stochastic()
    for now_s in times(window):
        for stored_mwh in (0.0, 3.3, 8.0):
            if base.model.site.battery.stored_min_mwh <= stored_mwh <= base.model.site.battery.stored_max_mwh:
                proposal = policy.propose(base.model, sight_at(inputs, window, now_s, stored_mwh))
                assert proposal.ask_ccy_per_mwh is None or proposal.bid_ccy_per_mwh <= proposal.ask_ccy_per_mwh


def test_a_fresh_policy_answers_as_one_that_ran(setting):
    _, window, base, inputs = setting
    ran = Stochastic()
    for now_s in times(window):
        sight = sight_at(inputs, window, now_s)
        assert ran.propose(base.model, sight) == Stochastic().propose(base.model, sight)


@pytest.mark.inv("F2")
@pytest.mark.parametrize("is_in_time", [False, True])
def test_a_planted_future_moves_no_decision(setting, is_in_time):
    _, window, base, inputs = setting
    if is_in_time:
        inputs = msgspec.structs.replace(inputs, real_time=in_time(inputs.real_time))
    for now_s in times(window):

        def planted(series, now_s=now_s):
            values = series.values.copy()
            values[series.known_count(now_s) :] = 4_000.0
            return msgspec.structs.replace(series, values=values)

        names = ("real_time", "day_ahead", "temperature", "bitcoin_price", "difficulty", "block_reward")
        changed = msgspec.structs.replace(
            inputs,
            **{name: planted(getattr(inputs, name)) for name in names},
            profiles={role: planted(series) for role, series in inputs.profiles.items()},
        )
        before, after = (Stochastic().propose(base.model, sight_at(seen, window, now_s)) for seen in (inputs, changed))
        assert before == after


@pytest.mark.inv("R2")
def test_a_replay_killed_anywhere_and_resumed_writes_the_same_bytes(tmp_path, setting):
    loaded, window, _, _ = setting
    run(loaded, window, ("stochastic",), tmp_path)
    path = tmp_path / "stochastic.jsonl"
    original = path.read_bytes()
    for cut in np.random.default_rng(11).integers(0, len(original), 3).tolist():
        path.write_bytes(original[:cut])
        run(loaded, window, ("stochastic",), tmp_path, resume=True)
        assert path.read_bytes() == original, f"cut at byte {cut}"


def test_it_equals_rolling_where_it_has_nothing_to_add(setting):
    _, window, base, inputs = setting
    site = base.model.site
    charged = msgspec.structs.replace(site.tariff, peak_charge_ccy_per_mw_month=9_000.0)
    short = msgspec.structs.replace(inputs, real_time=base.inputs.real_time)
    known_ahead = msgspec.structs.replace(
        inputs.real_time, known_s=np.maximum.accumulate(inputs.real_time.known_s - 2 * 86_400)
    )
    for model, seen in (
        (model_of(msgspec.structs.replace(site, battery=None)), inputs),
        (model_of(msgspec.structs.replace(site, tariff=charged)), inputs),
        (base.model, short),
        (base.model, msgspec.structs.replace(inputs, real_time=known_ahead)),
    ):
        assert bool(why_rolling(model.site)) == (model is not base.model)
        sight = sight_at(seen, window, window.start_s + 3600)
        assert Stochastic().propose(model, sight) == Rolling().propose(model, sight)


def test_a_site_without_day_ahead_prices_is_weighed_against_yesterday(setting):
    _, window, base, inputs = setting
    alone = msgspec.structs.replace(inputs, day_ahead=None)
    sight = sight_at(alone, window, window.start_s + 3600)
    ours, theirs = (policy.propose(base.model, sight) for policy in (Stochastic(), Rolling()))
    assert ours.problem_id != theirs.problem_id
    assert ours.bid_ccy_per_mwh <= ours.ask_ccy_per_mwh


def test_it_stands_between_rolling_and_the_bound_in_the_tables(setting):
    loaded, window, _, _ = setting
    result = run(loaded, window, ("rolling", "stochastic", "bound"))
    assert [run.policy for run in result.runs] == ["rolling", "stochastic", "bound"]
    assert all(run.is_headline for run in result.runs)
    assert result.run("stochastic").margin_ccy <= result.run("bound").margin_ccy + 1e-6
