"""Each folder beside this file is a symptom seen in the field: a map, the bytes on the wire, and the values they mean.

`map.yaml` has the device's keys and tags, `exchange.hex` requests (`>`) and answers (`<`) from the function code on,
`expected.yaml` the values by tag, and under `quality` the ones that are not good.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.model.quality import quality_name
from drivers.modbus.config import Config
from drivers.modbus.driver import Device
from drivers.modbus.plan import Block, plan
from drivers.modbus.wires import lone_wire

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/map.yaml"))
ENDPOINT = "tcp://127.0.0.1:502"


def exchange(case: Path) -> list[tuple[bytes, bytes]]:
    """(request, answer) in the order of the file."""
    lines = (case / "exchange.hex").read_text("utf-8").splitlines()
    said = [(line[0], bytes.fromhex(line[1:])) for line in lines if line[:1] in "<>" and line]
    assert [who for who, _ in said] == [">", "<"] * (len(said) // 2)
    return [(said[at][1], said[at + 1][1]) for at in range(0, len(said), 2)]


def request(block: Block) -> bytes:
    return bytes((block.table.function,)) + block.address.to_bytes(2, "big") + block.count.to_bytes(2, "big")


def config(case: Path) -> Config:
    keys = yaml.safe_load((case / "map.yaml").read_text("utf-8"))
    return Config.model_validate({"name": case.name, "driver": "modbus", "endpoint": ENDPOINT, **keys})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_bytes_mean_what_they_should(case: Path) -> None:
    device = config(case)
    blocks = plan(device.tags, order=device.order, max_registers=device.max_registers, max_gap=device.max_gap)
    said = exchange(case)
    assert [request(block).hex(" ") for block in blocks] == [asked.hex(" ") for asked, _ in said]
    values: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for block, (_, answer) in zip(blocks, said, strict=True):
        columns = block.decode(answer)
        for tag, value, quality in zip(block.tags, columns, block.quality(columns), strict=True):
            values[tag.name] = value
            if quality:
                bad[tag.name] = quality_name(quality)
    expected = yaml.safe_load((case / "expected.yaml").read_text("utf-8"))
    assert bad == expected.pop("quality", {})
    assert {name: repr(value) for name, value in values.items()} == {name: repr(it) for name, it in expected.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_driver_can_be_made_of_the_map(case: Path) -> None:
    device = Device(config(case), lone_wire(ENDPOINT, 1.0))
    (schema,) = device.schemas
    assert sorted(tag.name for tag in schema.tags) == sorted(tag.name for tag in config(case).tags)
