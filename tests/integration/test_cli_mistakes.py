"""What a person mistypes: one message that names it and says what to do, exit code 2, nothing left behind."""

import sys

import pytest

from command_line import DEMO, ROLLING, SIX_HOURS, refused, run


@pytest.fixture
def headrace(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], ["nosuch"]),
        (["replay"], ["SITE"]),
        (["why"], ["TIME"]),
        (["check", DEMO, "--bogus"], ["--bogus"]),
        (["check", "nosuch.toml"], ["nosuch.toml", "No such file", "headrace new"]),
        (["check", "."], ["Is a directory"]),
        (["check", f"{DEMO}/x.toml"], ["Not a directory"]),
        (["check", "x" * 300], ["File name too long"]),
        (["check", "/dev/zero"], ["/dev/zero", "longer than"]),
        (["new", "!!!"], ["holds no letter or digit"]),
        (["new", "é" * 300], ["File name too long"]),
        (["bench", "dispatch"], ["--data", "HEADRACE_DATA"]),
        (["bench", "value", "--data", "nodir"], ["--data nodir", "no such folder"]),
        (["bench", "replay", "--data", "nodir"], ["--data nodir", "no such folder"]),
        (["data", "--data", "nodir"], ["--data nodir", "no such folder"]),
        (["doctor", "--data", DEMO], ["is a file, not a folder"]),
        (["agent", "--node", "n1", "--key", DEMO, "--port", "99999"], ["--port 99999", "no such port"]),
        (["agent", "--node", "n1", "--key", DEMO, "--port=-1"], ["--port -1", "no such port"]),
        (["agent", "--node", "n1", "--key", DEMO, "--lease-s", "nan"], ["--lease-s nan", "above 0"]),
        (["agent", "--node", "n1", "--key", DEMO, "--lease-s", "inf"], ["--lease-s inf", "above 0"]),
        (["agent", "--node", "n1", "--key", DEMO, "--lease-s=-1"], ["--lease-s -1", "above 0"]),
        (["agent", "--node", "n1", "--key", DEMO, "--cap-rest-w=-5"], ["--cap-rest-w -5", "negative"]),
    ],
)
def test_a_mistake_is_named_and_nothing_is_left_behind(headrace, tmp_path, arguments, words):
    refused(headrace(*arguments), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["keys", "show"], ["verify", "x"], ["keys", "init", "site"]])
def test_a_verb_whose_packages_are_missing_says_what_to_install(headrace, monkeypatch, arguments):
    for name in [
        each
        for each in sys.modules
        if each.startswith(
            ("cryptography", "headrace.adapters.keys", "headrace.adapters.telemetry", "headrace.app.telemetry_verbs")
        )
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    refused(headrace(*arguments), "package cryptography", "pip install 'headrace[live]'")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nodir"], ["--data nodir", "no such folder"]),
        (["--from", "yesterday"], ["'yesterday'", "not an ISO-8601 time", "Write 2024-11-17"]),
        (["--from", ""], ["''", "not an ISO-8601 time"]),
        (["--from", "0001-01-01T00:00+14:00"], ["not an ISO-8601 time"]),
        (["--to", "9999-12-31T23:00"], ["not an ISO-8601 time"]),
        (["--from", "2024-11-09", "--to", "2024-11-08"], ["ends at 2024-11-08T06:00:00Z", "Give a later --to"]),
        (["--from", "2024-11-09", "--to", "2024-11-09"], ["Give a later --to"]),
        (["--from", "2024-11-07T00:05", "--to", "2024-11-08"], ["2024-11-07T06:05:00Z", "settlement interval"]),
        (["--from", "2024-11-07T00:00:00.5", "--to", "2024-11-08"], ["settlement interval of 15 minutes"]),
        (["--from", "2020-01-01"], ["2020-01-01T06:00:00Z", "price on record runs from 2024-11-04", "--from and --to"]),
        (["--to", "2030-01-01"], ["price on record runs from 2024-11-04"]),
        (["--from", "2024-03-10T02:30"], ["the clock skips it", "2024-03-10T08:30Z"]),
        (["--from", "2024-11-03T01:30"], ["the clock shows it twice", "2024-11-03T06:30Z or 2024-11-03T07:30Z"]),
        (["--policies", ""], ["--policies", "Choose from always-on, desk"]),
        (["--policies", "best"], ["--policies 'best'", "Choose from always-on, desk"]),
    ],
)
def test_a_period_or_policy_that_cannot_be_replayed_is_named(headrace, tmp_path, arguments, words):
    refused(headrace("replay", DEMO, *arguments), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bench", ["dispatch", "value", "replay"])
def test_a_bench_without_its_series_names_the_file(headrace, tmp_path, bench):
    refused(headrace("bench", bench, "--data", tmp_path), "energy/ercot_rt_spp_15min", "no such file")


def test_a_site_without_a_period_asks_for_one(headrace, tmp_path):
    text = DEMO.read_text(encoding="utf-8")
    site = tmp_path / "site.toml"
    site.write_text(text[: text.index("[replay]")] + text[text.index("[feeds]") :], encoding="utf-8")
    refused(headrace("replay", site), "no period given", "--from and --to")
    refused(headrace("replay", site, "--from", "2024-11-07"), "Give both --from and --to")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["site: is missing", "connection: is missing", "market: is missing"]),
        (bytes(range(256)), ["is not UTF-8 text"]),
        (b"a\0b", ["line 1"]),
        (b"a = " + b"[" * 20_000, ["is nested too deeply"]),
        (b"# " + b"x" * 5_000_000, ["longer than 4194304 bytes"]),
    ],
)
def test_a_file_that_is_no_site_is_named(headrace, tmp_path, content, words):
    (tmp_path / "site.toml").write_bytes(content)
    refused(headrace("check", "site.toml"), "site.toml", *words)


def test_a_site_file_with_a_byte_order_mark_is_read(headrace, tmp_path):
    (tmp_path / "site.toml").write_bytes(b"\xef\xbb\xbf" + DEMO.read_bytes())
    assert headrace("check", "site.toml").code == 0


def test_a_broken_link_is_named(headrace, tmp_path):
    (tmp_path / "link.toml").symlink_to("nowhere.toml")
    refused(headrace("check", "link.toml"), "link.toml", "No such file")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("a-file", ["a-file", "is a file, not a folder"]),
        ("a-file/below", ["a-file/below", "Not a directory"]),
        ("link", ["link", "not a folder"]),
        ("x" * 300, ["File name too long"]),
    ],
)
def test_an_out_that_cannot_be_a_folder_is_named_before_any_work(headrace, tmp_path, out, words):
    (tmp_path / "a-file").write_text("kept")
    (tmp_path / "link").symlink_to("nowhere")
    refused(headrace("replay", DEMO, *ROLLING, "--out", out), *words)
    refused(headrace("new", "abc", "--folder", out))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-file", "link"]
    assert (tmp_path / "a-file").read_text() == "kept"


def test_a_name_that_is_taken_is_not_overwritten(headrace, tmp_path):
    assert headrace("new", "Cedar Bend").code == 0
    (tmp_path / "cedar_bend.toml").write_text("mine")
    refused(headrace("new", "Cedar Bend"), "cedar_bend.toml", "there already")
    assert (tmp_path / "cedar_bend.toml").read_text() == "mine"


def test_a_new_site_passes_its_own_check_and_replays(headrace):
    assert headrace("new", "Cedar Bend").code == 0
    assert headrace("check", "cedar_bend.toml").code == 0
    assert headrace("replay", "cedar_bend.toml", *ROLLING).code == 0


@pytest.mark.parametrize("steps", ["2024-11-07T00:15", "2024-11-07T00:30"])
def test_the_shortest_periods_are_replayed(headrace, steps):
    said = headrace("replay", DEMO, "--from", "2024-11-07", "--to", steps, "--json")
    assert said.code == 0
    assert {"always-on", "desk", "rolling", "bound"} <= {figures["label"] for figures in said.json["policies"]}


def test_the_first_interval_on_record_is_replayed_with_nothing_known(headrace):
    assert headrace("replay", DEMO, *("--from", "2024-11-04", "--to", "2024-11-04T01:00")).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["2024-11-07T03:00", "--out", "nowhere"], ["nowhere", "holds no finished replay", "headrace replay"]),
        (["2024-11-07T03:00", "--out", DEMO], ["holds no finished replay"]),
        (["noon"], ["'noon'", "not an ISO-8601 time"]),
        (["2024-11-08"], ["2024-11-08T06:00:00", "the replay covers 2024-11-07T06:00:00"]),
        (["2024-11-07T06:00"], ["the replay covers"]),
        (["9999-12-31T23:00"], ["not an ISO-8601 time"]),
        (["2024-11-07T03:00", "--policy", "best"], ["--policy 'best'", "Choose from: always-on; rolling"]),
        (["2024-11-07T03:00", "--picture", "out"], ["out", "can't be written: Is a directory"]),
    ],
)
def test_why_names_what_it_cannot_explain(headrace, arguments, words):
    where = [] if "--out" in arguments else ["--out", "out"]
    if where:
        options = ("--policies", "always-on,rolling", "--no-sensitivities")
        assert headrace("replay", DEMO, *SIX_HOURS, *options).code == 0
    refused(headrace("why", *arguments, *where), *words)
