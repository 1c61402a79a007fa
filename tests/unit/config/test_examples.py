"""The files in `configs/` load, and the annotated one shows every option that exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import agent
from agent import registry
from agent.config import BufferConfig, GatewayConfig, LogConfig, StatusConfig, configs_dir, load
from agent.config.tags import item_type
from agent.northbound.broker.config import BrokerConfig
from agent.registry import DriverConfig, LineConfig, SinkConfig
from drivers.api import TagConfig

FULL = configs_dir() / "floorgate.yaml"
EXAMPLES = sorted((configs_dir() / "examples").glob("*.yaml"))
SECTION = re.compile(r"^(?=[a-z]+:)", re.MULTILINE)
ITEM = re.compile(r"^(?=  - )", re.MULTILINE)


def sections() -> dict[str, str]:
    text = FULL.read_text("utf-8")
    return {part.partition(":")[0]: part for part in SECTION.split(text) if not part.startswith("#")}


def items(section: str, key: str, name: str) -> str:
    """The text of all items of a section that have `key: name`."""
    return "".join(part for part in ITEM.split(sections()[section]) if re.search(rf"\b{key}: {name}\b", part))


def shown_options() -> Iterator[tuple[str, Any, str]]:
    """(what, class, the text that must show its options)"""
    single = {"gateway": GatewayConfig, "lines": LineConfig, "buffer": BufferConfig, "log": LogConfig}
    for name, kind in {**single, "status": StatusConfig}.items():
        yield name, kind, sections()[name]
    for name in registry.DRIVERS:
        config = registry.driver_config(name)
        yield f"a {name} device", config, items("devices", "driver", name)
        yield f"a {name} tag", item_type(config), items("devices", "driver", name)
    for name in registry.SINKS:
        yield f"a {name} sink", registry.sink_config(name), items("sinks", "type", name)


def test_the_annotated_example_loads() -> None:
    secrets = ("MQTT_PASSWORD", "PRESS_PASSWORD", "PROXY_PASSWORD", "LAKE_TOKEN", "LAKE_KEY", "APPS_TOKEN", "TB_TOKEN")
    site = load(FULL, dict.fromkeys(secrets, "hush-hush-hush-hush"))
    assert {device.driver for device in site.devices} == set(registry.DRIVERS)
    assert {sink.type for sink in site.sinks} == set(registry.SINKS)


@pytest.mark.parametrize(("what", "kind", "text"), [pytest.param(*each, id=each[0]) for each in shown_options()])
def test_the_annotated_example_shows_every_option(what: str, kind: Any, text: str) -> None:
    """What all devices, tags, sinks, or sinks of a broker have in common is shown once; of sinks at the first."""
    common = {**DriverConfig.model_fields, **TagConfig.model_fields, **SinkConfig.model_fields}
    common |= BrokerConfig.model_fields
    first = [sections()["devices"], *ITEM.split(sections()["sinks"])[1:2]]
    for name, field in kind.model_fields.items():
        option = field.alias or name
        where = text + "".join(first) if name in common else text
        assert re.search(rf"(^|[{{,\s-]){option}:", where), f"{what}: {option}"


def test_the_annotated_example_tells_editors_its_schema() -> None:
    assert FULL.read_text("utf-8").startswith("# yaml-language-server: $schema=floorgate.schema.json\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_without_any_preparation(path: Path) -> None:
    site = load(path, {})
    assert site.devices
    assert site.sinks


@pytest.mark.parametrize("path", [*EXAMPLES, *sorted((configs_dir() / "devices").glob("*.yaml"))], ids=lambda p: p.stem)
def test_a_file_names_a_schema_that_is_there(path: Path) -> None:
    first = path.read_text("utf-8").partition("\n")[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).is_file()


def test_there_are_four_examples() -> None:
    assert len(EXAMPLES) == 4


def test_configs_lie_beside_the_packages() -> None:
    """So one function finds them in a checkout, a wheel and a frozen bundle."""
    assert configs_dir() == Path(agent.__file__).resolve().parent.parent / "configs"


def test_the_sites_of_the_first_page_load(site: Any) -> None:
    page = (Path(agent.__file__).parents[1] / "README.md").read_text("utf-8")
    blocks = [dedent(block) for block in re.findall(r"(?:^    .*\n)+(?:\n?    .*\n)*", page, re.MULTILINE)]
    sites = [block for block in blocks if "\ndevices:\n" in block]
    assert len(sites) == 2
    for text in sites:
        assert site(text, {"MQTT_PASSWORD": "hush"}).devices
