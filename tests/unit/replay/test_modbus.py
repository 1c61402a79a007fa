"""A recording of Modbus devices, played: the same configuration says the same, a corrected one what is right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.config import Site, load
from agent.model.errors import DeviceError
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.record.format import Header, Recording, read_recording
from agent.record.recorder import Recorder
from agent.replay.play import Play
from agent.runtime.app import build_drivers
from agent.simulate.plant import Plant
from agent.simulate.script import parse_step
from drivers.api import Poller
from drivers.tapping import Tapped
from tests.unit.simulate.plants import running

Row = tuple[str, str, tuple[Value, ...], bytes]
HEAD = "gateway: {id: gw-1}\n"


def rows(frames: Sequence[Frame]) -> list[Row]:
    return [(frame.schema.device, frame.schema.group, tuple(frame.values), frame.quality) for frame in frames]


async def record(
    path: Path, plant: Plant, site: Site, scans: int = 3, faults: dict[int, str] | None = None
) -> tuple[list[Row], Recording]:
    """Scan all groups so many times with these faults before a round; the frames as they were, and the recording."""
    drivers = build_drivers(site, site.devices, path.parent)
    recorder = Recorder(path.parent / "r.fgr", Header(), 1 << 20)
    live: list[Frame] = []
    for driver in drivers:
        assert isinstance(driver, Tapped)
        driver.tap(recorder)
    for number in range(scans):
        if faults and number in faults:
            plant.plan([parse_step(faults[number], plant.devices, plant.clock())])
            await asyncio.sleep(0.3)
        for driver in drivers:
            assert isinstance(driver, Poller)
            for schema in driver.schemas:
                try:
                    await driver.open()
                    live.append(await driver.scan(schema))
                except DeviceError:
                    continue
        await asyncio.sleep(0.05)
    for driver in drivers:
        await driver.close()
    recorder.stop()
    return rows(live), read_recording(recorder.path)


async def played(site: Site, recording: Recording) -> tuple[list[Row], Play]:
    play = Play(site, recording)
    return rows([frame async for frames in play.frames() for frame in frames]), play


def good(found: list[Row]) -> list[Row]:
    return [row for row in found if set(row[3]) != {Quality.BAD_COMM}]


METERS = """devices:
  - {name: a, driver: modbus, endpoint: "%s", unit: 1, map: eastron-sdm630}
  - {name: b, driver: modbus, endpoint: "%s", unit: 2, map: schneider-iem3000, groups: {slow: {interval: 5s}},
     tags: [{name: energy_import_total, group: slow}]}
"""


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://10.0.0.1",
        "udp://10.0.0.1",
        "rtu:///dev/ttyUSB9?baud=115200",
        "ascii+tcp://10.0.0.1:502",
        "rtu+tcp://10.0.0.1:502",
        "listen://:8899?id=dtu-1",
    ],
)
async def test_the_same_configuration_says_the_same(tmp_path: Path, endpoint: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + METERS % (endpoint, endpoint), "utf-8")
    async with running(path) as (plant, site):
        live, recording = await record(path, plant, site)
    first, play = await played(site, recording)
    again, _ = await played(site, recording)
    assert sorted(good(first), key=repr) == sorted(live, key=repr)  # a modem may not have dialled in at first
    assert len(live) >= 6
    assert first == again
    assert play.account.missing == play.account.omitted == []


@pytest.mark.parametrize(
    ("fault", "quality"),
    [("a silent", Quality.BAD_COMM), ("a exception:4", Quality.BAD_DEVICE), ("all dead", Quality.BAD_COMM)],
)
async def test_an_outage_is_played_too(tmp_path: Path, fault: str, quality: Quality) -> None:
    path = tmp_path / "site.yaml"
    lines = "lines: [{endpoint: 'tcp://10.0.0.1', timeout: 200ms}]\n"
    path.write_text(HEAD + lines + METERS % (("tcp://10.0.0.1",) * 2), "utf-8")
    async with running(path) as (plant, site):
        live, recording = await record(path, plant, site, 4, {1: fault, 3: "all well"})
    found, play = await played(site, recording)
    assert sorted(good([row for row in found if set(row[3]) == {0}]), key=repr) == sorted(live, key=repr)
    assert any(row[0] == "a" and set(row[3]) == {quality} for row in found)
    assert "a" in play.account.errors


async def test_a_map_that_was_wrong_is_corrected_at_the_desk(tmp_path: Path) -> None:
    """The byte order was wrong, a tag was missing, another one nobody had read, and requests are cut otherwise."""
    path = tmp_path / "site.yaml"
    tags = """devices:
  - name: m
    driver: modbus
    endpoint: tcp://10.0.0.1
    tags:
      - {name: power, address: 10, type: float32, order: %s, unit: kW}
      - {name: energy_import_total, address: 20, type: uint32, unit: kWh, kind: counter}
"""
    path.write_text(HEAD + tags % "CDAB", "utf-8")
    async with running(path) as (plant, right):
        plant.plan([parse_step("t=0s m frozen", plant.devices)])
        endpoint = right.devices[0].endpoint
        desk = tmp_path / "desk.yaml"
        desk.write_text(HEAD + tags.replace("tcp://10.0.0.1", endpoint) % "ABCD", "utf-8")
        _, recording = await record(path, plant, load(desk))
        power = plant.devices["m"].value("power")
    assert isinstance(power, float)
    (wrong, *_), _ = await played(load(desk), recording)
    assert wrong[2][0] != pytest.approx(power, rel=1e-6)
    more = (tags % "CDAB").replace("tcp://10.0.0.1", endpoint) + (
        "      - {name: low, address: 21, unit: '1', enum: {}}\n"
        "      - {name: never, address: 900, unit: '1', group: far}\n"
        "    groups: {far: {interval: 1s}}\n    max_gap: 0\n"
    )
    desk.write_text(HEAD + more.replace(", enum: {}", ", bit: 0"), "utf-8")
    found, play = await played(load(desk), recording)
    by_group = {row[1]: row for row in found}
    assert by_group["1s"][2][0] == pytest.approx(power, rel=1e-6)
    assert set(by_group["1s"][3]) == {Quality.GOOD}
    assert "far" not in by_group or set(by_group["far"][3]) == {Quality.BAD_DEVICE}
    assert any("900" in each for each in play.account.missing)


async def test_the_clock_is_the_recorded_one_with_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + METERS % (("tcp://10.0.0.1",) * 2), "utf-8")
    async with running(path) as (plant, site):
        _, recording = await record(path, plant, site, 2)
    hour, half = 3600 * 10**9, len(recording.notes) // 2
    for at in range(half, len(recording.notes)):
        note = recording.notes[at]
        recording.notes[at] = type(note)(note.wire, note.what, note.wall - hour, note.mono, note.data)
    play = Play(site, recording)
    stamps = [frame.ts for frames in [each async for each in play.frames()] for frame in frames]
    assert min(stamps) < max(stamps) - hour + 10**9
    assert stamps != sorted(stamps)


async def test_nothing_of_a_device_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + METERS % (("tcp://10.0.0.1",) * 2), "utf-8")
    async with running(path) as (plant, site):
        _, recording = await record(path, plant, site, 1)
    other = tmp_path / "other.yaml"
    other.write_text(
        HEAD + METERS % (("tcp://10.9.9.9",) * 2) + "  - {name: s, driver: sim, tags: [{name: x}]}\n", "utf-8"
    )
    found, play = await played(load(other), recording)
    assert found == []
    assert [each.partition(":")[0] for each in play.account.omitted] == ["a", "b", "s"]
