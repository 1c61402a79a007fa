"""Units that are none, or do not fit, are told where they stand; what is asked becomes what is done."""

from fractions import Fraction
from pathlib import Path

import pytest

from agent.config import Invalid, load, load_map
from agent.normalise import Recipes
from agent.normalise.convert import Conversion


def site(folder: Path, tags: str, device: str = "") -> Path:
    path = folder / "site.yaml"
    path.write_text(
        "gateway: {id: gw}\ndevices:\n  - name: meter\n    driver: modbus\n    endpoint: tcp://127.0.0.1\n"
        f"{device}    tags:\n{tags}",
        "utf-8",
    )
    return path


def problems(folder: Path, tags: str, device: str = "") -> list[str]:
    with pytest.raises(Invalid) as refused:
        load(site(folder, tags, device), {})
    return [str(problem).removeprefix(f"{folder}/") for problem in refused.value.problems]


def recipes(folder: Path, tags: str, device: str = "") -> Recipes:
    return load(site(folder, tags, device), {}).recipes


@pytest.mark.parametrize(
    ("keys", "value", "says"),
    [
        ("unit: kwh", "kwh", "unit: 'kwh' is not a unit: there is no 'kwh' (did you mean 'kWh'?)"),
        ('unit: "°C"', '"°C"', "unit: '°C' is not a unit: '°C' is not understood (did you mean 'Cel'?)"),
        ("unit: W, as: KW", "KW", "as: 'KW' is not a unit: there is no 'KW' (did you mean 'kW'?)"),
        ("as: kW", "kW", "as: what would become 'kW' has no unit (`unit` is that of the device)"),
        (
            "unit: kW, as: kvar",
            "kvar",
            "as: 'kW' and 'kvar' are not of the same dimension ('kW' is what the device says, `as` what leaves)",
        ),
        ("unit: V, as: kV, bit: 3", "kV", "as: text, true and false have no unit (leave it out)"),
        (
            "unit: V, ratio: pt, write: {max: 5}",
            "pt,",
            "ratio: values would be written in another unit than they are read in (leave out `ratio` or `write`)",
        ),
        ("ratio: pc", "pc", "ratio: 'pc' is not known here (one of: ct, ct*pt, pt)"),
    ],
)
def test_what_is_wrong_with_a_unit_is_told_where_it_stands(tmp_path: Path, keys: str, value: str, says: str) -> None:
    tag = f"      - {{name: a, address: 1, {keys}}}\n"
    assert problems(tmp_path, tag) == [f"site.yaml:7:{tag.index(value) + 1}: device 'meter', tag 'a': {says}"]


def test_a_unit_of_a_map_is_told_in_the_map_and_once(tmp_path: Path) -> None:
    path = tmp_path / "meter.yaml"
    path.write_text(
        "device: {vendor: a, model: b}\ndriver: modbus\ndefaults: {unit: Kvar}\ntags:\n  - {name: a, address: 1}\n"
    )
    with pytest.raises(Invalid) as refused:
        load_map(path)
    assert str(refused.value) == (
        f"{path}:3:18: tag 'a': unit: 'Kvar' is not a unit: there is no 'Kvar' (did you mean 'kvar'?)"
    )
    tags = "      - {name: a, address: 2}\n"
    said = problems(tmp_path, tags, "    map: ./meter.yaml\n")
    assert [line.partition(": ")[0] for line in said] == ["meter.yaml:3:18"]


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("    ct: 0\n", "ct: 0 is less than 0.001"),
        ("    ct: 400/0\n", "ct: nothing is divided by 0"),
        ("    pt: a/b\n", "pt: must be a number"),
        ("    pt: 1e9\n", "pt: 1000000000.0 is more than 1e+06"),
    ],
)
def test_ratios_are_numbers_that_can_be(tmp_path: Path, device: str, says: str) -> None:
    (said,) = problems(tmp_path, "      - {name: a, address: 1}\n", device)
    assert says in said


def test_ratio_and_unit_become_one_factor(tmp_path: Path) -> None:
    tags = (
        "      - {name: p, address: 1, unit: W, as: kW, ratio: ct*pt}\n"
        "      - {name: i, address: 3, unit: A, ratio: ct}\n"
        '      - {name: t, address: 5, unit: Cel, as: "[degF]"}\n'
        "      - {name: u, address: 7, unit: V}\n"
    )
    found = recipes(tmp_path, tags, "    ct: 400/5\n    pt: 1000/3\n")
    assert {tag: rules.conversion for (_, tag), rules in found.tags.items()} == {
        "p": Conversion(Fraction(80, 3), Fraction(0), "kW"),
        "i": Conversion(Fraction(80), Fraction(0), "A"),
        "t": Conversion(Fraction(9, 5), Fraction(32), "[degF]"),
    }


def test_a_ratio_without_transformers_asks_for_nothing(tmp_path: Path) -> None:
    assert recipes(tmp_path, "      - {name: i, address: 3, unit: A, ratio: ct}\n").tags == {}


def test_what_is_the_devices_own_cannot_be_a_quirk_of_a_map(tmp_path: Path) -> None:
    path = tmp_path / "meter.yaml"
    path.write_text(
        "device: {vendor: a, model: b}\ndriver: modbus\nquirks: {ct: 80}\ntags:\n  - {name: a, address: 1}\n"
    )
    with pytest.raises(Invalid, match="ct cannot be set here"):
        load_map(path)


def test_units_of_derived_tags_are_looked_at_as_well(tmp_path: Path) -> None:
    tags = "      - {name: a, address: 1}\n    derived:\n      b: {expr: a * 2, unit: kwh}\n"
    (said,) = problems(tmp_path, tags)
    assert said.startswith("site.yaml:9:30: device 'meter', derived tag 'b': unit: 'kwh' is not a unit")
