"""`headrace data get` at the command line, as far as it goes without a network."""

import pytest

from command_line import refused, run

NOVEMBER = ("--from", "2024-11-01", "--to", "2024-11-12")
VARIABLES = ("HEADRACE_ERCOT_USERNAME", "HEADRACE_ERCOT_PASSWORD", "HEADRACE_ERCOT_SUBSCRIPTION_KEY")


@pytest.fixture
def get(capsys, monkeypatch, tmp_path):
    for variable in (*VARIABLES, "HEADRACE_ENTSOE_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    return lambda *arguments: run(capsys, monkeypatch, "data", "get", *arguments, "--out", tmp_path / "data")


def test_a_dry_run_prints_the_requests_without_secrets_and_leaves_nothing(get, monkeypatch, tmp_path):
    monkeypatch.setenv("HEADRACE_ENTSOE_TOKEN", "s3cret-token")
    said = get("entsoe", "entsoe.day_ahead.fr", *NOVEMBER, "--dry-run", "--json")
    assert said.code == 0
    assert said.json["requests"] == [
        "https://web-api.tp.entsoe.eu/api?documentType=A44&in_Domain=10YFR-RTE------C&out_Domain=10YFR-RTE------C"
        "&periodStart=202410312300&periodEnd=202411112300&securityToken=${HEADRACE_ENTSOE_TOKEN}"
    ]
    assert (said.json["start"], said.json["end"]) == ("2024-10-31T23:00:00Z", "2024-11-11T23:00:00Z")
    assert "s3cret-token" not in said.out + said.err
    assert not (tmp_path / "data").exists()


def test_a_series_may_be_named_without_its_operator(get):
    said = get("ercot", "real_time.hb_south", *NOVEMBER, "--dry-run")
    assert said.code == 0
    assert said.out.startswith("https://api.ercot.com/api/public-reports/np6-905-cd/spp_node_zone_hub?deliveryDateFrom")
    assert "ercot.real_time.hb_south 2024-11-01T05:00:00Z to 2024-11-12T06:00:00Z: 2 requests" in said.out


def test_a_missing_key_is_one_clear_error_before_any_request(get, tmp_path):
    refused(get("ercot", "ercot.real_time.hb_south", *NOVEMBER), *VARIABLES, "not set in the environment", "Register")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pjm", "pjm.real_time.west", *NOVEMBER), ["no such operator", "caiso, entsoe, ercot, nyiso"]),
        (("nyiso", "nyiso.real_time.wset", *NOVEMBER), ["nyiso.real_time.west"]),
        (("nyiso", "ercot.real_time.hb_south", *NOVEMBER), ["nyiso.ercot.real_time.hb_south", "no operator"]),
        (("nyiso", "nyiso.real_time.west", "--from", "2024-11-12", "--to", "2024-11-01"), ["Give a later --to"]),
        (("nyiso", "nyiso.real_time.west", "--from", "soon", "--to", "2024-11-01"), ["not an ISO-8601 time"]),
        (("ercot", "ercot.real_time.hb_south", "--from", "2019-11-01", "--to", "2019-11-02"), ["2023-12-11T06:00:00Z"]),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(get, arguments, words):
    refused(get(*arguments), *words)


def test_doctor_says_which_operators_can_be_asked(capsys, monkeypatch, get):
    monkeypatch.setenv("HEADRACE_ENTSOE_TOKEN", "s3cret-token")
    said = run(capsys, monkeypatch, "doctor", "--json")
    assert said.json["operators"]["nyiso"] == "ready, 22 series"
    assert said.json["operators"]["entsoe"].startswith("ready")
    assert said.json["operators"]["ercot"] == f"needs {', '.join(VARIABLES)}"
    assert "s3cret-token" not in said.out
