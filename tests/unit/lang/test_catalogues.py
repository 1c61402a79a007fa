"""The catalogues have all that the source says and no more, and each message is found again, whatever fills it."""

import random
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

import click
import pytest

from agent.lang import load, path
from agent.lang.catalogue import Hole, Template, literals_of, made_of
from agent.lang.po import Entry, entries
from tests import house
from tests.lang import foreign
from tests.lang.catalogues import ENGLISH_CATALOGUE, TRANSLATED, english, faults
from tests.lang.extract import Found, Key, from_source

ONCE = pytest.mark.xdist_group("house")  # so that the source is read once
VALUES = ("'press-3'", "7", "12,345", "tcp://10.0.0.5:502", "/var/lib/x.yaml", "kWh", "0.25", "x_1", "4x0013", "a/t")


@pytest.fixture(scope="module")
def found() -> Iterator[Mapping[Key, Found]]:
    yield from_source()
    house.parsed.cache_clear()  # all trees together are large; this group has no other use for them


@pytest.fixture(scope="module", params=TRANSLATED)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@ONCE
def test_the_english_catalogue_is_what_the_source_says(found: Mapping[Key, Found]) -> None:
    """`python -m tests.lang --write` writes it anew."""
    assert english(found) == ENGLISH_CATALOGUE.read_text("utf-8")


@ONCE
def test_a_translated_catalogue_has_every_message_and_no_other(found: Mapping[Key, Found], language: str) -> None:
    """`python -m tests.lang` lists what is missing."""
    assert list(faults(found, entries(path(language).read_text("utf-8")))) == []


@ONCE
def test_a_fault_of_a_catalogue_is_named() -> None:
    there = {("", "{0} is late"): Found({"a.py": None}), ("", "new text"): Found({"b.py": None})}
    catalogue = [Entry("", "{0} is late", "迟到"), Entry("", "old text", "旧"), Entry("word", "no such word", "词")]
    told = list(faults(there, [*catalogue, catalogue[0]]))
    assert told == [
        "is there twice: '{0} is late'",
        "is not translated: b.py: 'new text'",
        "has other placeholders: '{0} is late': '迟到'",
        "is not said any more: 'old text'",
        "is not said any more: 'no such word'",
    ]
    assert "its braces are wrong" in next(iter(faults({("", "a b"): Found()}, [Entry("", "a b", "{")])))


def filled(entry: Entry, values: list[str]) -> tuple[str, str]:
    """The English text with these values in its holes, and what it is to become."""
    made = "".join(a + b for a, b in zip_longest(literals_of(entry.text), values, fillvalue=""))
    pieces = made_of(entry.translation)
    return made, "".join(values[piece.number] if isinstance(piece, Hole) else piece for piece in pieces)


def test_every_message_is_recognised_whatever_fills_it(language: str) -> None:
    """And none of them is taken for another: the values come out where they belong."""
    catalogue, chance, wrong = load(language), random.Random(8), []
    for entry in entries(path(language).read_text("utf-8")):
        if not entry.context:
            counts = Template.of(literals_of(entry.text), entry.translation).is_count
            values = ["7" if counts else chance.choice(VALUES) for _ in literals_of(entry.text)[1:]]
            text, meant = filled(entry, values)
            if catalogue.said(text) != meant:
                wrong.append((text, catalogue.said(text), meant))
    assert wrong == []


@pytest.mark.parametrize("text", foreign.CLICK)
def test_what_click_says_is_still_what_the_installed_click_says(text: str) -> None:
    folder = Path(click.__file__).parent
    source = "\n".join((folder / name).read_text("utf-8") for name in foreign.CLICK_SOURCES)
    pieces = [piece.strip(" .") for piece in literals_of(foreign.numbered(text)) if piece.strip(" .")]
    assert [piece for piece in pieces if piece not in source] == []
