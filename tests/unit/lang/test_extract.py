"""What is a message and what is not, and what templates an expression can make."""

import ast
from textwrap import dedent

import pytest

from tests.lang.extract import Source, extracted


def templates(code: str) -> list[str]:
    return [text for context, text in extracted([Source("a.py", ast.parse(dedent(code)))]) if not context]


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("raise ValueError('is too large')", ["is too large"]),
        ("raise E(f'{path}: {error} of {len(x)}', hint='look again')", ["{0}: {1} of {2}", "look again"]),
        ("f'such as {{x: {n}}}'", ["such as {{x: {0}}}"]),
        ("f\"{'virtual ' if far else ''}device {x}\"", ["virtual device {0}", "device {0}"]),
        ("f'{n} line' + f', {m} more' * bool(m)", ["{0} line, {1} more", "{0} line"]),
        ("'00' * size + ' zero bytes'", ["{0} zero bytes"]),
        ("said = 'not at all' if x else f'up to {x} m'", ["not at all", "up to {0} m"]),
        ("_n(len(x), 'device')", ["{0} device", "{0} devices"]),
        ("WORDS = {'the key': 'the value'}", ["the value"]),
        ("x = 'one line\\nanother line'", ["one line", "another line"]),
        ("f'a {kind}'", ["a {0}"]),
    ],
)
def test_a_message_is_found(code: str, made: list[str]) -> None:
    assert templates(code) == made


@pytest.mark.parametrize(
    "code",
    [
        "'''A docstring of the module.'''",
        "def f():\n    '''A docstring of it.'''",
        "log.warning('a line of the journal')",
        "assert x, 'an assertion that holds'",
        "re.compile('a pattern of words')",
        "cursor('SELECT a FROM b WHERE c')",
        "if text == 'some foreign words': ...",
        "x['a key of words']",
        "X: Literal['some more words'] = 1",
        "f'{a}: {b}'",
        "f'{a}/{b}.json'",
        "'word'",
        "'''\\ngateway: {id: a b}\\ndevices:\\n  - x: y z\\n'''",
    ],
)
def test_what_no_person_reads_is_not(code: str) -> None:
    assert templates(f"0\n{code}" if not code.startswith("'''A") else code) == []


def test_a_name_that_may_hold_nothing_is_told_as_a_part() -> None:
    code = """
    def f(x, y):
        more = f", {y} more" if y else ""
        raise ValueError(f"there is no {x}{more}")
    """
    assert templates(code) == ["there is no {0}, {1} more", "there is no {0}"]


def test_too_many_ways_are_one_with_holes() -> None:
    parts = "".join(f"{{'a' if x{n} else 'b'}}" for n in range(5))
    assert templates(f'f"one of {parts}"') == ["one of {0}{1}{2}{3}{4}"]


def test_fields_that_a_format_fills_are_holes() -> None:
    assert templates("X = '{value!r} is {what} here'\nX.format(value=1)") == ["{0} is {{what}} here"]
    assert templates("'{n:g} is too much'.format(n=1)") == ["{0} is too much"]
    assert templates("X = 'opened on line {line}'\nX.replace('{line}', '7')") == ["opened on line {0}"]


def test_the_help_of_a_command_is_told_by_paragraphs() -> None:
    code = '''
    @click.command("x")
    @click.option("--y", help="How many at most.")
    def command():
        """Show what
        it does.

        And more.
        """
    '''
    assert templates(code) == ["Show what it does.", "And more.", "How many at most."]


def test_columns_are_found_wherever_their_sides_stand() -> None:
    code = """
    NAMES = ("who", "old")
    table("Writes", at="left", valid_until="right", **dict.fromkeys(NAMES, "left"))
    more = {"raw": "left"}
    drawn.add_column("age")
    with progress("asked"): ...
    """
    keys = extracted([Source("a.py", ast.parse(dedent(code)))])
    assert {text for context, text in keys if context == "column"} == {
        *("Writes", "at", "valid until", "who", "old", "raw", "age", "asked")
    }
