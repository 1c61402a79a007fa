"""Names that become ours: as they were where that can be, and each of them once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.imports.names import Names, valid
from agent.imports.notes import Notes
from agent.model.text import is_name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("电压", "电压"),
        ("Boiler.Flow Temp", "Boiler.Flow_Temp"),
        ("a/b+c#d", "a_b_c_d"),
        ("  x\ty ", "x_y"),
        ("$SYS", "_$SYS"),
        ("file:/etc/passwd", "_file:_etc_passwd"),
        ("${HOME}", "_$_{HOME}"),
        ("///", "tag_1"),
        ("", "tag_1"),
        ("n" * 200, "n" * 128),
    ],
)
def test_a_name_stays_as_near_as_can_be(old: str, new: str) -> None:
    assert valid(old, "tag_1") == new


@given(st.text(max_size=140))  # more than a name may have
def test_every_name_is_one_that_our_files_allow(text: str) -> None:
    name = valid(text, "tag_1")
    assert is_name(name)
    assert "${" not in name


def test_a_name_that_is_taken_gets_a_number_and_is_told() -> None:
    notes = Notes()
    names = Names(notes)
    assert [names.give("x", "t", f"f:{at}") for at in range(3)] == ["x", "x_2", "x_3"]
    assert names.give("x_2", "t", "f:3") == "x_2_2"
    assert [(each.old, each.new) for each in notes.renamed] == [("x", "x_2"), ("x", "x_3"), ("x_2", "x_2_2")]


@given(st.lists(st.sampled_from(["a", "a b", "a_b", "a_2", "n" * 128, "n" * 129, ""]), max_size=40))
def test_no_name_is_given_twice(texts: list[str]) -> None:
    names = Names(Notes())
    given_ = [names.give(text, f"tag_{at}", "f") for at, text in enumerate(texts)]
    assert len(set(given_)) == len(given_)
    assert all(map(is_name, given_))
