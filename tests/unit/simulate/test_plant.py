"""The plant of a file, read by the driver that reads real ones."""

import asyncio
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient

from agent.config import configs_dir, load, load_map
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.quality import Quality
from agent.runtime.app import build_drivers
from agent.simulate.faults import parse_fault
from agent.simulate.modbus import readable
from agent.simulate.plant import Plant
from agent.simulate.script import parse_step
from drivers.api import Poller, Writer
from drivers.modbus.config import PORTS, Config
from drivers.modbus.likeness import features
from drivers.transport import parse_endpoint
from tests.unit.simulate.plants import bad, read_all, running

MAPS = [path.stem for path in sorted((configs_dir() / "devices").glob("*.yaml")) if load_map(path).tags]


def site(folder: Path, devices: str, more: str = "") -> Path:
    path = folder / "site.yaml"
    path.write_text(f"gateway: {{id: gw-1}}\ndevices:\n{devices}\n{more}", "utf-8")
    return path


def meter(name: str, endpoint: str, unit: int = 1, model: str = "eastron-sdm630") -> str:
    return f"  - {{name: {name}, driver: modbus, endpoint: '{endpoint}', unit: {unit}, map: {model}}}"


@pytest.mark.parametrize("tens", range(0, len(MAPS), 10))
async def test_every_map_is_read_as_the_plant_says(tmp_path: Path, tens: int) -> None:
    """Every tag of every Modbus map that we have is there and good."""
    kinds = {name: load_map(configs_dir() / f"devices/{name}.yaml").head.driver for name in MAPS[tens : tens + 10]}
    models = [name for name, driver in kinds.items() if driver == "modbus"]
    lines = "\n".join(meter(model, f"tcp://10.0.0.{n}", model=model) for n, model in enumerate(models, 1))
    async with running(site(tmp_path, lines)) as (plant, written):
        frames = await read_all(written, tmp_path / "data")
        assert bad(frames) == {}
        assert {frame.schema.device for frame in frames} == set(models)
        assert all(plant.devices[model].refused == 0 for model in models)


WIRES = """
  - {name: a, driver: modbus, endpoint: "rtu:///dev/ttyUSB0?baud=115200&parity=E", unit: 3, map: schneider-iem3000}
  - {name: b, driver: modbus, endpoint: "rtu:///dev/ttyUSB0?baud=115200&parity=E", unit: 4, map: chint-dtsu666}
  - {name: c, driver: modbus, endpoint: "udp://10.0.0.3", map: abb-b23}
  - {name: d, driver: modbus, endpoint: "listen://:8899?id=boiler-7", map: xy-md02}
  - {name: e, driver: modbus, endpoint: "ascii+tcp://10.0.0.1:502", unit: 9, map: xy-md02}
  - {name: f, driver: modbus, endpoint: "rtu+tcp://10.0.0.2:502", map: peacefair-pzem-004t}
  - {name: g, driver: modbus, endpoint: "tls://10.0.0.4", map: xy-md02}
  - {name: h, driver: modbus, endpoint: "ascii:///dev/ttyUSB1?baud=115200", map: xy-md02}
  - {name: i, driver: modbus, endpoint: "tls://10.0.0.5", map: xy-md02}
"""


async def test_every_kind_of_wire(tmp_path: Path) -> None:
    """Two devices share a pseudo-terminal, a modem dials in, TLS is trusted as its line says."""
    lines = "lines:\n  - {endpoint: 'tls://10.0.0.4:802', ca: /etc/ca.pem}\n"
    async with running(site(tmp_path, WIRES, lines)) as (_, written):
        places = {device.name: device.endpoint.partition(":")[0] for device in written.devices}
        schemes = ("rtu", "rtu", "udp", "listen", "ascii+tcp", "rtu+tcp", "tls", "ascii", "tcp")
        assert places == dict(zip("abcdefghi", schemes, strict=True))
        assert bad(await read_all(written, tmp_path / "data")) == {}


async def test_an_independent_client_reads_the_same(tmp_path: Path) -> None:
    """pymodbus' own client with its own conversions; and what is not in the map is refused."""
    async with running(site(tmp_path, meter("m", "tcp://10.0.0.1"))) as (plant, written):
        plant.devices["m"].fault = parse_fault("frozen", since=20.0)
        port = int(written.devices[0].endpoint.rpartition(":")[2])
        async with AsyncModbusTcpClient("127.0.0.1", port=port) as client:
            answer = await client.read_input_registers(0x48, count=2, device_id=1)
            kind = client.DATATYPE.FLOAT32
            energy = client.convert_from_registers(answer.registers, kind)
            assert energy == pytest.approx(plant.devices["m"].value("energy_import_total"), rel=1e-6)
            assert (await client.read_input_registers(0x5000, count=2, device_id=1)).exception_code == 2
            assert (await client.read_input_registers(0, count=100, device_id=1)).exception_code == 3
            assert (await client.read_holding_registers(0, count=2, device_id=1)).exception_code == 2
            assert (await client.read_input_registers(0, count=2, device_id=7)).exception_code == 11
            said = await client.read_device_information(device_id=1)
            assert said.information[0] == b"Floorgate"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("dead", Unreachable),
        ("silent", Unreachable),
        ("slow:600ms", Unreachable),
        ("garbage", Garbled),
        ("exception:4", Refused),
        ("flapping:1h", Unreachable),
        ("slow:10ms", None),
        ("well", None),
    ],
)
async def test_each_fault_is_seen_as_what_it_is(tmp_path: Path, fault: str, seen: type[DeviceError] | None) -> None:
    lines = "lines: [{endpoint: 'tcp://10.0.0.1', timeout: 200ms}]\n"
    async with running(site(tmp_path, meter("m", "tcp://10.0.0.1", model="xy-md02"), lines)) as (plant, written):
        plant.plan([parse_step(f"m {fault}", plant.devices, plant.clock())])
        await asyncio.sleep(0.3)  # a dead one's socket is closed within a beat
        if seen is None:
            assert bad(await read_all(written, tmp_path / "data")) == {}
            return
        with pytest.raises(seen):
            await read_all(written, tmp_path / "data")
        plant.plan([parse_step("m well", plant.devices, plant.clock())])
        await asyncio.sleep(0.3)
        assert bad(await read_all(written, tmp_path / "data")) == {}


async def test_one_of_two_on_a_wire_is_dead(tmp_path: Path) -> None:
    lines = meter("a", "tcp://10.0.0.1", 1, "xy-md02") + "\n" + meter("b", "tcp://10.0.0.1", 2, "xy-md02")
    wire = "lines: [{endpoint: 'tcp://10.0.0.1', timeout: 200ms}]\n"
    async with running(site(tmp_path, lines, wire)) as (plant, written):
        plant.plan([parse_step("b dead", plant.devices)])
        (first, second) = build_drivers(written, written.devices, tmp_path)
        assert isinstance(first, Poller) and isinstance(second, Poller)  # for the types
        await first.open()
        await second.open()
        assert set((await first.scan(first.schemas[0])).quality) == {Quality.GOOD}
        with pytest.raises(Unreachable):
            await second.scan(second.schemas[0])
        await first.close()
        await second.close()


def test_frozen_values_stand_and_a_jump_is_another_meter(tmp_path: Path) -> None:
    now = [100.0]
    from agent.config import load  # for this test only

    plant = Plant(load(site(tmp_path, meter("m", "tcp://10.0.0.1"))), 1, tmp_path, mono=lambda: now[0])
    device = plant.devices["m"]
    before = device.value("voltage_l1"), device.value("energy_import_total")
    plant.plan([parse_step("t=0s m frozen", plant.devices)])
    now[0] = 130.0
    assert (device.value("voltage_l1"), device.value("energy_import_total")) == before
    plant.plan([parse_step("m jump", plant.devices, plant.clock())])
    assert device.value("energy_import_total") == 0
    assert device.value("voltage_l1") > 1000
    plant.plan([parse_step("m=well", plant.devices)])
    assert device.value("voltage_l1") != before[0]


async def test_what_is_written_stays(tmp_path: Path) -> None:
    device = """
  - name: m
    driver: modbus
    endpoint: tcp://10.0.0.1
    tags:
      - {name: setpoint, address: 10, type: int16, scale: 0.1, unit: Cel, write: {min: 0, max: 90}}
      - {name: flag, address: 11, bit: 3, kind: state, write: {}}
      - {name: pump, register: coil, address: 4, kind: state, write: {}}
      - {name: ratio, address: 20, type: float32, order: CDAB, write: {}}
"""
    async with running(site(tmp_path, device)) as (_, written):
        (driver,) = build_drivers(written, written.devices, tmp_path)
        assert isinstance(driver, Writer)
        await driver.open()
        for tag, value in (("setpoint", 61.5), ("flag", True), ("pump", True), ("pump", False), ("ratio", 0.5)):
            assert await driver.write(tag, value) == value
        assert await driver.look("setpoint") == 61.5
        await driver.close()


async def test_a_scan_finds_the_map_of_a_simulated_meter(tmp_path: Path) -> None:
    """It reads over the holes of the map, which a device has unless it is strict."""
    said = "gateway: {id: gw}\ndevices: [{name: m, driver: modbus, endpoint: 'tcp://10.0.0.9', map: eastron-sdm630}]\n"
    path = tmp_path / "site.yaml"
    path.write_text(said)
    site = load(path, {})
    (config,) = site.devices
    assert isinstance(config, Config)
    endpoint = parse_endpoint(config.endpoint, PORTS)
    line = site.line(config.endpoint)
    ours = readable(config, line, endpoint)
    strict = readable(config.model_copy(update={"strict": True}), line, endpoint)
    assert len(ours) < len(strict)
    for feature in features(config):
        span = (feature.register, feature.address, feature.address + feature.count)
        assert any(each[0] == span[0] and each[1] <= span[1] and span[2] <= each[2] for each in ours), span
