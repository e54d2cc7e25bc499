"""What `deploy/` names exists: metrics, alarms' series, verbs and options."""

import json
import re
from pathlib import Path

import pytest

from headrace.app.cli import app

DEPLOY = Path(__file__).parents[3] / "deploy"
METRICS = Path(__file__).parents[3] / "src" / "headrace" / "interfaces" / "operator" / "metrics.py"
KNOWN = set(re.findall(r'"(headrace_\w+)"', METRICS.read_text()))


def expressions():
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    rules = (DEPLOY / "headrace.rules.yml").read_text()
    return found + [("rule", line.split("expr:")[1]) for line in rules.splitlines() if "expr:" in line]


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_series_that_is_drawn_or_watched_is_one_that_the_site_gives(where, expression):
    assert set(re.findall(r"headrace_\w+", expression)) <= KNOWN


def test_every_metric_is_on_the_dashboard_or_says_when_the_page_was_made():
    drawn = set(re.findall(r"headrace_\w+", (DEPLOY / "grafana-dashboard.json").read_text()))
    assert KNOWN - drawn - {"headrace_feeder_limit_megawatts"} <= {
        "headrace_time_seconds",
        "headrace_load_running",
        "headrace_load_assets",
    }


def test_panels_have_ids_of_their_own_and_lie_beside_each_other():
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_unit_and_the_container_start_a_verb_that_exists():
    unit = (DEPLOY / "headrace.service").read_text()
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).split()
    assert command[1] in set(app)
    entry = (DEPLOY / "Containerfile").read_text()
    assert "--constraint constraints.txt" in entry
    assert "USER headrace" in entry
