"""The Chinese first page is level with the English one: the same headings, commands, examples and links.

Prose is translated, and so are remarks behind a `#` and what a command prints. One table is not repeated: that of the
faults and what was seen, which the Chinese page links to.
"""

import re

import pytest

from tests.house import ROOT

ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))
NOT_REPEATED = "| fault |"  # how the head of that table begins
THERE = "README.md#what-may-be-lost-and-when"

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
CODE = re.compile(r"`[^`]*`")


def headings(page: str) -> list[str]:
    """Their levels, in their order."""
    return HEADING.findall("\n".join(line for line in page.split("\n") if not line.startswith("    ")))


def examples(page: str) -> list[list[str]]:
    """The indented blocks, without remarks; of what is printed below a `$ command` only how many lines it has."""
    blocks: list[list[str]] = [[]]
    for line in page.split("\n"):
        if line.startswith("    "):
            blocks[-1].append(re.sub(r"\s+# .*", "", line))
        elif line or not blocks[-1]:
            blocks.append([])
    return [told(block) for block in blocks if block]


def told(block: list[str]) -> list[str]:
    if block[0].startswith("    $ "):
        return [line if line.startswith("    $ ") else "printed" for line in block]
    return ["printed"] * len(block) if re.match(r"    \S+: (needs|\u9700\u8981) ", block[0]) else block


def tables(page: str) -> list[list[str]]:
    """The rows of each."""
    found = re.findall(r"(?:^\|.*\n?)+", page, re.MULTILINE)
    return [table.rstrip("\n").split("\n") for table in found if not table.startswith(NOT_REPEATED)]


def first_cell(row: str) -> list[str]:
    """The code in it: a command, an option."""
    return CODE.findall(re.split(r"(?<!\\)\|", row)[1])


def links(page: str) -> set[str]:
    return {target for target in LINK.findall(page) if not target.startswith("README")}


def test_the_pages_lead_to_each_other() -> None:
    assert "(README.zh-CN.md)" in ENGLISH.split("\n## ")[0]
    assert "(README.md)" in CHINESE.split("\n## ")[0]


def test_the_headings_are_the_same() -> None:
    assert headings(CHINESE) == headings(ENGLISH)


def test_the_examples_are_the_same() -> None:
    assert examples(CHINESE) == examples(ENGLISH)


def test_the_tables_have_the_same_rows() -> None:
    ours, theirs = tables(CHINESE), tables(ENGLISH)
    assert [len(table) for table in ours] == [len(table) for table in theirs]
    assert [list(map(first_cell, table)) for table in ours] == [list(map(first_cell, table)) for table in theirs]


def test_the_table_that_is_not_repeated_is_linked_to() -> None:
    assert NOT_REPEATED in ENGLISH
    assert f"({THERE})" in CHINESE


def test_the_links_lead_to_the_same_pages() -> None:
    assert links(CHINESE) == links(ENGLISH)


def test_the_options_that_the_prose_names_are_the_same() -> None:
    """Code in prose, as often as the English page has it; what stands in its other table aside."""

    def named(page: str) -> set[str]:
        prose = "\n".join(line for line in page.split("\n") if not line.startswith(("    ", "|")))
        return set(CODE.findall(re.sub(r"\[[^\]]*\]\([^)]*\)", "", prose)))

    assert named(CHINESE) == named(ENGLISH)


@pytest.mark.parametrize(
    ("page", "other"),
    [("# a\n## b\n", "# a\n### b\n"), ("# a\n\n    # b\n", "# a\n\n# b\n")],
)
def test_other_headings_are_noticed(page: str, other: str) -> None:
    assert headings(page) != headings(other)


def test_another_command_is_noticed_and_a_remark_is_not() -> None:
    one, remarked, other = "x\n\n    run -c a  # so\n", "y\n\n    run -c a  # otherwise\n", "x\n\n    run -c b  # so\n"
    assert examples(one) == examples(remarked) != examples(other)
    assert (
        examples("    $ check\n    wrong\n") == examples("    $ check\n    anything\n") == [["    $ check", "printed"]]
    )


def test_a_row_less_is_noticed() -> None:
    one = "| a | b |\n|---|---|\n| `run` | x |\n| `stop` | y |\n"
    assert tables(one) != tables(one.replace("| `stop` | y |\n", ""))
    assert [first_cell(row) for row in tables(one)[0]] == [[], [], ["`run`"], ["`stop`"]]
    assert first_cell("| `list\\|show NAME` | x |") == ["`list\\|show NAME`"]
