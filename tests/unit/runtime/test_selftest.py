"""The self-test at the start: each thing that is broken is a failure by its name."""

import asyncio
import logging
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import Site, load
from agent.health import SELFTEST, Health
from agent.model.clock import Clock
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime import selftest as trying
from agent.runtime.selftest import Fault, Means, checks, judge, run, store, two_may_damage
from buffer.probe import Probe, try_out
from buffer.store import Store
from tests.sim.opcua_certificates import made
from tests.unit.runtime.explaining import running

NOW = 1_700_000_000 * 10**9
METER = Schema("meter", "1s", (Tag("a"),))
SETTINGS = {"journal_mode": "wal", "synchronous": "2", "locking_mode": "exclusive"}
FINE = Probe("", NOW - 10**9, SETTINGS)


def clock(wall: int = NOW) -> Clock:
    return Clock(wall=lambda: wall, mono=lambda: 1, synced=lambda: True)


def site(folder: Path, **more: Any) -> Site:
    said = {
        "gateway": {"id": "gw"},
        "devices": [{"name": "d", "driver": "sim", "tags": [{"name": "a"}]}],
        "buffer": {"reserve": "1MB", "max_size": "64MB"},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(said | more), "utf-8")
    return load(folder / "site.yaml", {})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory as the agent makes it, on a machine that is fine."""
    monkeypatch.setattr(trying, "built", lambda: NOW / 1e9 - 100)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def failed(data: Path, found: Probe | None = FINE, wall: int = NOW, **more: Any) -> dict[str, Fault]:
    """What the checks of a site find; `store` aside."""
    told = run(checks(site(data.parent, **more), data, 1, clock(wall), found).items())
    return {name: fault for name, fault in told.items() if fault is not None}


def test_a_machine_that_is_fine_passes(data: Path) -> None:
    assert failed(data) == {}


def test_a_disk_with_less_than_the_reserve_fails(data: Path) -> None:
    found = failed(data, buffer={"reserve": "900000GB", "max_size": "64MB"})
    assert set(found) == {"disk"} and "less than `buffer: reserve`" in found["disk"].what


@pytest.mark.parametrize(
    ("wall", "newest", "said"),
    [
        (0, 0, "1970-01-01 00:00 UTC, which cannot be"),
        (NOW - 3 * 86_400 * 10**9, 0, "this program is of 2023-11-14"),
        (NOW, NOW + 3600 * 10**9, "the newest frame is of 2023-11-14 23:13"),
    ],
)
def test_a_clock_that_shows_what_cannot_be_fails(data: Path, wall: int, newest: int, said: str) -> None:
    found = failed(data, Probe("", newest, SETTINGS), wall)
    assert set(found) == {"clock"} and said in found["clock"].what


@pytest.mark.parametrize("name", ["", "store.db", "pki/own/key.pem"])
def test_what_others_may_read_fails(data: Path, name: str) -> None:
    path = data / name
    if name:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path.chmod(0o755)
    found = failed(data)
    assert set(found) == {"permissions"}
    assert str(path) in found["permissions"].what and "chmod" in found["permissions"].hint


@pytest.mark.parametrize(("days", "said"), [(-1, "expired at"), (9, "expires at"), (99, "")])
def test_a_certificate_that_ends_soon_fails(data: Path, days: int, said: str) -> None:
    now = datetime.fromtimestamp(NOW / 1e9, UTC)
    own = data / "pki" / "own"
    own.mkdir(parents=True)
    found = made(begins=now - timedelta(days=300), ends=now + timedelta(days=days))
    (own / "cert.der").write_bytes(found.der)
    faults = failed(data)
    assert [said in fault.what for fault in faults.values()] == ([True] if said else [])


def test_a_certificate_that_is_none_fails(data: Path) -> None:
    (data / "pki" / "own").mkdir(parents=True)
    (data / "pki" / "own" / "cert.der").write_bytes(b"no certificate")
    found = failed(data)
    assert set(found) == {"certificates"} and "cannot be looked at" in found["certificates"].what


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 3)])
def test_a_store_that_others_may_open_fails_and_an_old_sqlite_makes_it_worse(
    data: Path, version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert failed(data) == {}
    found = failed(data, Probe("", 0, {**SETTINGS, "locking_mode": "normal"}))
    assert set(found) == {"sqlite"} and "locking_mode is normal" in found["sqlite"].what
    assert ("two connections may damage the file" in found["sqlite"].what) == (version < (3, 51))


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        *(((3, 44, 5), True), ((3, 44, 6), False), ((3, 45, 3), True), ((3, 50, 6), True), ((3, 50, 7), False)),
        *(((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False), ((4, 0, 0), False)),
    ],
)
def test_versions_of_sqlite_that_are_safe_with_one_connection_only(version: tuple[int, ...], bad: bool) -> None:
    assert two_may_damage(version) == bad


def test_a_machine_without_time_zones_fails() -> None:
    fault = trying.timezone("Asia/Nowhere")
    assert fault is not None and "tzdata" in fault.hint


def test_a_program_without_its_files_fails(tmp_path: Path) -> None:
    fault = trying.files(tmp_path)
    assert fault is not None and "install floorgate again" in fault.hint


@pytest.mark.parametrize(("have", "said"), [(Means(99, 1e12), "open 99 files"), (Means(1e4, 1e6), "use 977KB")])
def test_limits_that_are_too_narrow_fail(have: Means, said: str) -> None:
    fault = trying.limits(Means(200, 1e8), have)
    assert fault is not None and said in fault.what


def test_an_address_of_another_machine_fails() -> None:
    assert trying.listen("127.0.0.1:0") is None
    fault = trying.listen("192.0.2.7:9100")
    assert fault is not None and "192.0.2.7 is no address of this machine" in fault.what


def test_a_store_is_written_and_read_and_its_newest_frame_is_known(tmp_path: Path) -> None:
    store_ = Store.open(tmp_path / "store.db", clock=clock(), boot="b", keep=1e6, max_size=32 << 20, reserve=0)
    store_.attach(["a"])
    assert try_out(store_) == Probe("", 0, SETTINGS)
    store_.append([Frame(METER, NOW, (1.0,), bytes(1))])
    assert try_out(store_) == Probe("", NOW, SETTINGS)
    store_.close()


def test_a_newest_frame_that_is_damaged_fails(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    opened = Store.open(path, clock=clock(), boot="b", keep=1e6, max_size=32 << 20, reserve=0)
    opened.attach(["a"])
    opened.append([Frame(METER, NOW, (1.0,), bytes(1))])
    opened.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE frame SET crc = crc + 1")
    opened = Store.open(path, clock=clock(), boot="b", keep=1e6, max_size=32 << 20, reserve=0)
    fault = store(try_out(opened), None)
    opened.close()
    assert fault is not None and "newest frame, 1, does not hold" in fault.what


def test_a_store_that_cannot_be_written_fails(data: Path) -> None:
    fault = store(None, StoreError("the disk is full", hint="free some space"))
    assert fault == Fault("the store cannot be written: the disk is full", "free some space")
    assert failed(data, None) == {}


def test_faults_are_parts_of_health_and_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "floorgate")
    health = Health()
    judge(health, {"disk": None, "clock": None}, 0.01)
    assert [record.message for record in caplog.records] == ["self-test: all is well"]
    judge(health, {"disk": Fault("full", "free some space"), "clock": None}, 0.01)
    assert caplog.records[1].message == "selftest disk: full (free some space)"
    assert {name: part.state for (kind, name), part in health.parts.items() if kind == SELFTEST} == {
        "disk": "down",
        "clock": "up",
    }


def test_a_check_that_cannot_be_made_has_failed(tmp_path: Path) -> None:
    def broken() -> Fault | None:
        shutil.disk_usage(tmp_path / "gone")
        return None

    fault = run([("disk", broken)])["disk"]
    assert fault is not None and "No such file" in fault.what


async def test_an_agent_runs_whatever_the_self_test_finds_and_tells_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Less is free than is to be left to others, and a key lies open."""
    (tmp_path / "hook.key").write_text("no key", "utf-8")
    (tmp_path / "hook.key").chmod(0o644)
    said = """\
gateway: {id: gw}
devices: [{name: d, driver: sim, interval: 50ms, tags: [{name: a}]}]
sinks:
  - {name: hook, type: http, url: 'https://127.0.0.1:1', cert: FOLDER/hook.pem, key: FOLDER/hook.key}
buffer: {commit: 20ms, max_size: 64MB, reserve: 900000GB}
"""
    async with running(tmp_path, said.replace("FOLDER", str(tmp_path))) as ask:
        for _ in range(200):
            parts = {part["name"]: part for part in await ask("/api/v1/health") if part["kind"] == SELFTEST}
            if len(parts) == 10:
                break
            await asyncio.sleep(0.02)
        (line,) = [part for part in await ask("/api/v1/health") if part["kind"] == "line"]
    bad = {name for name, part in parts.items() if part["state"] != "up"}
    assert bad == {"disk", "permissions", "certificates"}
    assert line["state"] == "up"
    assert {record.message.partition(":")[0] for record in caplog.records} >= {f"selftest {name}" for name in bad}
