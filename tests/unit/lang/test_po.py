"""Catalogue files are read as gettext writes them, and a line that is none is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.lang.po import Entry, entries, quoted

FILE = r"""
# a comment
msgid ""
msgstr ""
"Language: zh\n"

#: a.py
#, python-brace-format
msgid "{0} of "
"{1}"
msgstr ""
"{1} \"之\" "
"{0}\n"

msgctxt "word"
msgid "text"
msgstr "文本"
"""


def test_entries_are_read() -> None:
    assert list(entries(FILE)) == [Entry("", "{0} of {1}", '{1} "之" {0}\n'), Entry("word", "text", "文本")]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_a_text_comes_back_as_it_was_quoted(text: str) -> None:
    assert [each.translation for each in entries(f'msgid "a"\nmsgstr {quoted(text)}')] == [text]


@pytest.mark.parametrize("line", ["msgid x", 'msgid "a" "b"', '"lost"', 'msgid "a\\"', "<<<<<<< HEAD"])
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 1 "):
        list(entries(line))
