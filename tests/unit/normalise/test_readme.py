"""The examples of agent/normalise/README.md: what they say comes out is all that comes out."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest

from agent.config import Site, load
from agent.model.frame import Frame, Value
from agent.model.quality import quality_code, quality_name
from agent.model.tag import Schema
from agent.normalise import Steps
from drivers.sim.config import Config
from drivers.sim.driver import SimDriver
from tests.house import ROOT

PAGE = (ROOT / "agent/normalise/README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"(?:(\d\d)T)?(\d\d):(\d\d):(\d\d)(?: +(.*?))? *→ *(.*)")
READING = re.compile(r"([^\s:]+): (\"[^\"]*\"|[^\s,()]+)(?: ([^\s,()][^\s,]*))?(?: \((\w+)\))?(?:, +|$)")
SECOND = 10**9


class Reading(NamedTuple):
    tag: str
    value: Value
    unit: str | None
    quality: int

    def __str__(self) -> str:
        value = "-" if self.value is None else str(self.value)
        trust = f"({quality_name(self.quality)})" if self.quality else ""
        return f"{self.tag}: {' '.join(filter(None, (value, self.unit, trust)))}"


def examples() -> list[tuple[str, str]]:
    """What a file says, and what happens then."""
    kinds = [kind for kind, _ in BLOCK.findall(PAGE)]
    assert kinds == ["yaml", "text"] * (len(kinds) // 2)
    blocks = [block for _, block in BLOCK.findall(PAGE)]
    return list(zip(blocks[::2], blocks[1::2], strict=True))


def site_of(text: str, folder: Path) -> Site:
    """A whole site, a device, or the tags of one, as a site of simulated devices."""
    if text.startswith("- "):
        text = f"tags:\n{indent(text, '  ')}"
    if not re.search("^(devices|gateway):", text, re.MULTILINE):
        text = f"devices:\n  - name: meter\n    driver: sim\n{indent(text, '    ')}"
    if "gateway:" not in text:
        text = f"gateway: {{id: gw}}\n{text}"
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return load(path, {})


def scalar(text: str) -> Value:
    if text.startswith('"'):
        return text[1:-1]
    if text in ("-", "true", "false"):
        return {"-": None, "true": True, "false": False}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def readings(text: str) -> list[Reading]:
    found: list[Reading] = []
    at = 0
    while at < len(text):
        match = READING.match(text, at)
        assert match is not None, f"no reading: {text[at:]!r}"
        quality = quality_code(match[4]) if match[4] else 0
        found.append(Reading(match[1], scalar(match[2]), match[3], quality))
        at = match.end()
    return found


def moments(text: str) -> Iterator[tuple[int, list[Reading], str]]:
    """(ns since 1970, what is read then, what comes out)"""
    for line in text.splitlines():
        match = LINE.fullmatch(line.strip())
        assert match is not None, f"no moment: {line!r}"
        day, hour, minute, second = (int(part or 2) for part in match.group(1, 2, 3, 4))
        moment = datetime(2026, 3, day, hour, minute, second, tzinfo=UTC)
        yield int(moment.timestamp()) * SECOND, readings(match[5] or ""), match[6]


class World:
    """The devices of an example, and what their frames become."""

    def __init__(self, site: Site) -> None:
        drivers = [SimDriver(device) for device in site.devices if isinstance(device, Config)]
        self.schemas = [schema for driver in drivers for schema in driver.schemas]
        self.steps = Steps(self.schemas, site.recipes)

    def at(self, ts: int, read: Sequence[Reading]) -> list[Reading]:
        found: list[Reading] = []
        for schema in self.schemas:
            columns = {column: each for each in read if (column := self._column(schema, each.tag)) is not None}
            if columns:
                values = tuple(each.value for each in columns.values())
                quality = bytes(each.quality for each in columns.values())
                sparse = None if list(columns) == list(range(len(schema.tags))) else tuple(columns)
                for frame in self.steps[schema](Frame(schema, ts, values, quality, ts, sparse)):
                    found += self._told(frame)
        for frame in self.steps.tick(ts, ts):
            found += self._told(frame)
        return found

    def _column(self, schema: Schema, name: str) -> int | None:
        device, _, tag = name.rpartition("/")
        names = [each.name for each in schema.tags]
        return names.index(tag) if device in ("", schema.device) and tag in names else None

    def _told(self, frame: Frame) -> list[Reading]:
        own = len({schema.device for schema in self.schemas}) == 1 and frame.schema.device == self.schemas[0].device
        where = f"{frame.schema.group}/" if frame.schema.made else ""
        before = where if own else f"{frame.schema.device}/{where}"
        return [Reading(f"{before}{tag.name}", value, tag.unit, quality) for tag, value, quality in frame.rows()]


def same(one: Reading, other: Reading) -> bool:
    """`other` may have no unit."""
    if isinstance(one.value, float) and isinstance(other.value, int | float):
        values = isclose(one.value, other.value, rel_tol=1e-9, abs_tol=1e-12)
    else:
        values = one.value == other.value
    units = other.unit is None or one.unit == other.unit
    return values and units and (one.tag, one.quality) == (other.tag, other.quality)


@pytest.mark.parametrize(("file", "story"), examples())
def test_an_example_tells_what_happens(file: str, story: str, tmp_path: Path) -> None:
    world = World(site_of(file, tmp_path))
    for ts, read, out in moments(story):
        came = world.at(ts, read)
        said = [] if out in ("nothing", "…") else readings(out.removesuffix("…").rstrip(", "))
        missing = [each for each in said if not any(same(one, each) for one in came)]
        unsaid = [] if out.endswith("…") else [one for one in came if not any(same(one, each) for each in said)]
        told = ", ".join(map(str, came)) or "nothing"
        assert not missing and not unsaid, f"{datetime.fromtimestamp(ts / SECOND, UTC):%dT%T}: {told}; said was {out}"


def test_a_reading_has_a_unit_and_a_quality() -> None:
    assert readings('a: 1.5 m3/h (clamped), total/b: - (bad_comm), c: "x y", d: true') == [
        Reading("a", 1.5, "m3/h", 1),
        Reading("total/b", None, None, 66),
        Reading("c", "x y", None, 0),
        Reading("d", True, None, 0),
    ]
