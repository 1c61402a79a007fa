"""Which parts of a site say something else than before."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import Site, load
from agent.runtime.prints import Change, compared, prints
from agent.runtime.wiring import Unit

LINE = Unit("modbus", "tcp://127.0.0.1:1502")
OTHER = Unit("modbus", "tcp://127.0.0.1:1503")
PRESS = Unit("opcua", "opc.tcp://127.0.0.1:4840", "press")


def plain() -> dict[str, Any]:
    """Two wires, two OPC UA devices at one endpoint, a device that is worked out, three sinks."""
    tag = {"name": "energy", "address": 0, "type": "uint32", "unit": "kWh", "kind": "counter"}
    node = {"name": "count", "node": "ns=2;s=count", "type": "int64"}
    server = {"driver": "opcua", "endpoint": "opc.tcp://127.0.0.1:4840", "security": "none", "tags": [node]}
    return {
        "gateway": {"id": "gw", "site": ["acme"], "timezone": "Asia/Shanghai"},
        "devices": [
            {"name": "meter", "driver": "modbus", "endpoint": "tcp://127.0.0.1:1502", "unit": 1, "tags": [tag]},
            {"name": "next", "driver": "modbus", "endpoint": "tcp://127.0.0.1:1502", "unit": 2, "tags": [tag]},
            {"name": "far", "driver": "modbus", "endpoint": "tcp://127.0.0.1:1503", "unit": 1, "tags": [tag]},
            {"name": "press", **server},
            {"name": "lathe", **server},
        ],
        "virtual": [
            {"name": "hall", "inputs": {"a": "meter/energy", "b": "far/energy"}, "derived": {"sum": "a + b"}},
        ],
        "lines": [{"endpoint": "tcp://127.0.0.1:1502", "timeout": "2s"}],
        "calendars": {"day": {"days": [{"times": {"00:00": "valley", "08:00": "peak"}}]}},
        "sinks": [
            {"name": "platform", "type": "mqtt", "url": "mqtt://127.0.0.1", "username": "u", "password": "${WORD}"},
            {"name": "file", "type": "file", "path": "/tmp/floorgate.jsonl"},
            {"name": "mes", "type": "pull", "token": "${TOKEN}"},
        ],
        "buffer": {"keep": "7d"},
    }


def site(folder: Path, said: dict[str, Any], **secrets: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(said, sort_keys=False), "utf-8")
    return load(path, {"WORD": "word", "TOKEN": "0123456789abcdef", **secrets})


@pytest.fixture
def change(tmp_path: Path) -> Any:
    def from_plain(said: dict[str, Any], **secrets: str) -> Change:
        return compared(prints(site(tmp_path, plain())), prints(site(tmp_path, said, **secrets)))

    return from_plain


def shuffled(said: Any, luck: random.Random) -> Any:
    """The same with keys, devices and sinks in another order; not so tags."""
    if isinstance(said, dict):
        keys = luck.sample(list(said), len(said))
        return {key: said[key] if key == "tags" else shuffled(said[key], luck) for key in keys}
    if isinstance(said, list) and said and isinstance(said[0], dict) and "name" in said[0]:
        return [shuffled(each, luck) for each in luck.sample(said, len(said))]
    return said


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_keys_devices_and_sinks_says_nothing(change: Any, seed: int) -> None:
    found = change(shuffled(plain(), random.Random(seed)))
    assert not found
    assert set(found.units.stayed) == {LINE, OTHER, PRESS, PRESS._replace(device="lathe")}
    assert found.sinks.stayed == ("file", "mes", "platform")


def test_a_tag_restarts_its_line_alone(change: Any) -> None:
    said = plain()
    said["devices"][0]["tags"] = [{**said["devices"][0]["tags"][0], "address": 2}]
    found = change(said)
    assert found.units.restarted == (LINE,)
    assert not found.recipes
    assert not found.sinks
    assert not found.sections


def test_what_is_asked_of_a_value_restarts_no_line(change: Any) -> None:
    said = plain()
    said["devices"][0]["tags"] = [{**said["devices"][0]["tags"][0], "limits": {"min": 0}, "description": "new"}]
    found = change(said)
    assert not found.units
    assert found.recipes.started == ("meter",)  # nothing was asked before


def test_a_device_that_speaks_by_itself_restarts_alone(change: Any) -> None:
    said = plain()
    said["devices"][3] = {**said["devices"][3], "interval": "2s"}
    assert change(said).units.restarted == (PRESS,)


def test_a_device_that_moves_touches_both_lines(change: Any) -> None:
    said = plain()
    said["devices"][1] = {**said["devices"][1], "endpoint": "tcp://127.0.0.1:1503"}
    assert change(said).units.restarted == (LINE, OTHER)


def test_lines_come_and_go(change: Any) -> None:
    said = plain()
    far = said["devices"].pop(2)
    said["devices"].append({**far, "name": "new", "endpoint": "tcp://127.0.0.1:1504"})
    said["virtual"][0]["inputs"]["b"] = "new/energy"
    found = change(said)
    assert found.units.stopped == (OTHER,)
    assert found.units.started == (Unit("modbus", "tcp://127.0.0.1:1504"),)
    assert found.recipes.restarted == ("hall",)


def test_the_settings_of_a_wire_are_part_of_it(change: Any) -> None:
    said = plain()
    said["lines"][0]["timeout"] = "3s"
    assert change(said).units.restarted == (LINE,)


def test_a_sink_restarts_for_its_own_section_and_for_a_secret(change: Any) -> None:
    said = plain()
    said["sinks"][1]["path"] = "/tmp/other.jsonl"
    assert change(said).sinks.restarted == ("file",)
    assert change(plain(), WORD="another").sinks.restarted == ("platform",)
    assert change(plain(), TOKEN="another one, quite long".replace(" ", "-")).sinks.restarted == ("mes",)


def test_all_sinks_restart_when_the_gateway_is_another(change: Any) -> None:
    said = plain()
    said["gateway"]["id"] = "gw-2"
    found = change(said)
    assert found.sections == ("gateway.id",)
    assert found.sinks.restarted == ("file", "mes", "platform")
    assert not found.units


def test_a_zone_is_part_of_all_recipes(change: Any) -> None:
    said = plain()
    said["gateway"]["timezone"] = "Europe/Berlin"
    found = change(said)
    assert found.sections == ("gateway.timezone",)
    assert found.recipes.restarted == ("hall",)


def test_other_sections_are_told_key_by_key(change: Any) -> None:
    said = {**plain(), "buffer": {"keep": "8d"}, "log": {"level": "debug"}}
    found = change(said)
    assert found.sections == ("buffer.keep", "log.level")
    assert not found.units
    assert not found.sinks


def test_a_calendar_is_part_of_the_recipes_that_name_it(tmp_path: Path) -> None:
    said = plain()
    counted = {**said["devices"][0]["tags"][0], "counter": {"tariff": "day"}}
    said["devices"][0]["tags"] = [counted]
    before = prints(site(tmp_path, said))
    said["calendars"]["day"]["days"][0]["times"]["09:00"] = "valley"
    found = compared(before, prints(site(tmp_path, said)))
    assert found.recipes.restarted == ("meter",)
    assert found.recipes.stayed == ("hall",)
    assert not found.units
