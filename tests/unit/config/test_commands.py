"""Patterns of `commands: allow` that stand for nothing that can be written are found where they stand."""

from collections.abc import Sequence

import pytest

from agent.config.commands import check_commands
from agent.config.problems import Problem, Report, Scope
from agent.config.reader import read
from agent.config.tree import Mapping
from agent.northbound.api import Commanded, Commands, SinkConfig
from drivers.api import DriverConfig
from drivers.modbus.config import Config
from drivers.opcua.config import Config as Opcua

DEVICES = [
    Config.model_validate(
        {
            "name": name,
            "driver": "modbus",
            "endpoint": "tcp://h",
            "unit": 1,
            "enabled": name == "press-3",
            "tags": [{"name": "setpoint", "address": 0, "write": {}}, {"name": "speed", "address": 1}],
        }
    )
    for name in ("press-3", "press-4")
]
FILE = """\
devices: [{name: press-3}, {name: press-4}]
sinks:
  - name: platform
    commands:
      allow:
        - PATTERN
"""


class Sink(Commanded, SinkConfig):
    """A kind of sink that takes commands."""


def problems(text: str, devices: Sequence[DriverConfig] = DEVICES) -> list[Problem]:
    report = Report()
    root = read(text.encode(), "site.yaml", report)
    assert isinstance(root, Mapping)
    sink = Sink(name="platform", type="x", commands=Commands(allow=["a/b"]))
    check_commands(root, devices, [sink], Scope(report))
    return list(report._found)


@pytest.mark.parametrize("pattern", ["press-3/setpoint", "press-4/setpoint", "press-?/set*", '"*/*"'])
def test_a_pattern_of_a_tag_that_can_be_written_is_right(pattern: str) -> None:
    """Also of a device that is not read at present."""
    assert problems(FILE.replace("PATTERN", pattern)) == []


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("press-3/setpoin", "did you mean 'press-3/setpoint'?"),
        ("press-3/speed", "press-3/speed has no `write` section"),
        ("press-*/speed", "press-3/speed has no `write` section, nor have 1 more"),
        ("zzz/zzz", "one of: press-3/setpoint, press-4/setpoint"),
    ],
)
def test_one_that_stands_for_none_is_told_with_its_place_and_what_is_meant(pattern: str, hint: str) -> None:
    (found,) = problems(FILE.replace("PATTERN", pattern))
    assert (found.file, found.line, found.column, found.hint) == ("site.yaml", 6, 11, hint)
    assert found.message == f"sink 'platform': commands.allow: no tag that can be written is '{pattern}'"


def test_where_nothing_can_be_written_the_hint_says_so() -> None:
    bare = Config.model_validate(
        {"name": "press-3", "driver": "modbus", "endpoint": "tcp://h", "tags": [{"name": "a", "address": 0}]}
    )
    (found,) = problems(FILE.replace("PATTERN", "a/b").replace(", {name: press-4}", ""), [bare])
    assert found.hint == "no tag has a `write` section"


def test_while_a_device_is_wrong_itself_nothing_is_said_of_its_tags() -> None:
    assert problems(FILE.replace("PATTERN", "press-9/setpoint"), DEVICES[:1]) == []


@pytest.mark.parametrize("commands", ["1", "{}", "{allow: 1}", "{allow: []}", ""])
def test_a_section_of_another_form_is_told_by_the_sink(commands: str) -> None:
    text = FILE[: FILE.index("    commands")] + f"    commands: {commands}\n"
    assert problems(text) == []


@pytest.mark.parametrize(
    ("pattern", "right"),
    [
        ("press-3/oven1_temp", True),
        ("press-3/*", True),
        ("press-3/o?en*", True),
        ("press-3/ofen1_temp", False),
        ("press-3/door1", False),
    ],
)
def test_a_tag_that_is_to_be_found_may_be_meant(pattern: str, right: bool) -> None:
    """Of its name is known how it begins; that of a pattern without `write` is none."""
    tags = [{"match": "Oven*/Temp", "name": "oven{1}_temp", "write": {}}, {"match": "Door*", "name": "door{1}"}]
    device = {"name": "press-3", "driver": "opcua", "endpoint": "opc.tcp://h", "security": "none", "tags": tags}
    text = FILE.replace("PATTERN", pattern).replace(", {name: press-4}", "")
    assert (problems(text, [Opcua.model_validate(device)]) == []) is right
