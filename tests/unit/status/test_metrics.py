"""`/metrics` has the ledger, the store and the parts, in words that Prometheus understands."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent import __version__
from agent.health import Health, Load, Part
from agent.model.errors import AgentError, StoreError
from agent.runtime.desk import account_row, stats_row
from agent.status import server
from agent.status.gate import from_here
from agent.status.metrics import Metrics
from agent.status.pull import Pull
from agent.status.store import Pages
from buffer.ledger import Account
from buffer.stats import Stats
from tests.house import ROOT
from tests.unit.status.test_server import Clerk, fetch, serving

STATS = Stats(10, 5 << 20, 64 << 20, 36 << 20, 72 << 20, 1 << 40, 1_700_000_000_500_000_000, 77, {"a": 4}, {"a": 1})
ACCOUNT = Account("a", 'm"1', 10, 5, 1, {"unchanged": 2}, {"age": 1}, 1)
DEAD = Part("device", "gone", breaker="half_open")
LOAD = Load("tcp://u:secret@h:502", [Part("device", "fine", breaker="closed"), DEAD], 7_500_000_000, 3, overloaded=True)
Told = dict[tuple[str, ...], float]


def told(text: bytes) -> Told:
    """Value by name and the values of its labels, these by their names."""
    families = text_string_to_metric_families(text.decode())
    return {(s.name, *(s.labels[name] for name in sorted(s.labels))): s.value for f in families for s in f.samples}


def everything(*parts: Part) -> Told:
    return told(Metrics(parts, [account_row(ACCOUNT)], stats_row(STATS, 5.0, 1024.0), [LOAD]).text())


def test_the_ledger_is_told_by_sink_device_what_and_reason() -> None:
    found = everything()
    assert {key[1:]: value for key, value in found.items() if key[0] == "floorgate_samples_total"} == {
        ('m"1', "", "a", "read"): 10,
        ('m"1', "", "a", "made"): 0,
        ('m"1', "", "a", "delivered"): 5,
        ('m"1', "unchanged", "a", "suppressed"): 2,
        ('m"1', "age", "a", "dropped"): 1,
    }
    assert found["floorgate_buffered_samples", 'm"1', "a"] == 1
    assert found["floorgate_set_aside_samples", 'm"1', "a"] == 1
    assert found["floorgate_ledger_balanced", 'm"1', "a"] == 1


def test_the_store_is_told_with_what_each_sink_is_owed() -> None:
    found = everything()
    assert found["floorgate_store_bytes",] == 5 << 20
    assert found["floorgate_store_limit_bytes",] == 64 << 20
    assert found["floorgate_disk_free_bytes",] == 1 << 40
    assert found["floorgate_store_hours_left",] == pytest.approx(10.2)
    assert found["floorgate_oldest_timestamp_seconds",] == 1_700_000_000.5
    assert (found["floorgate_owed_frames", "a"], found["floorgate_set_aside_frames", "a"]) == (4, 1)
    assert found["floorgate_store_up",] == 1
    (info,) = [key for key in found if key[0] == "floorgate_info"]
    assert __version__ in info


def test_the_parts_are_told_without_their_passwords() -> None:
    part = Part("line", "opc.tcp://user:secret@10.0.0.1:4840/x", scans=7, late=2)
    part.down(AgentError("gone"))
    found = everything(part, Part("sink", "a", "up"))
    name = "opc.tcp://10.0.0.1:4840/x"
    assert found["floorgate_part_up", "line", name] == 0
    assert found["floorgate_part_up", "sink", "a"] == 1
    assert found["floorgate_part_state", "line", name, "down"] == 1
    assert found["floorgate_part_scans_total", "line", name] == 7
    assert found["floorgate_part_failures_total", "line", name] == 1
    assert not [key for key in found if "secret" in str(key)]


def test_the_commands_of_a_sink_are_told_by_what_became_of_them() -> None:
    found = everything(Part("commands", "platform", "up", commands={"done": 3, "forbidden": 1000}), Part("sink", "a"))
    assert found["floorgate_commands_total", "done", "platform"] == 3
    assert found["floorgate_commands_total", "forbidden", "platform"] == 1000
    assert not [key for key in found if key[0] == "floorgate_commands_total" and "a" in key]


def test_a_line_tells_how_busy_it_is_and_how_many_of_its_devices_are_dead() -> None:
    found = everything()
    assert found["floorgate_line_busy_seconds_total", "tcp://h:502"] == 7.5
    assert found["floorgate_line_busy_ratio", "tcp://h:502"] == 0
    assert found["floorgate_line_late_total", "tcp://h:502"] == 3
    assert found["floorgate_line_overloaded", "tcp://h:502"] == 1
    assert found["floorgate_line_dead_devices", "tcp://h:502"] == 1


def test_a_device_s_clock_and_what_it_refuses_are_told() -> None:
    found = everything(Part("device", "press", skew=-1.5, refuses={"a": "no", "b": "no"}), Part("device", "fine"))
    assert found["floorgate_device_clock_skew_seconds", "press"] == -1.5
    assert found["floorgate_device_refused_tags", "press"] == 2
    assert not any(labels[1:] == ("fine",) for labels in found if labels[0].startswith("floorgate_device_"))


def test_until_when_certificates_are_good_is_told() -> None:
    found = everything(Part("device", "press", expiries={"own": 2e9, "server": 1.8e9}), Part("device", "fine"))
    ends = {
        key[1:]: value for key, value in found.items() if key[0] == "floorgate_certificate_expiry_timestamp_seconds"
    }
    assert ends == {("device", "press", "own"): 2e9, ("device", "press", "server"): 1.8e9}


def test_a_device_s_breaker_is_told_with_the_time_of_the_next_probe() -> None:
    waiting = Part("device", "gone", breaker="open", probe_at=time.monotonic() + 100)
    found = everything(waiting, Part("device", "fine", breaker="closed"), Part("device", "subscribed"))
    assert found["floorgate_device_breaker", "gone", "open"] == 1
    assert found["floorgate_device_breaker", "fine", "closed"] == 1
    assert 99 < found["floorgate_device_probe_seconds", "gone"] <= 100
    assert not [key for key in found if key[0].startswith("floorgate_device") and "subscribed" in key]
    assert ("floorgate_device_probe_seconds", "fine") not in found


def test_what_nobody_knows_is_not_told() -> None:
    found = told(Metrics([], [], stats_row(Stats(0, 0, 0, 0, 0, 0, 0, 0, {}, {}))).text())
    assert ("floorgate_store_frames",) in found
    assert ("floorgate_store_hours_left",) not in found
    assert ("floorgate_oldest_timestamp_seconds",) not in found


class Asked(Clerk):
    """Answers as the agent would, unless it cannot."""

    counts = hangs = 0.0  # seconds

    async def ledger(self) -> list[dict[str, Any]]:
        await asyncio.sleep(self.counts)
        return [account_row(ACCOUNT)]

    async def stats(self) -> dict[str, Any]:
        await asyncio.sleep(self.hangs)
        await super().stats()
        return stats_row(STATS)


async def scraped(folder: Path, clerk: Asked) -> Told:
    """What a collector without a token sees."""
    health = Health()
    health.part("sink", "platform").up()
    async with serving(folder, health, clerk) as facts:
        status, kind, found = await fetch(facts, "/metrics")
    assert (status, kind) == (200, "text/plain")
    return told(found)


async def test_a_collector_on_this_machine_needs_no_token(tmp_path: Path) -> None:
    found = await scraped(tmp_path, Asked())
    assert found["floorgate_samples_total", 'm"1', "", "a", "read"] == 10
    assert found["floorgate_part_up", "sink", "platform"] == 1
    assert found["process_resident_memory_bytes",] > 1 << 20


@pytest.mark.parametrize("hangs", [60.0, 0.0])
async def test_a_store_that_does_not_answer_does_not_hide_the_parts(
    tmp_path: Path, hangs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    clerk = Asked()
    clerk.hangs, clerk.error = hangs, StoreError("the disk is full")
    found = await scraped(tmp_path, clerk)
    assert found["floorgate_store_up",] == 0
    assert found["floorgate_part_up", "sink", "platform"] == 1
    assert ("floorgate_store_bytes",) not in found


async def test_a_ledger_that_takes_long_does_not_hide_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PATIENCE", 0.05)
    clerk = Asked()
    clerk.counts = 60.0
    found = await scraped(tmp_path, clerk)
    assert (found["floorgate_store_up",], found["floorgate_store_frames",]) == (1, 10)
    assert not [key for key in found if key[0] == "floorgate_samples_total"]


@pytest.mark.parametrize(
    ("remote", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("192.168.1.7", False), ("", False), ("gate", False)],
)
def test_only_this_machine_is_this_machine(remote: str, local: bool) -> None:
    assert from_here(remote) == local


def test_the_page_has_every_path() -> None:
    page = (ROOT / "agent/status/README.md").read_text("utf-8")
    paths = {route.path for route in [*Pages(Asked()).routes(), *Pull().routes()]} | {
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/health",
    }
    assert {path for path in paths if f"{path}`" not in page} == set()
