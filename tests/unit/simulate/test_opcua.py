"""A simulated OPC UA server: read by our driver and by another client, secured, ill, recorded and played."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from asyncua import Client, ua

from agent.config import Site, load
from agent.model.errors import DeviceError, Refused
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.record.format import Header, Recording, read_recording
from agent.record.recorder import Recorder
from agent.replay.play import Play
from agent.runtime.app import build_drivers
from agent.simulate.script import parse_step
from drivers.api import Poller, Subscriber, Writer
from drivers.tapping import Tapped
from tests.unit.simulate.plants import bad, read_all, running

SITE = """\
gateway: {id: gw-1}
devices:
  - name: press
    driver: opcua
    endpoint: opc.tcp://192.168.1.31:4840/UA/Server
    %s
    interval: 250ms
    tags:
      - {name: temperature, node: "nsu=urn:press;s=Temp", unit: Cel, limits: {min: 30, max: 60}}
      - {name: cycle_count, node: "nsu=urn:press;s=Counter", type: int64, kind: counter}
      - {name: recipe, node: "ns=3;s=Recipe", type: string}
      - {name: zone2, node: "ns=3;i=7001[2]", type: float32, unit: Cel}
      - {name: mode, node: "ns=3;s=Mode", type: enum, kind: state}
      - {name: row2, node: 'ns=3;s="DB"."zones"[2]', type: uint16}
      - {name: deep, node: "/Objects/2:Press/nsu=urn:press;Oil/nsu=urn:press;Temp", unit: Cel}
      - {name: setpoint, node: "nsu=urn:press;s=Set", type: float32, write: {min: 0, max: 100}}
      - {name: now, node: "i=2258", type: str}
      - {match: "Press*/**/Speed?", unit: r/min}
"""


def site(folder: Path, *lines: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE % "\n    ".join(lines or ("security: none", "mode: poll")), "utf-8")
    return path


async def whole(site: Site, data: Path) -> Frame:
    """The frame of a scan once the pattern has found its nodes: a search takes a quarter of the time at most."""
    (driver,) = build_drivers(site, site.devices, data)
    assert isinstance(driver, Poller)
    await driver.open()
    try:
        for _ in range(100):
            frame = await driver.scan(driver.schemas[0])
            if len(frame.values) == 11:
                return frame
            await asyncio.sleep(0.1)
    finally:
        await driver.close()
    raise AssertionError("the pattern has found nothing")


async def test_every_kind_of_tag_is_read_by_two_clients(tmp_path: Path) -> None:
    """And what is written stays, and each fault is seen."""
    path = site(tmp_path)
    path.write_text(path.read_text() + "lines: [{endpoint: 'opc.tcp://192.168.1.31:4840/UA/Server', timeout: 800ms}]\n")
    async with running(path) as (plant, written):
        frame = await whole(written, tmp_path / "data")
        assert bad([frame]) == {}
        found = {tag.name: value for tag, value, _ in frame.rows()}
        assert found.keys() > {"temperature", "zone2", "row2", "deep", "Speed1", "Speed2"}
        assert found["mode"] in ("off", "running", "waiting", "fault")
        assert plant.omitted == {}
        endpoint = written.devices[0].endpoint
        assert endpoint.endswith("/UA/Server")
        async with Client(endpoint) as client:
            space = await client.get_namespace_index("urn:press")
            node = client.get_node(ua.NodeId("Temp", space))  # type: ignore[arg-type]  # asyncua takes them
            assert 30 <= await node.read_value() <= 60
            assert await client.nodes.objects.get_child(["2:Press", f"{space}:Oil", f"{space}:Temp"])
        (driver,) = build_drivers(written, written.devices, tmp_path)
        assert isinstance(driver, Writer)
        await driver.open()
        assert await driver.write("setpoint", 12.5) == 12.5
        await asyncio.sleep(0.6)
        assert await driver.look("setpoint") == 12.5
        await driver.close()
        for fault in ("dead", "silent", "garbage", "slow:1500ms"):
            plant.plan([parse_step(f"press {fault}", plant.devices, plant.clock())])
            await asyncio.sleep(0.5)
            with pytest.raises(DeviceError):
                await read_all(written, tmp_path / "data")
        plant.plan([parse_step("press exception:2", plant.devices, plant.clock())])
        await asyncio.sleep(0.7)
        (frame,) = await read_all(written, tmp_path / "data")
        assert Quality.BAD_DEVICE in frame.quality


async def test_it_is_secured_as_the_file_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESS", "geheim")
    path = site(
        tmp_path,
        "mode: poll",
        "security: Aes256Sha256RsaPss",
        "certificate_host: press-3",
        "user: gw",
        "password: ${PRESS}",
    )
    data = tmp_path / "data"
    async with running(path) as (plant, written):
        with pytest.raises(Refused, match="not accepted"):
            await read_all(written, data)
        (data / "pki" / "trusted").mkdir(parents=True, exist_ok=True)
        shutil.copy(plant.secured[0], data / "pki" / "trusted" / "plant.der")
        assert bad([await whole(written, data)]) == {}
        monkeypatch.setenv("PRESS", "wrong")
        with pytest.raises(DeviceError):
            await read_all(load(tmp_path / "site.simulated.yaml"), data)


def told(frames: list[Frame]) -> list[dict[str, tuple[object, int]]]:
    return [{tag.name: (value, code) for tag, value, code in frame.rows()} for frame in frames]


async def test_a_recording_says_what_the_session_gave(tmp_path: Path) -> None:
    """Polled and subscribed, from one server."""
    path = site(tmp_path, "security: none", "mode: poll")
    async with running(path) as (_, written):
        kept = {"poll": await recorded(written, tmp_path / "poll.fgr")}
        simulated = tmp_path / "site.simulated.yaml"
        simulated.write_text(simulated.read_text("utf-8").replace("mode: poll", "mode: subscribe"), "utf-8")
        kept["subscribe"] = await recorded(load(simulated), tmp_path / "subscribe.fgr")
    for mode, (asked, live, file) in kept.items():
        assert asked.devices[0].mode == mode  # type: ignore[attr-defined]  # it is one of OPC UA
        recording = read_recording(file)
        found, play = await played(asked, recording)
        assert len(found) >= len(live)
        assert all(before.items() <= after.items() for before, after in zip(told(live), told(found), strict=False))
        assert not [each for each in play.account.missing if "temperature" in each]
        stamps = [frame.stamps[0] for frame in live if frame.stamps]
        assert stamps == [frame.stamps[0] for frame in found[: len(live)] if frame.stamps]
        for spoil in (b"\xc1", b"\x91" * 9000, b"", b"\x93\xa21s\xc3\x91\x00"):
            notes = [type(note)(note.wire, note.what, note.wall, note.mono, spoil) for note in recording.notes]
            found, play = await played(asked, replace(recording, notes=notes))
            assert found == []
            assert any("makes no sense" in each for each in play.account.missing)


async def recorded(asked: Site, file: Path) -> tuple[Site, list[Frame], Path]:
    """Some frames of its device, and the recording of them."""
    (driver,) = build_drivers(asked, asked.devices, file.parent)
    assert isinstance(driver, Tapped)
    recorder = Recorder(file, Header(), 1 << 20)
    driver.tap(recorder)
    live: list[Frame] = []
    await driver.open()
    async with asyncio.timeout(60):
        if isinstance(driver, Subscriber):
            async for frame in driver.frames():
                live.append(frame)
                if len(live) == 5:
                    break
        else:
            assert isinstance(driver, Poller)
            for _ in range(3):
                live.append(await driver.scan(driver.schemas[0]))
                await asyncio.sleep(0.3)
    driver.tap(None)
    await driver.close()
    recorder.stop()
    return asked, live, recorder.path


async def played(site: Site, recording: Recording) -> tuple[list[Frame], Play]:
    play = Play(site, recording)
    return [frame for frames in [each async for each in play.frames()] for frame in frames], play
