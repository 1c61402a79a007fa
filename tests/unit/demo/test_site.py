"""The plant on paper: the generated configuration, the registers and the order of events agree."""

import struct
from pathlib import Path

import pytest

from agent.config import load
from agent.demo import meters, press
from agent.demo.site import COMPRESSOR, DEVICES, METER, PRESS, TAGS, Ports, config_text
from agent.demo.story import ACTS


def test_the_configuration_is_one_that_floorgate_accepts(tmp_path: Path) -> None:
    path = tmp_path / "floorgate.yaml"
    path.write_text(config_text(Ports(20001, 20002, 20003, 20004, 20005)))
    site = load(path)
    assert tuple(device.name for device in site.devices) == DEVICES
    assert [device.endpoint for device in site.devices] == [
        "tcp://127.0.0.1:20001",
        "tcp://127.0.0.1:20002",
        "opc.tcp://127.0.0.1:20003",
    ]
    assert [sink.name for sink in site.sinks] == ["platform"]


@pytest.mark.parametrize("device", [METER, COMPRESSOR])
def test_every_tag_lies_within_the_registers_of_its_device(device: str) -> None:
    first, registers = meters.MODELS[device]
    size = len(registers(0.0))
    words = {"float32": 2, "int32": 2, "uint16": 1}
    for tag in TAGS[device]:
        assert isinstance(tag.place, int)
        assert first <= tag.place <= first + size - words[tag.type]


@pytest.mark.parametrize("age", [0.0, 0.5, 7.0, 3600.0])
def test_the_simulated_numbers_are_plausible(age: float) -> None:
    values = struct.unpack(">9f", struct.pack(">18H", *meters.meter(age)))
    assert all(220 < volts < 240 for volts in values[:3])
    pressure, warmth, speed, spare, high, low = meters.compressor(age)
    assert 600 < pressure < 800
    assert 600 < warmth < 830
    assert 0 <= speed < 3100
    assert spare == 0
    assert high * 65536 + low >= 734512
    strokes, _, oil = press.values(age)
    assert strokes == 9000 + int(age / 2)
    assert 50 <= oil <= 60
    assert len(press.values(age)) == len(TAGS[PRESS])


def test_what_breaks_is_mended_before_the_end() -> None:
    assert [act.key for act in ACTS] == ["kill", "revive", "cut", "restore", "end"]
    assert [act.at for act in ACTS] == sorted(act.at for act in ACTS)
    assert ACTS[-1].at == 1.0
