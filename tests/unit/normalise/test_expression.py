"""Formulas: what is understood gives what it should, and nothing else comes near the compiler."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.normalise.compiled import fast
from agent.normalise.expression import LONGEST, Formula, Wrong, parse
from tests.lengths import often
from tests.unit.normalise import formulas

TAGS = {"a": 7, "b": 2.5, "c": -3, "on": True, "mode": "auto", "温度": 21.5}


def read(text: str) -> Formula | Wrong:
    try:
        return parse(text)
    except Wrong as error:
        return error


def value(text: str, dtype: str = "float64", **tags: Any) -> Any:
    formula, known = parse(text), TAGS | tags
    slots = {name: place for place, name in enumerate(formula.names)}
    return fast(formula, slots, dtype)([known[name] for name in formula.names])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b + c", 6.5),
        ("a // 2 * 2 + a % 2", 7.0),
        ("-a ** 2", -49.0),
        ("(a - 1) / 4", 1.5),
        ("1 < b <= 2.5", 1.0),
        ("a if on else b", 7.0),
        ("0 if on and c > 0 else 1", 1.0),
        ("not on", 0.0),
        ("mode == 'auto' and mode != \"hand\"", 1.0),
        ("'auto' == mode", 1.0),
        ("min(a, b, c) + max(a, b)", 4.0),
        ("abs(c) + sqrt(a + 2)", 6.0),
        ("clamp(a, 0, 5) + clamp(c, 0, 5)", 5.0),
        ("avg(a, b, c, 3.5)", 2.5),
        ("sum(a, b, c)", 6.5),
        ("round(b * 1.11, 1) + round(b) + floor(b) + ceil(b)", 9.8),
        ("温度 > 20", 1.0),
        ("a and c", 1.0),
        ("b if true else a", 2.5),
        ("0x10 + 1e1 + a", 33.0),
        (" ( a\n + b ) ", 9.5),
    ],
)
def test_it_is_calculated(text: str, expected: float) -> None:
    found = value(text)
    assert (found, type(found)) == (pytest.approx(expected), float)


@pytest.mark.parametrize(
    ("text", "dtype", "expected"),
    [
        ("a > 3", "bool", True),
        ("a", "bool", True),
        ("a * 2**8 + 9007199254740993", "int64", 9007199254740993 + 7 * 256),
        ("b * 2", "int64", 5),
        ("on + on", "int64", 2),
    ],
)
def test_a_value_has_its_type(text: str, dtype: str, expected: int) -> None:
    found = value(text, dtype)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["b", "a * 4611686018427387904", "sqrt(c)", "1 / (a - 7)", "a % 0"])
def test_what_is_no_int64_raises(text: str) -> None:
    with pytest.raises((ArithmeticError, ValueError)):
        value(text, "int64")


@pytest.mark.parametrize("text", ["1 < a", "a == b", "not a", "a and b", "a > 1 if b else true", "good(a)"])
def test_what_is_true_or_false_is_known(text: str) -> None:
    assert parse(text).truth


@pytest.mark.parametrize("text", ["a", "a + b", "a > 1 if b else 0", "-a", "max(a > 1, b)"])
def test_what_is_a_number_is_known(text: str) -> None:
    assert not parse(text).truth


def test_names_are_told_by_how_they_are_used() -> None:
    formula = parse("x if mode == 'auto' and y == z else good(w)")
    assert formula.names == ("x", "mode", "y", "z", "w")
    assert (set(formula.numbers), set(formula.words)) == ({"x"}, {"mode"})


ATTACKS = [
    ("9**9**9 + a", 3, "a power must be a whole number from 0 to 8"),
    ("a**9", 3, "a power must be"),
    ("a**b", 3, "a power must be"),
    ("a**-1", 3, "a power must be"),
    ("a**True", 3, "a power must be"),
    ("((((a**8)**8)**8)**8)**8", 2, "its numbers may grow too large"),
    ("*".join(["floor(a)"] * 20), 0, "its numbers may grow too large"),
    ("a << 99", 0, "<< is not understood"),
    ("a | 1", 0, "| is not understood"),
    ("~a", 0, "~ is not understood"),
    ("a @ b", 0, "@ is not understood"),
    ("b + a.real", 4, "a dot is not understood"),
    ("a.__class__.__bases__[0]", 0, "[ ] is not understood"),
    ("a[0]", 0, "[ ] is not understood"),
    ("'x' * 1000000000", 0, "text cannot stand here"),
    ("mode + 'x'", 7, "text cannot stand here"),
    ("mode < 'x'", 7, "text is compared with a tag"),
    ("'a' == 'a'", 0, "text is compared with a tag"),
    ("mode == 'x' == 'y'", 8, "text is compared with a tag"),
    ("mode in 'x'", 0, "`in` or `is` is not understood"),
    ("a is b", 0, "`in` or `is` is not understood"),
    ("mode == 'x' or mode > 3", 0, "mode is compared with text here and used as a number elsewhere"),
    ("f'{a}'", 0, "text with { } is not understood"),
    ("a, b", 0, "a comma is not understood"),
    ("[a]", 0, "[ ] is not understood"),
    ("{a}", 0, "{ } is not understood"),
    ("{a: b}", 0, "{ } is not understood"),
    ("lambda: a", 0, "lambda is not understood"),
    ("[a for a in b]", 0, "a list is not understood"),
    ("sum(a for a in b)", 3, "a list is not understood"),
    ("(a := 1)", 1, ":= is not understood"),
    ("await a", 0, "await is not understood"),
    ("(yield a)", 1, "yield is not understood"),
    ("(yield from a)", 1, "yield is not understood"),
    ("__import__('os').system('x')", 0, "this is no function that can be called"),
    ("__import__('os')", 0, "__import__ is no function that can be called"),
    ("eval(a)", 0, "eval is no function"),
    ("a(1)", 0, "a is no function"),
    ("abs(a)(1)", 0, "this is no function"),
    ("whole(a)", 0, "whole is no function"),
    ("min(a)", 0, "min takes 2 to 200 arguments"),
    ("abs(a, b)", 0, "abs takes 1 argument"),
    ("round(a, 999999999)", 9, "digits are a whole number from 0 to 15"),
    ("round(a, b)", 9, "digits are"),
    ("round(a, ndigits=2)", 0, "round takes 1 to 2 arguments"),
    ("min(*a, b)", 4, "* is not understood"),
    ("good(a + 1)", 5, "good takes the name of a tag"),
    ("usable(1)", 7, "usable takes the name of a tag"),
    ("None", 0, "None cannot stand here"),
    ("...", 0, "Ellipsis cannot stand here"),
    ("a + 1j", 4, "1j cannot stand here"),
    ("a == b''", 5, "b'' cannot stand here"),
    ("1e999 * a", 0, "a number is too large"),
    ("a + 18446744073709551616", 4, "a number is larger than 64 bits"),
    ("a + " + "9" * 480, 4, "a number is larger than 64 bits"),
    ("a + 0x" + "f" * 400, 4, "a number is larger than 64 bits"),
    ("", 0, "it is empty"),
    ("  ", 2, "it is empty"),
    ("1 + 2", 0, "there is no tag in it"),
    ("true", 0, "there is no tag in it"),
    ("a" * (LONGEST + 1), 0, "it is longer than 500 characters"),
    ("-" * 400 + "a", 131, "it has too many parts"),
    ("(" * 240 + "a" + ")" * 240, 200, "this is no formula: too many nested parentheses"),
    ("+".join("a" * 200), 0, "it has too many parts"),
    ("a if " * 60 + "a" + " else a" * 25, 0, "this is no formula"),
    ("a\n+ b", 2, "this is no formula"),
    ("a = 1", 2, "this is no formula"),
    ("a; b", 1, "this is no formula"),
    ("a +", 2, "this is no formula"),
    ("(a", 0, "this is no formula: '(' was never closed"),
    ("1or a", 0, "this is no formula: invalid decimal literal"),
    ("a\0", 0, "this is no formula"),
    ("a # b\nimport os", 0, "this is no formula"),
    ("温 + ü.x", 4, "a dot is not understood"),
    ("  (a +\n  b.c)", 9, "a dot is not understood"),
]


@pytest.mark.parametrize(("text", "column", "message"), ATTACKS, ids=[text[:24] for text, _, _ in ATTACKS])
def test_anything_else_is_refused_with_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    if "\0" not in text and "import os" not in text and not text.startswith(("+", "a+a", "a if")):
        assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a && b", "write and"),
        ("a || b", "write or"),
        ("!a", "write not"),
        ("a = 5", "write =="),
        ("a <> b", "write !="),
        ("  a \N{MULTIPLICATION SIGN} b", "write *"),
        ("\N{FULLWIDTH LEFT PARENTHESIS}a + b)", "write ("),
        ("a \N{FULLWIDTH PLUS SIGN} b", "write +"),
        ("a ==", ""),
        ("a b", ""),
    ],
)
def test_a_sign_of_another_language_is_told_in_ours(text: str, hint: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse(text)
    assert caught.value.hint == hint


def test_a_tag_is_called_as_the_file_says() -> None:
    """Python itself would make them A, μ and fi."""
    names = ("Ａ相", "µ", "ﬁ")
    text = " + ".join(names)
    assert (parse(text).names, parse(text).columns) == (names, (0, 5, 9))
    assert value(text, **dict(zip(names, (1, 2, 3), strict=True))) == 6


def test_a_hundred_tags_can_be_added_up() -> None:
    names = [f"m{n:02d}" for n in range(100)]
    assert value("+".join(names), **dict.fromkeys(names, 0.5)) == 50.0
    assert value(f"sum({','.join(names)})", **dict.fromkeys(names, 0.5)) == 50.0


@settings(max_examples=often(150, 5000))
@given(st.text(alphabet=st.sampled_from("ab1.+-*/%()[]{}<>=!,:'\" \\\n#@~^&|ifelsornd_9e"), max_size=60))
def test_no_text_brings_it_down(text: str) -> None:
    """It is a formula or Wrong, with a column inside of it; and a formula gives a number or one of three errors."""
    formula = read(text)
    if isinstance(formula, Wrong):
        assert 0 <= formula.column <= len(text)
        return
    slots = {name: place for place, name in enumerate(formula.names)}
    try:
        found = fast(formula, slots, "float64")([3] * len(slots))
    except (ArithmeticError, TypeError, ValueError):
        found = 0.0
    assert isinstance(found, float)


@settings(max_examples=often(150, 5000), deadline=None)
@given(formulas.trees(), formulas.columns())
def test_it_is_what_a_plain_walk_of_the_tree_gives(tree: formulas.Tree, columns: formulas.Columns) -> None:
    text = formulas.text(tree)
    formula = read(text)
    if isinstance(formula, Wrong):
        assert formulas.is_large(tree)
        return
    slots = {name: place for place, name in enumerate(formula.names)}
    try:
        found: object = fast(formula, slots, "float64")([columns[name][0] for name in formula.names])
    except (ArithmeticError, TypeError, ValueError):
        found = None
    assert formulas.same(found, formulas.plain(tree, {name: (columns[name][0], 0) for name in columns}).value)
