"""Two tags of a device with one name are refused at their place, wherever they come from."""

from pathlib import Path

import pytest

from agent.config import Invalid, load

SITE = """\
gateway: {id: g, timezone: UTC}
devices:
  - name: m
    driver: sim
    tags:
      - {name: e, wave: counter, kind: counter, counter: {intervals: 15m}}
      - {name: x, alarms: {h: 1}}
      - {name: MORE}
    derived: {DERIVED: e + 1}
"""


def problems(tmp_path: Path, **names: str) -> list[str]:
    text = SITE
    for word, name in names.items():
        text = text.replace(word, name)
    (tmp_path / "site.yaml").write_text(text)
    try:
        load(tmp_path / "site.yaml", {})
    except Invalid as error:
        return [f"{each.line}:{each.column} {each.message}" for each in error.problems]
    return []


def test_names_that_differ_are_fine(tmp_path: Path) -> None:
    assert problems(tmp_path, MORE="more", DERIVED="y") == []


@pytest.mark.parametrize("name", ["e_15m", "x_h"])
def test_what_is_made_of_a_tag_may_not_be_called_as_another_tag(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, MORE=name, DERIVED="y")
    assert problem[0] in "678"
    assert f"'{name}'" in problem


@pytest.mark.parametrize("name", ["e_15m", "x_h"])
def test_nor_as_a_derived_one(tmp_path: Path, name: str) -> None:
    (problem,) = problems(tmp_path, MORE="more", DERIVED=name)
    assert f"'{name}'" in problem


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("derived: {y: e_15min * 2}", "9:18 device 'm', derived tag 'y': there is no tag 'e_15min'"),
        ("energy: {co2: [{tag: e_h, factor: diesel}]}", "9:26 device 'm', energy.co2[0]: there is no tag 'e_h'"),
        ("energy: {co2: [{tag: e_total, factor: diesel}]}", "9:26 device 'm': energy: 'e_total' counts up"),
        (
            "energy: {co2: [{tag: x_h, factor: diesel}]}",
            "9:26 device 'm': energy: 'x_h' cannot be weighed: it has no unit, and diesel is per kg",
        ),
        ("derived: {y: e_15m * 2 + x_h}", ""),
        ("energy: {co2: [{tag: e_15m, factor: diesel}]}", ""),
    ],
)
def test_what_is_taken_of_what_is_made_is_made(tmp_path: Path, more: str, told: str) -> None:
    text = SITE.replace("derived: {DERIVED: e + 1}", more).replace("wave: counter,", "wave: counter, unit: kg,")
    (problem,) = problems(tmp_path, **{SITE: text}) or [""]
    assert told in problem and bool(told) == bool(problem)
