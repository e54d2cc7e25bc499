"""A site that cannot serve its firm load is the run most likely to be killed and looked at: it too must resume."""

import msgspec
import pytest

from replays import days_of, demo_site, run


@pytest.mark.slow
@pytest.mark.inv("R2")
def test_a_run_without_a_plan_resumes_to_the_same_bytes(tmp_path):
    loaded = demo_site()
    site = loaded.site
    loaded = msgspec.structs.replace(
        loaded,
        site=msgspec.structs.replace(
            site, connection=msgspec.structs.replace(site.connection, import_max_mw=5.0, export_max_mw=0.0)
        ),
    )
    window = days_of(loaded, 3, 1)
    frame = run(loaded, window, ("rolling",), tmp_path).run("rolling").intervals
    assert set(frame.filter(frame["shed_mw"] > 0.0)["mode"]) == {"shed"}
    assert set(frame.filter(frame["shed_mw"] == 0.0)["mode"]) <= {"plan", "safe_rule"}
    path = tmp_path / "rolling.jsonl"
    original = path.read_bytes()
    assert b'"infeasible"' in original
    path.write_bytes(original[: len(original) * 2 // 3])
    run(loaded, window, ("rolling",), tmp_path, resume=True)
    assert path.read_bytes() == original
