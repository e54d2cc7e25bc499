"""The same replay twice, or killed and resumed, writes the same bytes; and nothing planted in the future moves it."""

import msgspec
import numpy as np
import pytest

from headrace.app.replaying import HEADLINE
from headrace.dispatch.policies import AlwaysOn, Desk, Memory, Rolling, Sight
from headrace.engine.cycle import CycleRecord
from headrace.engine.journal import read_journal
from replays import days_of, demo_site, run, world

DAY = 3


@pytest.mark.inv("R1")
def test_the_same_replay_twice_writes_the_same_journals(tmp_path):
    loaded = demo_site()
    for name in ("first", "second"):
        run(loaded, days_of(loaded, DAY, 1), HEADLINE, tmp_path / name)
    written = sorted((tmp_path / "first").iterdir())
    assert [p.stem for p in written] == sorted(HEADLINE)
    for path in written:
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


@pytest.mark.inv("R2")
@pytest.mark.parametrize("policy", ["desk", "rolling"])
def test_a_replay_killed_anywhere_and_resumed_writes_the_same_bytes(tmp_path, policy):
    loaded = demo_site()
    window = days_of(loaded, DAY, 1)
    whole = run(loaded, window, (policy,), tmp_path)
    path = tmp_path / f"{policy}.jsonl"
    original = path.read_bytes()
    for cut in np.random.default_rng(7).integers(0, len(original), 4).tolist():
        path.write_bytes(original[:cut])
        again = run(loaded, window, (policy,), tmp_path, resume=True)
        assert path.read_bytes() == original, f"cut at byte {cut}"
        assert again.run(policy).intervals.equals(whole.run(policy).intervals)
        assert again.run(policy).margin_ccy == whole.run(policy).margin_ccy


def test_a_journal_record_reads_back_as_it_was_written(tmp_path):
    loaded = demo_site()
    run(loaded, days_of(loaded, DAY, 1), ("rolling",), tmp_path)
    _, lines = read_journal(tmp_path / "rolling.jsonl")
    assert len(lines) == 288
    for line in lines:
        assert msgspec.json.encode(msgspec.json.decode(line, type=CycleRecord)) == line


@pytest.mark.inv("F2")
def test_a_planted_future_price_moves_no_decision_before_it_is_known():
    loaded = demo_site()
    window = days_of(loaded, DAY, 2)
    base = world(loaded, window)
    now_s = window.start_s + 86_400 + 7 * 3600

    def planted(series):
        if series is None:
            return None
        values = series.values.copy()
        values[series.known_count(now_s) :] = 4_000.0
        return msgspec.structs.replace(series, values=values)

    names = ("real_time", "day_ahead", "temperature", "bitcoin_price", "difficulty", "block_reward")
    changed = msgspec.structs.replace(
        base.inputs,
        **{name: planted(getattr(base.inputs, name)) for name in names},
        profiles={role: planted(s) for role, s in base.inputs.profiles.items()},
    )
    assert not np.array_equal(changed.real_time.values, base.inputs.real_time.values, equal_nan=True)

    def sight(inputs):
        return Sight(
            now_s=now_s,
            end_s=window.end_s,
            inputs=inputs,
            stored_mwh=4.0,
            peak_mw=18.0,
            month=11,
            hour_local=7,
            day_end_s=window.end_s,
            month_end_s=window.end_s + 86_400,
            memory=Memory(),
        )

    for policy in (AlwaysOn(), Desk(), Rolling()):
        ours = policy.propose(base.model, sight(base.inputs))
        theirs = policy.propose(base.model, sight(changed))
        assert msgspec.json.encode(ours) == msgspec.json.encode(theirs), policy.name
