"""Each folder is files of another gateway: what becomes of them, what is told of it, and that numbers stay the same.

`site.yaml` is the site as it is written, with all that is told at its head. `values.yaml` says, by what the other
product means with its file, which value it shows for which registers:
{device, tag, at: [table, address], words, value}.
`options.yaml` has what was said on the command line. `FLOORGATE_REWRITE=1` writes `site.yaml` anew: read its diff.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import Files, Report, Site, load
from agent.imports import FORMATS, Options, convert
from agent.imports.checking import environment
from drivers.modbus.config import Config, Tag
from drivers.modbus.plan import plan

HERE = Path(__file__).parent
OURS = {"site.yaml", "values.yaml", "options.yaml"}
CASES = sorted({path.parent for path in HERE.glob("*/*/*")})
VALUES = [case for case in CASES if (case / "values.yaml").exists()]


def inputs(case: Path) -> list[Path]:
    return sorted(path for path in case.iterdir() if path.name not in OURS)


def options(case: Path) -> Options:
    file = case / "options.yaml"
    return Options(**(yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}))


def name(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def site(case: Path) -> Site:
    return load(case / "site.yaml", environment((case / "site.yaml").read_text("utf-8")))


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_files_become_this_site(case: Path, tmp_path: Path) -> None:
    found = convert(inputs(case), "auto", options(case), tmp_path, maps=False)
    assert set(found.formats.values()) == {case.parent.name}
    expected = case / "site.yaml"
    if os.environ.get("FLOORGATE_REWRITE"):
        expected.write_text(found.texts["site.yaml"], "utf-8")
    assert found.texts["site.yaml"] == expected.read_text("utf-8")


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_check_accepts_it(case: Path) -> None:
    report = Report()
    load(case / "site.yaml", environment((case / "site.yaml").read_text("utf-8")), report)
    assert not report.found


@pytest.mark.parametrize("case", CASES, ids=name)
def test_in_a_folder_the_tags_are_in_maps_and_mean_the_same(case: Path, tmp_path: Path) -> None:
    found = convert(inputs(case), "auto", options(case), tmp_path, maps=True)
    texts = {(tmp_path / file).absolute(): text.encode() for file, text in found.texts.items()}
    other = load(tmp_path / "site.yaml", environment(*found.texts.values()), files=Files(texts))
    assert _tags(other) == _tags(site(case))


def _tags(of: Site) -> list[Any]:
    return [(device.name, getattr(device, "tags", None)) for device in of.devices]


@pytest.mark.parametrize("case", VALUES, ids=name)
def test_its_values_are_those_of_the_other_product(case: Path) -> None:
    devices = {device.name: device for device in site(case).devices}
    for said in yaml.safe_load((case / "values.yaml").read_text("utf-8")):
        holders = [each for each in devices.values() if said.get("device", each.name) == each.name]
        tag, device = next(
            (tag, each) for each in holders for tag in getattr(each, "tags", ()) if tag.name == said["tag"]
        )
        assert isinstance(device, Config) and isinstance(tag, Tag)
        table, address = said["at"]
        assert (tag.register, tag.address, tag.words) == (table, address, len(said["words"])), said
        (block,) = plan([tag.model_copy(update={"enabled": True})], order=device.order_of(tag), max_registers=125)
        (value,) = block.decode(answer(block.table.function, said["words"]))
        assert (
            value == pytest.approx(said["value"], rel=1e-12) if isinstance(value, float) else value == said["value"]
        ), said


def answer(function: int, words: list[int]) -> bytes:
    """What a device answers: function code, byte count, registers or coils."""
    if function < 3:
        return bytes((function, 1, words[0]))
    return bytes((function, 2 * len(words), *(byte for word in words for byte in word.to_bytes(2, "big"))))


def test_every_format_has_a_case() -> None:
    assert {case.parent.name for case in CASES} == set(FORMATS)
