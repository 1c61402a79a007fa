"""A PLC's own words as places in Modbus, and what is said of words that it does not have."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.api import LineConfig
from drivers.modbus.areas import LAST, Absent, Area, Atlas, parsed
from drivers.modbus.config import Config
from drivers.modbus.groups import planned
from drivers.modbus.placing import placed


def area(register: str, base: int, first: str, last: str, **more: Any) -> Area:
    return Area.model_validate({"register": register, "base": base, "first": first, "last": last, **more})


AREAS = {
    "M": area("coil", 0, "M0", "M7679"),
    "M8000": area("coil", 0x1F40, "M8000", "M8511", status="unverified"),
    "X": area("coil", 0xF800, "X0", "X377", radix=8, read_only=True),
    "T": area("coil", 0xF000, "T0", "T511"),
    "T_value": area("holding", 0xF000, "T0", "T511"),
    "D": area("holding", 0, "D0", "D8511"),
    "C32": area("holding", 0xF700, "C200", "C255", words=2),
    "Q": area("coil", 0x6000, "Q0.0", "Q31.7"),
    "AI": area("input", 0, "AIW0", "AIW110", step=2),
    "VD": area("holding", 0x3000, "VD1000", "VD1996", step=4, words=2),
}
PLC = Atlas(AREAS)


def keys(address: str, **more: Any) -> dict[str, Any]:
    found = placed(PLC, {"address": address, **more})
    assert found is not None
    assert found.problems == ()
    return {key: value for key, value in found.keys.items() if key != "address_base"}


def objection(address: str, **more: Any) -> tuple[str, str]:
    """(key, what is wrong and what to do)"""
    found = placed(PLC, {"address": address, **more})
    assert found is not None
    (said,) = found.problems
    return said.key, f"{said.message} ({said.hint})" if said.hint else said.message


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("D100", {"register": "holding", "address": 100}),
        ("d0100", {"register": "holding", "address": 100}),
        (" M20 ", {"register": "coil", "address": 20, "type": "bool"}),
        ("M8511", {"register": "coil", "address": 8511, "type": "bool"}),
        ("X17", {"register": "coil", "address": 0xF80F, "type": "bool"}),
        ("C205", {"register": "holding", "address": 0xF70A, "type": "int32"}),
        ("Q3.7", {"register": "coil", "address": 0x601F, "type": "bool"}),
        ("AIW110", {"register": "input", "address": 55}),
        ("VD1004", {"register": "holding", "address": 0x3002, "type": "int32"}),
        ("D7.15", {"register": "holding", "address": 7, "bit": 15}),
    ],
)
def test_a_word_is_a_place_and_sometimes_a_type(word: str, expected: dict[str, Any]) -> None:
    assert keys(word) == expected


def test_letters_that_mean_two_things_are_told_apart() -> None:
    assert keys("T5", type="bool")["register"] == "coil"
    assert keys("T5", type="uint16")["register"] == "holding"
    assert keys("T5", register="holding")["register"] == "holding"
    assert keys("T5", register="coil") == {"register": "coil", "address": 0xF005, "type": "bool"}
    assert keys("T5.3")["register"] == "holding"
    assert keys("T5", bit=3)["register"] == "holding"


def test_other_addresses_are_not_touched() -> None:
    for address in (100, "0x64", "40001", "4x0001", "1!400001", None, 1.5, ["D1"]):
        assert placed(PLC, {"address": address}) is None
    assert placed(PLC, {}) is None


@pytest.mark.parametrize(
    ("word", "more", "key", "says"),
    [
        ("M7700", {}, "address", "there is no M7700: it would be between M7679 and M8000"),
        ("D8512", {}, "address", "there is no D8512: the last one is D8511 (there are D0 to D8511)"),
        ("C7", {}, "address", "there is no C7: the first one is C200 (there are C200 to C255)"),
        (
            "X18",
            {},
            "address",
            "X18 cannot be: X counts in octal, and 8 and 9 are no octal digits (after X7 comes X10, ",
        ),
        ("X400", {}, "address", "there is no X400: the last one is X377 (there are X0 to X377)"),
        ("Q3", {}, "address", "Q3 is a byte (say which bit: Q3.0 to Q3.7)"),
        ("Q3.8", {}, "address", "a byte has no bit 8: Q3.0 to Q3.7"),
        ("AIW5", {}, "address", "AIW5 is none of AIW0 to AIW110 (there are AIW0, AIW2, …)"),
        ("M3.2", {}, "address", "M3.2 cannot be: M3 is one bit (leave the point away)"),
        ("D7.16", {}, "address", "D7.16 cannot be: a register has the bits 0 to 15 (`bit:` names one of a wider"),
        ("DD5", {}, "address", "there is no area DD (did you mean D5?)"),
        ("ZZ5", {}, "address", "there is no area ZZ (there are AIW, C, D, M, Q, T, VD, X)"),
        (
            "D 5",
            {},
            "address",
            "'D 5' is no word of a PLC: letters and a number, such as D100, X17 or Q0.3 (there are AIW",
        ),
        ("T5", {}, "address", "T5 is a coil and a holding register (`type: bool` means the bit, `type: uint16` or"),
        ("M6", {"register": "holding"}, "register", "M6 is a coil, and `register` says holding (leave `register` out)"),
        ("T6", {"register": "input"}, "register", "T6 is a coil or a holding register, and `register` says input"),
        ("D5.3", {"bit": 4}, "bit", "D5.3 says bit 3, and `bit` says 4 (keep one of the two)"),
        ("X17", {"write": {}}, "write", "X17 is an input of the PLC: it cannot be written (leave `write` out)"),
        ("C200", {"type": "uint16"}, "type", "C200 has 32 bits, a uint16 has not (int32, uint32 or float32)"),
        ("D8511", {"type": "int32"}, "address", "it takes 2 registers from D8511 on, and D8511 is the last one there"),
        ("D8500", {"type": "string", "length": 13}, "address", "it takes 13 registers from D8500 on, and D8511 is the"),
    ],
)
def test_a_word_that_is_not_there_is_told_with_what_is(word: str, more: dict[str, Any], key: str, says: str) -> None:
    where, said = objection(word, **more)
    assert (where, said[: len(says)]) == (key, says)


def test_an_area_without_a_written_source_is_doubted() -> None:
    found = placed(PLC, {"address": "M8000"})
    assert found is not None
    assert [said.message for said in found.doubts] == ["area 'M8000' is unverified: no written source says where it is"]
    other = placed(PLC, {"address": "M7"})
    assert other is not None
    assert other.doubts == ()


@pytest.mark.parametrize(
    ("said", "key", "says"),
    [
        ({"first": "D"}, "first", "is no word of a PLC"),
        ({"first": "D0", "last": "M9"}, "last", "'M9' is not such a word as `first`, 'D0'"),
        ({"first": "D5", "last": "D4"}, "last", "'D4' does not come after 'D5'"),
        ({"first": "D0", "last": "D5", "step": 2}, "last", "does not come after 'D0' in whole steps"),
        ({"first": "D0", "last": "D65535", "base": 1}, "last", "it would be at 65536, and the last address is 65535"),
        ({"first": "C0", "last": "C32767", "words": 2, "base": 1}, "last", "it would be at 65536"),
        ({"first": "X0", "last": "X8", "radix": 8}, "last", "8 and 9 are no octal digits"),
        ({"first": "Q0.0", "last": "Q0.7", "register": "holding"}, "first", "'Q0.0' is a bit"),
        ({"first": "M0", "last": "M7", "words": 2, "register": "coil"}, "words", "a coil is one bit"),
        ({"first": "D0", "last": "D5", "radix": 16}, "radix", "Input should be 10 or 8"),
    ],
)
def test_an_area_that_cannot_be_is_refused(said: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Area.model_validate({"register": "holding", "base": 0, **said})
    (problem,) = (each for each in caught.value.errors() if each["type"] != "missing")
    assert problem["loc"] == (key,)
    assert says in problem["msg"]


def device(tags: list[dict[str, Any]], **more: Any) -> Config:
    said = {"name": "plc", "driver": "modbus", "endpoint": "tcp://127.0.0.1", "areas": AREAS, "tags": tags, **more}
    return Config.model_validate(said)


def requests(config: Config) -> list[str]:
    return [str(each.block) for _, priced in planned(config, LineConfig(endpoint=config.endpoint)) for each in priced]


def test_what_lies_between_two_areas_is_never_read_along() -> None:
    """M7679 and M8000 are 321 coils apart, which would be cheap to read along: but there is nothing."""
    coils = [{"name": f"m{at}", "register": "coil", "address": at} for at in (7600, 7679, 8000, 8010)]
    assert [each.split(" (")[0] for each in requests(device(coils))] == ["coils 7600-7679", "coils 8000-8010"]
    assert len(requests(device(coils, areas={}))) == 1


def test_areas_that_are_neighbours_are_read_together() -> None:
    areas = {"D": area("holding", 0, "D0", "D9"), "E": area("holding", 10, "E0", "E9")}
    tags = [{"name": f"t{at}", "address": at} for at in (8, 12)]
    assert [each.split(" (")[0] for each in requests(device(tags, areas=areas))] == ["holding registers 8-12"]


def test_no_word_may_be_in_two_areas() -> None:
    both = {"D": area("holding", 0, "D0", "D99"), "more": area("holding", 500, "D50", "D60")}
    with pytest.raises(ValidationError, match="D50 is in 'more' and in 'D', which has D0 to D99"):
        device([{"name": "a", "address": 0}], areas=both)


@st.composite
def some_area(draw: st.DrawFn) -> Area:
    radix = draw(st.sampled_from([8, 10]))
    words, step = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2, 4]))
    count = draw(st.integers(1, 5000))
    base = draw(st.integers(0, LAST + 1 - count * words))
    start = draw(st.integers(0, 9000))
    dotted = words == step == 1 and draw(st.booleans())
    ends = (start, start + (count - 1) * step)
    numbers = [f"{each // 8}.{each % 8}" if dotted else format(each, "o" if radix == 8 else "") for each in ends]
    register = "coil" if dotted else "holding"
    kind = 10 if dotted else radix
    return area(register, base, f"W{numbers[0]}", f"W{numbers[1]}", radix=kind, words=words, step=step)


@given(some_area(), st.data())
def test_any_word_of_any_area_comes_back(found: Area, data: st.DataObject) -> None:
    plc = Atlas({"W": found})
    at = data.draw(st.integers(0, len(found.numbers) - 1))
    address = found.base + at * found.words
    assert plc.find(parsed(found.word(address)), found.register).address == address
    assert address + found.words - 1 <= LAST


@given(some_area(), st.integers(0, 99_999))
def test_a_number_is_in_an_area_or_refused(found: Area, number: int) -> None:
    plc = Atlas({"W": found})
    word = (
        f"W{number // 8}.{number % 8}" if "." in found.first else f"W{number:o}" if found.radix == 8 else f"W{number}"
    )
    if number in found.numbers:
        assert found.base <= plc.find(parsed(word), found.register).address < found.stop
    else:
        with pytest.raises(Absent):
            plc.find(parsed(word), found.register)


@given(st.text(max_size=20), st.sampled_from([None, "bool", "uint16", "int32", "string", 7]))
def test_whatever_is_written_is_a_place_or_a_problem(text: str, kind: object) -> None:
    found = placed(PLC, {"address": text} | ({} if kind is None else {"type": kind}))
    assert found is None or bool(found.problems) or 0 <= found.keys["address"] <= LAST
