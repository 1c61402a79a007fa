"""Nothing is shipped under a licence that we may not ship, or without its text."""

import pytest

import licenses
from context import Failure
from parts import Part
from tests.unit.packaging import bill


def part(name: str, license_: str, text: str = "Do as you like.") -> Part:
    return Part(name, "1.0", f"pkg:pypi/{name}@1.0", license_, texts={"LICENSE": text} if text else {})


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("MIT", True),
        ("GPL-3.0-or-later", False),
        ("GPL-3.0-or-later OR MIT", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("MIT AND (GPL-2.0-only OR Apache-2.0)", True),
        ("(MIT OR GPL-2.0-only) AND AGPL-3.0-only", False),
        ("GPL-2.0-or-later WITH Bootloader-exception", True),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", False),
        ("EPL-2.0 OR BSD-3-Clause", True),
        ("Do What You Like", False),
        ("MIT OR", False),
        ("", False),
    ],
)
def test_an_expression_passes_when_it_lets_us_choose_something_allowed(expression: str, passes: bool) -> None:
    assert licenses.passes(expression) is passes


def test_all_that_is_needed_to_run_may_be_shipped_and_has_its_text() -> None:
    found = bill.runtime().others
    assert [*licenses.refused(found), *licenses.silent(found)] == []


def test_what_may_not_be_shipped_is_told_by_name() -> None:
    holder = part("wheel", "MIT")
    holder.holds = [part("crate", "AGPL-3.0-only")]
    with pytest.raises(
        Failure, match=r"reader 1.0 is under GPL-3.0-or-later.*crate 1.0 is under AGPL.*mute 1.0 brings no text"
    ):
        licenses.text([part("reader", "GPL-3.0-or-later"), holder, part("mute", "MIT", "")], "1.2.3", "")


def test_a_text_stands_once_with_all_who_share_it() -> None:
    said = licenses.text([part("one", "MIT"), part("two", "MIT")], "1.2.3", "Our own.")
    assert said.count("Do as you like.") == 1 and "one 1.0: LICENSE\ntwo 1.0: LICENSE\n" in said and "Our own." in said


def test_a_notice_without_a_text_gets_the_wording_of_its_identifier() -> None:
    noticed = part("serial", "BSD-3-Clause", "")
    noticed.texts = {"copyright": "Copyright (c) 2001 Somebody"}
    said = licenses.text([noticed], "1.2.3", "")
    assert "serial 1.0: Copyright (c) 2001 Somebody" in said and "Neither the name of the copyright holder" in said
