"""The vocabulary is right in itself, the maps that come with floorgate keep to it, and `check` says who nearly does."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Invalid, Report, configs_dir, load, load_map, load_vocabulary
from agent.config.vocabulary import Term, Vocabulary, spread
from agent.model.units import conversion

WORDS = load_vocabulary()
NAMES = st.sampled_from(sorted(WORDS.terms))
MAPS = sorted((configs_dir() / "devices").glob("*.yaml"))
OURS = ["floorgate.yaml", *(f"examples/{path.name}" for path in (configs_dir() / "examples").iterdir())]
SECRETS = ("MQTT_PASSWORD", "PRESS_PASSWORD", "PROXY_PASSWORD", "LAKE_TOKEN", "LAKE_KEY", "APPS_TOKEN", "TB_TOKEN")
COUNTED = re.compile("_(total|l[123]|t[1-4]|sharp|peak|flat|valley|today|month|year)$")
LEAST, SHARE = 150, 0.6  # names, and of the maps' tags those that have one of them


def test_there_are_many_names_with_a_meaning_in_two_languages() -> None:
    assert len(WORDS.terms) >= LEAST
    for term in WORDS.terms.values():
        assert term.name == term.name.lower() and " " not in term.name
        assert term.en.isascii() or "°" in term.en or "µ" in term.en
        assert not term.zh.isascii()
        assert term.kind != "counter" or COUNTED.search(term.name), term.name
        assert not (term.unit and term.type in ("str", "bool")), term.name


def test_no_other_spelling_is_a_name_or_stands_for_two() -> None:
    for spelling, name in WORDS.spellings.items():
        assert spelling not in WORDS.terms or spelling == name


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_a_map_keeps_to_the_vocabulary(path: Path) -> None:
    report = Report(WORDS)
    found = load_map(path, report)
    assert list(map(str, report.warnings)) == []
    for tag in found.tags or ():
        term = WORDS.terms.get(tag.name)
        if term is not None and term.unit and tag.dtype != "str":
            conversion(tag.unit or "1", term.unit)
            assert tag.kind == term.kind, tag.name


def test_most_tags_of_the_maps_have_a_name_of_the_vocabulary() -> None:
    names = [tag.name for path in MAPS for tag in load_map(path).tags or ()]
    assert sum(name in WORDS.terms for name in names) >= SHARE * len(names)


@pytest.mark.parametrize("name", OURS)
def test_our_own_files_keep_to_the_vocabulary(name: str) -> None:
    report = Report(WORDS)
    load(configs_dir() / name, dict.fromkeys(SECRETS, "hush-hush-hush-hush"), report)
    assert list(map(str, report.warnings)) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Ua", "voltage_l1"),
        ("volt_a", "voltage_l1"),
        ("voltage_a", "voltage_l1"),
        ("VoltageL1", "voltage_l1"),
        ("voltage-l1", "voltage_l1"),
        ("l1_voltage", "voltage_l1"),
        ("volatge_l1", "voltage_l1"),
        ("voltage_l1_n", "voltage_l1"),
        ("Uab", "voltage_l1l2"),
        ("kwh_total", "energy_total"),
        ("import_energy_total", "energy_import_total"),
        ("total_active_power", "active_power_total"),
        ("ActivePowerTotal", "active_power_total"),
        ("power_active_total", "active_power_total"),
        ("actve_power_total", "active_power_total"),
        ("active_powers_total", "active_power_total"),
        ("pf", "power_factor_total"),
        ("part_count", "parts_total"),
        ("water_totl", "water_total"),
        ("temp", "temperature"),
    ],
)
def test_a_name_that_is_nearly_right_is_known(name: str, meant: str) -> None:
    assert WORDS.meant(name) == meant


@pytest.mark.parametrize(
    "name",
    [
        "voltage_l1",
        "voltage_l4",
        "pv9_voltage",
        "zone_1",
        "rotor_speed",
        "x",
        "",
        "e" * 5000,
        "oven_temperature",
        "温度",
    ],
)
def test_a_name_of_its_own_is_left_alone(name: str) -> None:
    assert WORDS.meant(name) == ""


@given(st.text(max_size=40) | NAMES.flatmap(st.permutations).map("".join))
def test_any_name_is_looked_up(name: str) -> None:
    assert WORDS.meant(name) in {"", *WORDS.terms}


def test_the_letter_may_stand_between_two_numbers() -> None:
    assert WORDS.meant("voltage_l12") == "voltage_l1l2"
    assert WORDS.meant("voltage_l4l5") == ""


@given(NAMES, st.data())
def test_a_letter_less_is_a_slip_unless_it_makes_another_name(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(name) - 1))
    slip = name[:at] + name[at + 1 :]
    if len(name) > 7 and not name[at].isdigit() and slip not in WORDS.terms:
        assert WORDS.meant(slip) != ""


def test_patterns_stand_for_names_and_for_no_more_than_anybody_wants() -> None:
    assert spread("a_{b,c}{,_d}") == ["a_b", "a_b_d", "a_c", "a_c_d"]
    assert spread("plain") == ["plain"]
    with pytest.raises(ValueError, match="at most"):
        spread("{a,b}" * 40)


def warned(folder: Path, tags: str) -> list[str]:
    path = folder / "site.yaml"
    sinks = "sinks: [{name: p, type: mqtt, url: mqtt://127.0.0.1}]\n"
    text = f"gateway: {{id: gw}}\ndevices:\n  - name: m\n    driver: sim\n    tags:\n{tags}"
    path.write_text(text + sinks, "utf-8")
    report = Report(WORDS)
    load(path, {}, report)
    return [str(warning).removeprefix(f"{folder}/site.yaml:") for warning in report.warnings]


def test_warnings_say_where_what_and_what_to_do(tmp_path: Path) -> None:
    tags = (
        "      - {name: kwh_total, unit: kWh, kind: counter}\n"
        "      - {name: active_power_total, unit: V}\n"
        "      - {name: energy_import_total, unit: Wh, as: MJ}\n"
        "      - {name: temperature}\n"
        "      - {name: humidity, unit: '%'}\n"
        "      - {name: frequenzy, unit: Hz, enabled: false}\n"
    )
    kwh, power, energy, temperature = warned(tmp_path, tags)
    assert kwh == (
        "6:16: device 'm', tag 'kwh_total': 'kwh_total' is not in the vocabulary (did you mean 'energy_total'"
        " (kWh, counter: active energy in both directions together)?)"
    )
    assert power == (
        "7:42: device 'm', tag 'active_power_total': unit: 'V' is of another dimension than 'kW' (active_power_total is"
        " in the vocabulary: active power of all phases; import is positive)"
    )
    assert energy == (
        "8:16: device 'm', tag 'energy_import_total': kind: gauge, and energy_import_total is a counter in the"
        " vocabulary (`kind: counter`, or another name)"
    )
    assert temperature == (
        "9:16: device 'm', tag 'temperature': unit: there is none, and it should be one like 'Cel' (temperature is in"
        " the vocabulary: temperature of the room or the thing)"
    )


def test_nobody_is_warned_who_does_not_ask(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("gateway: {id: gw}\ndevices:\n  - {name: m, driver: sim, tags: [{name: kwh_total}]}\n")
    report = Report()
    load(path, {}, report)
    assert report.warnings == []


def test_ten_thousand_odd_names_are_a_bounded_list(tmp_path: Path) -> None:
    tags = "".join(f"      - {{name: z{n}, unit: V}}\n      - {{name: Temperature.{n}x}}\n" for n in range(300))
    tags += "".join(f"      - {{name: temp{'_' * n}}}\n" for n in range(100))
    assert len(warned(tmp_path, tags)) == 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\n", "must be a list"),
        ("- a\n", "a vocabulary is a mapping of lists"),
        ("a: [{name: x}]\n", "unit is missing"),
        ("a: [{name: x, unit: kwh, type: float32, kind: gauge, en: a, zh: b}]\n", "'kwh' is not a unit"),
        ("a: [{name: x y, unit: V, type: float32, kind: gauge, en: a, zh: b}]\n", "'x y' is not a name"),
        ("a: [&x {name: x, unit: V, type: float32, kind: gauge, en: a, zh: b}, *x]\n", "'x' is there twice"),
        ('a: [{name: "{%s}", unit: V, type: float32, kind: gauge, en: a, zh: b}]\n' % ("a," * 90), "at most"),
    ],
)
def test_a_vocabulary_that_is_wrong_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "vocabulary.yaml"
    path.write_text(text)
    with pytest.raises(Invalid) as refused:
        load_vocabulary(path)
    assert says in str(refused.value)


def test_the_first_of_two_terms_that_could_be_meant_is() -> None:
    terms = [Term(name, "V", "float32", "gauge", "a", "b") for name in ("alpha_one", "alpha_two")]
    assert Vocabulary((term, ["al"]) for term in terms).meant("AL") == "alpha_one"


def test_derived_tags_are_looked_at_as_well(tmp_path: Path) -> None:
    tags = (
        "      - {name: a}\n"
        "    derived:\n"
        "      kwh_total: a * 2\n"
        "      energy_total: {expr: a * 3, unit: kW, kind: counter}\n"
    )
    assert [line.partition(": ")[0] for line in warned(tmp_path, tags)] == ["8:7", "9:41"]
