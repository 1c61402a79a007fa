"""The page, the table in the code and what a running agent tells are one list of metrics: name, type and labels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from agent.health import SELFTEST, Durations, Load, Part
from agent.model.errors import StoreError
from agent.runtime.desk import account_row, stats_row
from agent.status.exposition import histogram, lines, spelt
from agent.status.families import FAMILIES, Family
from agent.status.meters import Reading
from agent.status.metrics import Metrics
from tests.house import ROOT
from tests.unit.runtime.explaining import explained, running, settled
from tests.unit.status.test_metrics import ACCOUNT, STATS
from tests.unit.status.test_server import fetch

Row = tuple[str, tuple[str, ...]]
PAGE = (ROOT / "agent/status/README.md").read_text("utf-8")
ROW = re.compile(r"^\| (`(?:floorgate|process)_[^|]+) \| ([a-z]+) \| (?:`([a-z_ ]+)` )?\|", re.MULTILINE)
SITE = """\
gateway: {{id: 'gw-"1"'}}
devices:
  - name: boiler
    driver: sim
    interval: 50ms
    tags:
      - {{name: heat, wave: constant, low: 65.5, alarms: {{h: 60}}}}
      - {{name: odd, wave: constant, low: 9, limits: {{max: 1}}}}
  - {{name: gone, driver: modbus, endpoint: 'tcp://127.0.0.1:1', interval: 50ms, tags: [{{name: a, address: 0}}]}}
sinks:
  - {{name: out, type: file, path: {folder}/out.jsonl}}
  - {{name: away, type: mqtt, url: 'mqtt://127.0.0.1:1'}}
buffer: {{commit: 20ms, max_size: 64MB, reserve: 64MB}}
"""


def on_the_page() -> dict[str, Row]:
    return {
        name: (kind, tuple((labels or "").split()))
        for names, kind, labels in ROW.findall(PAGE)
        for name in re.findall(r"`(\w+)`", names)
    }


def families(text: str) -> Iterator[tuple[str, Metric]]:
    for family in text_string_to_metric_families(text):
        yield f"{family.name}_total" if family.type == "counter" else family.name, family


def labels_of(family: Metric) -> set[tuple[str, ...]]:
    return {tuple(label for label in sample.labels if label != "le") for sample in family.samples}


def test_the_page_and_the_table_are_the_same_list() -> None:
    ours = {name: family[:2] for name, family in FAMILIES.items()}
    assert {name: row for name, row in on_the_page().items() if not name.startswith("process_")} == ours


async def test_a_running_agent_tells_just_what_is_on_the_page(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    async with running(tmp_path, SITE.format(folder=tmp_path)) as ask:
        await explained(ask, "gone", "a", "line", "failed")
        await settled(lambda: out.exists() and out.stat().st_size)
        facts = json.loads((tmp_path / "data" / "agent.json").read_text("utf-8"))
        _, _, body = await fetch(facts, "/metrics")
    found, page = dict(families(body.decode())), on_the_page()
    assert {name: family.type for name, family in found.items()} == {name: kind for name, (kind, _) in page.items()}
    assert {name for name, family in found.items() if labels_of(family) - {page[name][1]}} == set()
    told = {(sample.name, *sample.labels.values()): sample.value for f in found.values() for sample in f.samples}
    assert told["floorgate_tags", "boiler", "good"] >= 2  # what its alarm has made, too
    assert told["floorgate_tags", "boiler", "bad_range"] == 1
    assert told["floorgate_tags", "gone", "bad_comm"] == 1
    assert told["floorgate_commit_duration_seconds_count",] >= 1
    assert told["floorgate_sink_sent_bytes_total", "out"] > 100
    assert (told["floorgate_ready",], told["floorgate_clock_plausible",]) == (0, 1)
    assert 'gateway="gw-\\"1\\""' in body.decode()


def test_every_metric_on_the_page_can_be_told_with_its_labels() -> None:
    device = Part("device", "press", breaker="open", probe_at=1e12, skew=1.5, refuses={"a": "no"})
    device.certified({"own": 2e9})
    sink, check = Part("sink", "a", sent=7, confirmed=1.0, commands={"done": 1}), Part(SELFTEST, "disk", "up")
    reading = Reading("gw", "e", [("press", "good", 3)], wal=4096, step=-2.5, logged={"warning": 1})
    rows, stats = [account_row(ACCOUNT)], stats_row(STATS, 5.0, 1024.0)
    metrics = Metrics([device, sink, check], rows, stats, [Load("l")], [("m", 1, 0)], reading)
    found = dict(families(metrics.text().decode()))
    assert {name: (family.type, *labels_of(family)) for name, family in found.items()} == on_the_page()


def test_a_failed_check_is_told_and_is_no_part() -> None:
    check = Part(SELFTEST, "disk")
    check.down(StoreError("too little is free"))
    text = Metrics([check]).text().decode()
    assert 'floorgate_selftest{check="disk"} 0' in text
    assert "floorgate_part_up{" not in text


def test_of_too_many_accounts_all_devices_of_a_sink_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.status.metrics.MOST_ACCOUNTS", 2)
    rows = [{**account_row(ACCOUNT), "device": f"d{n}", "balanced": n != 1} for n in range(3)]
    text = Metrics([], rows, stats_row(STATS)).text().decode()
    assert 'floorgate_samples_total{sink="a",device="",what="suppressed",reason="unchanged"} 6' in text
    assert 'floorgate_samples_total{sink="a",device="",what="read",reason=""} 30' in text
    assert 'floorgate_ledger_balanced{sink="a",device=""} 0' in text
    assert 'device="d' not in text


def test_labels_are_escaped_and_numbers_are_those_of_the_format() -> None:
    family = Family("gauge", ("a", "b"), "Help")
    odd = 'x"\\\n'
    (metric,) = text_string_to_metric_families("\n".join(lines("m", family, [((odd, "y"), 0.5)])) + "\n")
    assert (metric.samples[0].labels, metric.samples[0].value) == ({"a": odd, "b": "y"}, 0.5)
    assert [spelt(number) for number in (True, 7, 0.1, float("inf"), -float("inf"), float("nan"))] == [
        *("1", "7", "0.1", "+Inf", "-Inf", "NaN")
    ]


def test_a_histogram_counts_what_was_at_most_so_long() -> None:
    found = Durations()
    for seconds in (0.001, 0.002, 0.3, 99.0):
        found.add(seconds)
    text = "\n".join(histogram("h", Family("histogram", (), "Help"), found)) + "\n"
    (metric,) = text_string_to_metric_families(text)
    told = {sample.labels.get("le", sample.name): sample.value for sample in metric.samples}
    assert (told["0.001"], told["0.0025"], told["0.25"], told["0.5"], told["10.0"], told["+Inf"]) == (1, 2, 2, 3, 3, 4)
    assert (told["h_count"], told["h_sum"]) == (4, pytest.approx(99.303))
