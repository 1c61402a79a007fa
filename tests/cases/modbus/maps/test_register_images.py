"""Each folder beside this file is a device map of the shelf: what its registers hold, and the values they mean.

`facts.yaml` is what the sources say, written without looking at the map. Every other pair is one moment of a device:
`NAME.hex` its registers (function, address, words; a name behind them for people), `NAME.yaml` the values by tag, and
under `quality` the ones that are not good. The map is loaded as a site loads it, and the driver reads the registers
over TCP from a device that refuses what it does not have, takes no more registers than the map says, and holds rubbish
wherever no tag is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import configs_dir, load
from agent.model.quality import quality_name
from agent.registry import driver_builder
from tests.sim.faulty_modbus import Act, Behaviour, answer, faulty_device

HERE = Path(__file__).parent
CASES = sorted(path for path in HERE.glob("*/*.hex"))
RUBBISH = 0xDEAD
Image = Mapping[tuple[int, int], int]  # (function, address): register


def image(path: Path) -> Image:
    found: dict[tuple[int, int], int] = {}
    for line in path.read_text("utf-8").splitlines():
        where, _, words = line.partition("#")[0].partition(":")
        if words:
            function, address = (int(number, 0) for number in where.split())
            for at, word in enumerate(words.split(), address):
                assert (function, at) not in found, line
                found[function, at] = int(word, 16)
    return found


def holding(registers: Image, most: int) -> Behaviour:
    """A device with these registers."""

    def behave(adu: bytes) -> list[Act]:
        function, first, count = adu[7], int.from_bytes(adu[8:10], "big"), int.from_bytes(adu[10:12], "big")
        if count > most:
            return [answer(adu, bytes((function | 0x80, 3)))]
        if (function, first) not in registers or (function, first + count - 1) not in registers:
            return [answer(adu, bytes((function | 0x80, 2)))]
        words = (registers.get((function, at), RUBBISH) for at in range(first, first + count))
        return [answer(adu, bytes((function, 2 * count)) + b"".join(word.to_bytes(2, "big") for word in words))]

    return behave


def device(folder: Path, name: str, endpoint: str = "tcp://127.0.0.1", *, all_on: bool) -> Any:
    """The one device of a site that uses the map. The waits that its hardware needs are left out."""
    names = [tag.name for tag in device(folder, name, all_on=False)[1].tags] if all_on else []
    keys = {"name": "it", "driver": "modbus", "endpoint": endpoint, "map": name, "connect_delay": "0s", "pause": "0s"}
    tags = {"tags": [{"name": tag, "enabled": True} for tag in names]} if all_on else {}
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump({"gateway": {"id": "gw-1"}, "devices": [keys | tags]}), "utf-8")
    site = load(path, {})
    return site.line(endpoint), site.devices[0]


@pytest.mark.parametrize("all_on", [False, True], ids=["as it comes", "all tags on"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
async def test_the_registers_mean_what_they_should(case: Path, all_on: bool, tmp_path: Path) -> None:
    expected = yaml.safe_load(case.with_suffix(".yaml").read_text("utf-8"))
    not_good = expected.pop("quality", {})
    async with faulty_device() as plc:
        line, config = device(tmp_path, case.parent.name, plc.endpoint, all_on=all_on)
        plc.behave = holding(image(case), config.max_registers)
        (driver,) = driver_builder("modbus")(line, [config])
        await driver.open()
        values: dict[str, str] = {}
        bad: dict[str, str] = {}
        for schema in driver.schemas:
            frame = await driver.scan(schema)  # type: ignore[attr-defined]  # a Modbus device is a Poller
            for tag, value, quality in frame.rows():
                values[tag.name] = repr(value)
                bad |= {tag.name: quality_name(quality)} if quality else {}
        await driver.close()
    names = [tag.name for tag in config.tags if tag.enabled]
    assert values == {name: repr(expected[name]) for name in names}
    assert bad == {name: word for name, word in not_good.items() if name in names}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_every_tag_has_a_value_and_every_value_a_tag(case: Path, tmp_path: Path) -> None:
    _, config = device(tmp_path, case.parent.name, all_on=False)
    expected = yaml.safe_load(case.with_suffix(".yaml").read_text("utf-8"))
    assert expected.keys() - {"quality"} == {tag.name for tag in config.tags}


def test_every_map_for_modbus_has_a_usual_moment_and_the_ends_of_its_registers() -> None:
    texts = {path.stem: path.read_text("utf-8") for path in (configs_dir() / "devices").glob("*.yaml")}
    shelf = {name for name, text in texts.items() if "driver: modbus" in text and "\ntags:" in text}
    moments = {name: {case.stem for case in CASES if case.parent.name == name} for name in shelf}
    assert [name for name, found in moments.items() if "limits" not in found or not found & {"usual", "recorded"}] == []
    assert {path.parent.name for path in HERE.glob("*/facts.yaml")} == shelf
