"""The dashboard and the alert rules name metrics of the agreed list, with labels that these have, and nothing else."""

import json
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from agent.status.families import FAMILIES
from tests.house import ROOT
from tests.unit.status.test_families import on_the_page

HERE = ROOT / "packaging" / "monitoring"
OTHERS = {"instance", "job"}  # labels that Prometheus adds
SELECTED = re.compile(r"\b((?:floorgate|process)_[a-z0-9_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|on|unless on|without) \(([^)]*)\)")
RULES: list[dict[str, Any]] = yaml.safe_load((HERE / "floorgate.rules.yml").read_text("utf-8"))["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((HERE / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target for panel in PANELS for target in panel["targets"]]


def metric(name: str) -> str:
    """Of a histogram the metric itself."""
    return re.sub(r"_(bucket|sum|count)$", "", name) if name not in on_the_page() else name


def faults(expression: str) -> Iterator[str]:
    """What is not in the list: names, and labels by which is selected or grouped."""
    known = set(OTHERS) | {"le", "device"}  # the rule for devices makes a label of that name
    for name, selectors in SELECTED.findall(expression):
        row = on_the_page().get(metric(name))
        if row is None:
            yield name
            continue
        known |= set(row[1])
        for label in re.findall(r"([a-z_]+)\s*(?:=~|!=|!~|=)", selectors):
            if label not in {*row[1], *OTHERS}:
                yield f"{name}{{{label}}}"
    for names in GROUPED.findall(expression):
        yield from (label for label in re.findall(r"[a-z_]+", names) if label not in known)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_goes_by_the_list_and_says_what_to_do_in_two_languages(rule: dict[str, Any]) -> None:
    assert list(faults(rule["expr"])) == []
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "summary_zh", "description_zh"}
    assert all(re.search(r"[\u4e00-\u9fff]", notes[f"{name}_zh"]) for name in ("summary", "description"))
    used = {label for text in notes.values() for label in re.findall(r"\$labels\.(\w+)", text)}
    names = {label for name, _ in SELECTED.findall(rule["expr"]) for label in on_the_page()[metric(name)][1]}
    assert used - names - OTHERS == set()


def test_every_alert_is_on_the_page_and_has_a_test_that_fires_and_one_that_does_not() -> None:
    page = (HERE / "README.md").read_text("utf-8")
    tests = yaml.safe_load((HERE / "floorgate.rules.test.yml").read_text("utf-8"))["tests"]
    said = [(rule["alertname"], bool(rule["exp_alerts"])) for test in tests for rule in test["alert_rule_test"]]
    names = [rule["alert"] for rule in RULES]
    assert sorted(said) == sorted((name, fires) for name in names for fires in (False, True))
    assert [name for name in names if f"`{name}`" not in page] == []


def test_the_dashboard_goes_by_the_list() -> None:
    assert [fault for query in QUERIES for fault in faults(query["expr"])] == []
    for query in QUERIES:
        labels = {label for name, _ in SELECTED.findall(query["expr"]) for label in on_the_page()[metric(name)][1]}
        assert set(re.findall(r"\{\{(\w+)\}\}", query["legendFormat"])) - labels - OTHERS == set(), query
        assert query["expr"].count('{instance=~"$instance"') + query["expr"].count("time()") > 0, query


def test_the_dashboard_is_fresh() -> None:
    made = runpy.run_path(str(HERE / "dashboard.py"))["text"]()
    assert made == (HERE / "dashboard.json").read_text("utf-8"), "python packaging/monitoring/dashboard.py"


def test_every_panel_says_what_it_is_and_in_which_unit_and_stands_alone() -> None:
    assert all(panel["description"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Lines and devices", "Quality", "Store and debt", "Sinks", "Process"]
    assert [each["name"] for each in BOARD["templating"]["list"]] == ["datasource", "instance"]


def test_what_the_list_has_is_watched() -> None:
    """A metric that neither the dashboard nor a rule looks at is one that nobody would miss."""
    texts = [rule["expr"] for rule in RULES] + [query["expr"] for query in QUERIES]
    seen = {metric(name) for text in texts for name, _ in SELECTED.findall(text)}
    rest = {
        *("floorgate_clock_last_step_seconds", "floorgate_device_probe_seconds", "floorgate_inlet_frames"),
        *("floorgate_last_seq", "floorgate_oldest_timestamp_seconds", "floorgate_line_busy_seconds_total"),
        *("floorgate_part_frames_total", "floorgate_part_late_total", "floorgate_part_rejected_frames_total"),
        *("floorgate_part_set_aside_frames_total", "floorgate_part_state", "floorgate_store_bytes_per_second"),
        *("floorgate_store_file_bytes", "floorgate_store_frames", "floorgate_store_room_bytes"),
        *("floorgate_buffered_samples", "floorgate_set_aside_samples"),
    }
    assert set(FAMILIES) - seen == rest


def test_a_name_or_a_label_that_is_not_in_the_list_is_found() -> None:
    assert list(faults("sum by (sink) (rate(floorgate_sampels_total[5m]))")) == ["floorgate_sampels_total", "sink"]
    assert list(faults('floorgate_tags{sink="a"}')) == ["floorgate_tags{sink}"]
    assert list(faults("rate(floorgate_commit_duration_seconds_sum[5m])")) == []
