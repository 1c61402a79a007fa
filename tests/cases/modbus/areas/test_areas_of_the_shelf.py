"""The PLCs of the shelf: each of their words is at the address that the sources say, and each comes back from there.

`NAME.yaml` beside this file is what the sources say, written without looking at the map.
"""

import re
from pathlib import Path

import pytest
import yaml

from agent.config import configs_dir, load_map
from agent.config.maps import DeviceMap
from drivers.modbus.areas import LAST, Absent, Atlas, parsed
from tests.lengths import often

HERE = Path(__file__).parent
FACTS = {path.stem: path for path in sorted(HERE.glob("*.yaml"))}
PLCS = sorted(path for path in (configs_dir() / "devices").glob("*.yaml") if not load_map(path).tags)
FIRST = {"M", "D", "Q", "I", "AIW"}  # what a person asks a PLC for first
CHECKED = [  # said in so many words by a source
    ("xinje-xc", "D100", "holding", 0x0064),
    ("inovance-h3u", "C205", "coil", 62_669),
    ("inovance-h5u-easy", "Y1777", "coil", 0xFFFF),
    ("inovance-h5u-easy", "R32767", "holding", 0xAFFF),
    ("delta-dvp", "X377", "discrete", 0x04FF),
    ("delta-dvp", "M1536", "coil", 0xB000),
    ("siemens-s7-200smart-modbus", "Q31.7", "coil", 255),
    ("siemens-s7-200smart-modbus", "AIW110", "input", 55),
]

every_plc = pytest.mark.parametrize("path", PLCS, ids=lambda path: path.stem)


def atlas(found: DeviceMap) -> Atlas:
    return Atlas(found.places.known or {})


def facts(name: str) -> list[tuple[str, str, int]]:
    return [(word, register, address) for word, register, address in yaml.safe_load(FACTS[name].read_text("utf-8"))]


def test_every_plc_has_its_facts() -> None:
    assert {path.stem for path in PLCS} == FACTS.keys()


@pytest.mark.parametrize(("name", "word", "register", "address"), CHECKED)
def test_what_a_source_says_in_so_many_words(name: str, word: str, register: str, address: int) -> None:
    plc = atlas(load_map(configs_dir() / f"devices/{name}.yaml"))
    assert plc.find(parsed(word), register).address == address


@every_plc
def test_words_are_where_the_sources_say(path: Path) -> None:
    plc = atlas(load_map(path))
    said = facts(path.stem)
    assert [(word, register, plc.find(parsed(word), register).address) for word, register, _ in said] == said


@every_plc
def test_a_map_has_no_area_without_facts(path: Path) -> None:
    """The first and the last word of each area are among them."""
    said = {(word, register) for word, register, _ in facts(path.stem)}
    areas = load_map(path).places.known or {}
    assert {(end, area.register) for area in areas.values() for end in (area.first, area.last)} <= said


@every_plc
def test_every_word_of_every_area_comes_back(path: Path) -> None:
    """Word, address, word, and no two words of a table are at one address.

    All of them in the long form; in the short one every seventh, which has every digit, and the last.
    """
    found = load_map(path)
    plc = atlas(found)
    taken: set[tuple[str, int]] = set()
    for name, area in (found.places.known or {}).items():
        starts = range(area.base, area.stop, area.words)
        for at in {*starts[:: often(7, 1)], starts[-1]}:
            word = area.word(at)
            where = plc.find(parsed(word), area.register)
            assert (where.name, where.address) == (name, at)
            assert list(plc.words(area.register, at)) == [word]
        assert 0 <= starts[0] <= starts[-1] + area.words - 1 <= LAST
        spots = {(area.register, at) for at in range(starts[0], starts[-1] + area.words)}
        assert not spots & taken
        taken |= spots


@every_plc
def test_the_words_before_and_behind_an_area_are_not_there(path: Path) -> None:
    found = load_map(path)
    plc = atlas(found)
    for area in (found.places.known or {}).values():
        letters = area.begin.letters
        others = [each for each in (found.places.known or {}).values() if each.begin.letters == letters]
        same = [each for each in others if each.register == area.register]
        for beyond in (area.numbers.start - area.step, area.numbers.stop - 1 + area.step):
            if beyond < 0 or any(beyond in each.numbers for each in same):
                continue
            word = (
                f"{beyond // 8}.{beyond % 8}" if "." in area.first else format(beyond, "o" if area.radix == 8 else "")
            )
            with pytest.raises(Absent):
                plc.find(parsed(letters + word), area.register)


@every_plc
def test_a_map_says_how_sure_it_is(path: Path) -> None:
    """Confirmed is what a person asks for first; what no written source says is not on the shelf."""
    found = load_map(path)
    assert re.search(r"^status: (confirmed|draft)$", path.read_text("utf-8"), re.MULTILINE)
    areas = (found.places.known or {}).values()
    first = {area.status for area in areas if area.begin.letters in FIRST}
    assert (first == {"confirmed"}) is (found.head.status == "confirmed")
    assert "unverified" not in {area.status for area in areas}
    assert found.head.sources
    assert found.head.notes
    assert found.head.device.kind == "plc"


@every_plc
def test_inputs_cannot_be_written(path: Path) -> None:
    areas = (load_map(path).places.known or {}).values()
    inputs = [area for area in areas if area.begin.letters in ("X", "I", "AIW")]
    assert inputs
    assert all(area.read_only or area.register in ("discrete", "input") for area in inputs)
