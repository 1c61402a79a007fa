"""Patterns over browse paths."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.globs import Glob, glob

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


@pytest.mark.parametrize("text", ["", "/", "a//b", "x" * 2000])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        glob(text)


def test_a_branch_that_cannot_match_any_more_is_known() -> None:
    pattern = glob("/Objects/Press*/Temp")
    states = pattern.step(pattern.start(), "Objects")
    assert pattern.step(states, "2:Press1")
    assert not pattern.step(states, "2:Oven")


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
