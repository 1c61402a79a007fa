"""Patterns over browse paths."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.browsing import Place
from drivers.opcua.globs import Glob, Trails, glob

NAMES = st.lists(st.text("ab2:*/&?[]", min_size=1, max_size=4), max_size=5).map(tuple)


def stepped(pattern: Glob, names: tuple[str, ...]) -> bool:
    states = pattern.start()
    for name in names:
        states = pattern.step(states, name)
    return pattern.done(states)


@pytest.mark.parametrize(
    ("pattern", "path", "texts"),
    [
        ("Press*/**/Temp", "Objects 2:Press3 2:Oil 2:Tank 2:Temp", ("3",)),
        ("Press*/…/Temp", "Objects 2:Press3 2:Temp", ("3",)),
        ("/Objects/Press*", "Objects 2:Press3", ("3",)),
        ("/Press*", "Objects 2:Press3", None),
        ("2:Temp", "Objects 2:Temp", ()),
        ("*/Temp", "Objects 2:Oil 2:Temp", ("Oil",)),
        ("*:Oil/Temp", "Objects 2:Oil 2:Temp", ("2",)),
        ("./*/Temp", "2:M1 2:Oil 2:Temp", ("Oil",)),
        ("./*/Temp", "2:M1 2:Temp", None),
        ("./*/Temp", "Objects 2:M1 2:Oil 2:Temp", None),
        ("./**/T?mp", "2:M1 2:Oil 2:Temp", ("e",)),
        ("3:Temp", "Objects 2:Temp", None),
        ("V??", "Objects 2:V12", ("1", "2")),
        ("V??", "Objects 2:V1", None),
        ("a*b*c", "2:a-b-b-c", ("-", "-b-")),
        ("Axis[1]", "2:Axis[1]", ()),
        ("Axis[1]", "2:Axis1", None),
        ("a&/b", "2:a/b", ()),
        ("50&*", "2:50*", ()),
        ("50&*", "2:50 kg", None),
        ("&*&*", "2:x", None),
        ("**", "Objects 2:x 2:y", ()),
        ("/Objects/**", "Objects", ()),
        ("**/*/**/b*", "x y bq", ("x", "q")),
    ],
)
def test_a_pattern_and_a_path(pattern: str, path: str, texts: tuple[str, ...] | None) -> None:
    names = tuple(path.split(" ")) if "50 kg" not in path else (path,)
    assert glob(pattern).captures(names) == texts
    assert stepped(glob(pattern), names) is (texts is not None)


@pytest.mark.parametrize("text", ["", "/", "./", ".//", "a//b", "x" * 2000])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        glob(text)


def test_a_branch_that_cannot_match_any_more_is_known() -> None:
    pattern = glob("/Objects/Press*/Temp")
    states = pattern.step(pattern.start(), "Objects")
    assert pattern.step(states, "2:Press1")
    assert not pattern.step(states, "2:Oven")


def test_wildcards_are_counted_as_they_are_captured() -> None:
    assert [glob(text).wildcards for text in ("a", "**/a", "*/b?", "./*/&*", "a*b*c/…/??")] == [0, 0, 2, 1, 4]


def test_several_patterns_are_followed_at_once_and_what_is_alike_is_kept_once() -> None:
    found = [Place(-1, "Objects", "i=85", "object"), Place(0, "2:Press1", "ns=2;i=1", "object")]
    found += [Place(1, f"2:V{at}", f"ns=2;i={at + 2}", "variable", "int16") for at in range(100)]
    trails = Trails([glob("/Oven/*"), glob("Press*/V9*"), glob("Press*/V?")], found)
    assert [trails.first(at) for at in (0, 1, 2, 11, 12, 93)] == [None, None, 2, 1, None, 1]
    assert [bool(states) for states in trails.at(1)] == [False, True, True]
    assert len({id(trails.at(at)) for at in range(len(found))}) == 5


def test_a_pattern_made_to_be_slow_is_not() -> None:
    began = time.process_time()
    assert glob("*a" * 400 + "b").captures(("2:" + "a" * 256,)) is None
    assert glob("**/" * 300 + "b").captures(("a",) * 200) is None
    assert time.process_time() - began < 5


@given(st.text("ab2:*/&?[]…", max_size=12), NAMES)
def test_both_ways_to_follow_a_pattern_agree(text: str, names: tuple[str, ...]) -> None:
    try:
        pattern = glob(text)
    except ValueError:
        return
    assert stepped(pattern, names) is (pattern.captures(names) is not None)


@given(NAMES.filter(bool))
def test_a_path_whose_signs_are_escaped_fits_itself(names: tuple[str, ...]) -> None:
    escaped = ["".join(f"&{c}" if c in "&*?/" else c for c in name) for name in names]
    assert glob("/" + "/".join(escaped)).captures(names) == ()
