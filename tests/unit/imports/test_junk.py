"""Files that are not as they should be: a site that the check accepts, or an error that says why, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import Files, load
from agent.imports import Imported
from agent.imports.checking import environment
from agent.imports.sources import Source
from agent.model.errors import AgentError
from tests.lengths import often
from tests.unit.imports.builders import CASES, Path_, case_name, changed, site, sources, walk

JUNK: list[Any] = [
    *(None, True, False, 0, -1, 7, 65535, 65536, 10**30, 1.5, -0.0, 1e300, float("inf"), float("nan")),
    *(
        "",
        " ",
        "0",
        "-1",
        "1.5",
        "1e999",
        "0x10",
        "true",
        "null",
        "${HOME}",
        "$${X}",
        "file:/etc/passwd",
        "a\nb",
        "\x1b[2J",
    ),
    *(
        "\ud800",
        "名称",
        "x" * 5000,
        "0-50000000",
        "1!4",
        "400001",
        "{",
        "# x",
        ": ",
        "*x",
        "&x",
        "!!python/object",
        "\u202e",
    ),
    *([], {}, [[]], [{}], {"a": {"b": []}}, [1, 2, 4], ["x", None], {"": 1}),
]


def places(data: Any) -> list[Path_]:
    return [way for way, _ in walk(data) if way]


def accepted(found: Imported, folder: Path) -> None:
    texts = {(folder / name).absolute(): text.encode() for name, text in found.texts.items()}
    load(folder / "site.yaml", environment(*found.texts.values()), files=Files(texts))


def tried(given_: list[Source], case: Path, folder: Path) -> None:
    try:
        accepted(site(given_, case, folder), folder)
    except AgentError as error:
        if "fault of ours" in str(error):  # the check refuses what was made, and nothing of it could be taken out
            raise


STRUCTURED = [case for case in CASES if not list(case.glob("*.csv"))]


def nth(case: Path) -> Iterator[tuple[int, Path_]]:
    for number, source in enumerate(sources(case)):
        for way in places(source.data):
            yield number, way


@pytest.mark.parametrize("case", STRUCTURED, ids=case_name)
def test_any_value_may_be_junk(case: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    spots, read = list(nth(case)), sources(case)
    folder = tmp_path_factory.mktemp("site")

    @settings(max_examples=often(25, 400))
    @given(st.lists(st.tuples(st.sampled_from(spots), st.sampled_from(JUNK)), min_size=1, max_size=3))
    def check(changes: list[tuple[tuple[int, Path_], Any]]) -> None:
        data = [source.data for source in read]
        for (number, way), value in changes:
            try:
                data[number] = changed(data[number], way, value)
            except (KeyError, IndexError, TypeError, AttributeError):
                continue  # an earlier change took the place away
        tried([replace(source, data=each) for source, each in zip(read, data, strict=True)], case, folder)

    check()


TABLES = [case for case in CASES if list(case.glob("*.csv"))]


@pytest.mark.parametrize("case", TABLES, ids=case_name)
def test_any_cell_may_be_junk(case: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (read,) = sources(case)
    folder = tmp_path_factory.mktemp("site")
    texts = [str(value) for value in JUNK if not isinstance(value, list | dict)]

    @settings(max_examples=often(25, 400))
    @given(st.integers(0, len(read.rows) - 1), st.integers(0, 8), st.sampled_from(texts))
    def check(row: int, column: int, text: str) -> None:
        cells = list(read.rows[row].cells)
        cells[min(column, len(cells) - 1)] = text
        rows = (*read.rows[:row], replace(read.rows[row], cells=tuple(cells)), *read.rows[row + 1 :])
        tried([replace(read, rows=rows)], case, folder)

    check()
