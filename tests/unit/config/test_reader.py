"""YAML is read with places, and what cannot be read is said in plain words at its line."""

import time
import tracemalloc

import pytest

from agent.config.problems import Invalid, Mark, Report
from agent.config.reader import MAX_COPIED, MAX_DEPTH, keys_of, read
from agent.config.tree import Mapping, Sequence


def tree(text: str | bytes) -> object:
    report = Report()
    root = read(text.encode() if isinstance(text, str) else text, "f", report)
    report.settle()
    return root


def said(text: str | bytes) -> list[str]:
    with pytest.raises(Invalid) as caught:
        tree(text)
    return [str(problem) for problem in caught.value.problems]


def test_values_keys_and_items_know_their_place() -> None:
    root = tree("a: 1\nb:\n  - x\n  - {c: two}\n")
    assert isinstance(root, Mapping)
    assert root == {"a": 1, "b": ["x", {"c": "two"}]}
    assert root.key_marks["b"] == Mark("f", 2, 1)
    assert root.value_marks["a"] == Mark("f", 1, 4)
    items = root["b"]
    assert isinstance(items, Sequence)
    assert list(items.item_marks) == [Mark("f", 3, 5), Mark("f", 4, 5)]
    assert items[1].value_marks["c"] == Mark("f", 4, 9)


def test_columns_count_characters_not_bytes() -> None:
    root = tree("{电压: 1, b: 2}")
    assert isinstance(root, Mapping)
    assert root.key_marks["b"] == Mark("f", 1, 9)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert tree("1: a\nno: b\n~: c\n0x10: d") == {"1": "a", "no": "b", "~": "c", "0x10": "d"}


def test_quotes_make_text() -> None:
    assert tree("['1', \"true\", 'null', '']") == ["1", "true", "null", ""]


def test_a_block_scalar_is_text() -> None:
    assert tree("a: |\n  12\n") == {"a": "12\n"}


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert tree(b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert tree("a: &x {b: 1}\nc: *x\nd: &y 5\ne: *y") == {"a": {"b": 1}, "c": {"b": 1}, "d": 5, "e": 5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f:1:1: the file is empty"),
        ("# nothing\n", "f:1:1: the file is empty"),
        ("&a ~", "f:1:1: the file is empty"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second document starts here (keep one document per file)"),
        ("a:\n\tb: 1", "f:2:1: a tab cannot indent YAML (use spaces)"),
        ("a: @x", "f:1:4: a value cannot start with '@' (put it in quotes)"),
        ("a: b: c", "f:1:5: a ':' that cannot stand here"),
        ("a: 1\nb\n", "f:3:1: a key without ':'"),
        ("a: [1, 2\nb: 3", "f:2:2: the [ ] opened on line 1 is not closed here"),
        ("a: {b: 1", "f:2:1: the { } opened on line 1 is not closed here"),
        ("a: 'x", "f:1:6: the quotes opened on line 1 are never closed"),
        ("- a\nb: 1", "f:2:1: this does not fit the list that starts on line 1"),
        ("a: 'b' c", "f:1:8: this does not fit the mapping that starts on line 1"),
        ("a: ]", "f:1:4: a value is missing before this"),
        ('a: "\\q"', "f:1:5: this backslash escape is not known"),
        ("x: - a", "f:1:4: a list cannot start here"),
        ("a: !!python/object:os.system x", "f:1:4: the tag 'tag:yaml.org,2002:python/object:os.syste' is"),
        ("a: !secret x", "f:1:4: the tag '!secret' is not supported"),
        ("!!str a: 1", "f:1:1: the tag 'tag:yaml.org,2002:str' is not supported"),
        ("a: {<<: {b: 1}}", "f:1:5: merge keys (<<) are not supported"),
        ("? [a, b]\n: 1", "f:1:3: a key must be a plain word"),
        ("a: *nowhere", "f:1:4: nothing complete is named &nowhere above (define it before it is used)"),
        ("a: &a [*a]", "f:1:8: nothing complete is named &a above"),
        ("a: 1\nb: 2\na: 3", "f:3:1: the key 'a' is written twice (first on line 1; keep one)"),
        ("a: \x01", "f:1:4: a control character does not belong in YAML (remove it)"),
        (b"a: 1\nb: caf\xe9", "f:2:7: this is not UTF-8 text (save the file as UTF-8)"),
        ("a: 1".encode("utf-16"), "f:1:1: this is UTF-16 text (save the file as UTF-8)"),
        ("a: 1\nb: x\n".encode("utf-16-be"), "f:1:1: this looks like UTF-16 text (save the file as UTF-8)"),
        ("a: 1".encode("utf-32"), "f:1:1: this is UTF-32 text (save the file as UTF-8)"),
        (b"PK\x03\x04\x14\0", "f:1:1: this is an .xlsx or .zip file, not YAML (name a text file)"),
        (bytes(range(256)), "f:1:1: this is a binary file, not YAML (name a text file)"),
        (
            "a: 1\ndescription: 主表、一号车间\n".encode("gb18030"),
            "f:2:14: this looks like GBK (GB18030) (save the file as UTF-8: iconv -f GB18030 -t UTF-8)",
        ),
        ("b: Wärme für Öl\n".encode("latin-1"), "f:1:5: this is not UTF-8 text (save the file as UTF-8)"),
        ("a: {b: ${C}}", 'f:1:9: the { } opened on line 1 is not closed here (put "${NAME}" in quotes'),
        ("%YAML 3.0\n---\na: 1", "f:1:1: this is not YAML: found incompatible YAML document"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_place(text: str | bytes, message: str) -> None:
    (problem,) = said(text)
    assert problem.startswith(message)


def test_every_duplicate_key_is_said_and_the_first_one_counts() -> None:
    report = Report()
    assert read(b"a: 1\na: 2\nb: {c: 1, c: 2}", "f", report) == {"a": 1, "b": {"c": 1}}
    with pytest.raises(Invalid) as caught:
        report.settle()
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, 1), (3, 11)]


def test_depth_has_a_bound_that_aliases_do_not_get_round() -> None:
    assert tree("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert "nested deeper than 32 levels" in said("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))[0]
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    assert "nested deeper than 32 levels" in said(chain)[0]


BOMBS = {
    "billion laughs": "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
    "brackets": "[" * 900_000,
    "dashes": "- " * 400_000,
    "braces": "{a: " * 200_000,
    "question marks": "? " * 400_000,
    "anchors": "&a " * 300_000,
    "quotes": "'" * 900_000,
    "line ends": "\n" * 900_000,
    "a long key": "a" * 900_000 + ": 1",
    "digits": "a: " + "9" * 900_000,
    "aliases": "a: &a [1]\nb: [" + ",".join(["*a"] * 200_000) + "]",
}


def cost(data: bytes) -> float:
    started = time.process_time()
    read(data, "f", Report())
    return time.process_time() - started


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_little(bomb: str) -> None:
    """At most a second and a few megabytes, whatever a file of a megabyte says."""
    data = BOMBS[bomb].encode()
    assert min(cost(data), cost(data)) < 1.0


def test_aliases_cannot_grow_memory() -> None:
    data, report = BOMBS["billion laughs"].encode(), Report()
    tracemalloc.start()
    assert read(data, "f", report) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    with pytest.raises(Invalid, match=f"aliases .* stand for more than {MAX_COPIED:,} values"):
        report.settle()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a: 1\nb: {c: 1, d: [e]}\nf: [g, {h: i}]\nj:\n", {"a", "b", "f", "j"}),
        ("{a: *x, b: &y {c: 1}, d: *y}", {"a", "b", "d"}),
        ("a: 1\nstop: 2\nb: 3", {"a", "stop"}),
        ("a: 1\nb: [", {"a", "b"}),
        ("[a, b]", set()),
        ("a", set()),
        ("", set()),
        (b"\xff\xfea", set()),
    ],
)
def test_the_keys_of_a_file_are_told_without_its_values(text: str | bytes, keys: set[str]) -> None:
    assert keys_of(text if isinstance(text, bytes) else text.encode(), ("stop",)) == keys
