"""How people title columns, and which words they write into cells: `configs/columns.yaml`, ready to be looked up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import normalize

from pydantic import Field

from agent.config.explain import validate
from agent.config.files import configs_dir, read_bytes
from agent.config.problems import Mark, Report, Scope
from agent.config.reader import read
from agent.registry import Section

MAX_FILE = 256 << 10
_FILLING = re.compile(r"[\s_\-:*]+")
_BEHIND = re.compile(r"[(\[]([^()\[\]]*)[)\]]\s*$")


class _Title(Section):
    zh: str
    aka: list[str] = Field([])


class _Unused(Section):
    why: str
    titles: list[str]


class _Truths(Section):
    yes: list[str]
    no: list[str]


class _File(Section):
    columns: dict[str, _Title]
    head: dict[str, _Title]
    sheets: list[str]
    unused: list[_Unused]
    empty: list[str]
    words: dict[str, dict[str, list[str]]]
    truths: _Truths
    assumed: dict[str, list[str]] = Field({}, description="words that mean something else in other products")


@dataclass(frozen=True, slots=True)
class Names:
    """Everything by its `squeezed` spelling. `columns` and `head` have the keys that a title may mean, the likeliest
    first; `words` has for each key which word of ours another one means, `assumed` those that are less than sure."""

    columns: Mapping[str, tuple[str, ...]]
    head: Mapping[str, str]
    unused: Mapping[str, str]
    sheets: frozenset[str]
    empty: frozenset[str]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    truths: Mapping[str, bool]
    assumed: Mapping[str, frozenset[str]]
    zh_columns: Mapping[str, str]
    zh_head: Mapping[str, str]


def squeezed(text: str) -> str:
    """Without what makes no difference between two spellings: width, case, spaces, _ and -."""
    return _FILLING.sub("", normalize("NFKC", text).casefold())


def parted(title: str) -> tuple[str, str]:
    """(squeezed title, what stands in parentheses at its end): ("周期", "ms") of `周期 (ms)`."""
    plain = normalize("NFKC", title).strip()
    found = _BEHIND.search(plain)
    if found and found.start() > 0:
        return squeezed(plain[: found.start()]), squeezed(found[1])
    return squeezed(plain), ""


@cache
def names(path: Path | None = None) -> Names:
    """Those of `configs/columns.yaml`, read once. Raises Invalid and Unreadable."""
    path = path or configs_dir() / "columns.yaml"
    report = Report()
    root = read(read_bytes(path, MAX_FILE), str(path), report)
    found = validate(_File, root, Mark(str(path), 1, 1), Scope(report))
    report.settle()
    assert found is not None
    return _names(found)


def _names(file: _File) -> Names:
    columns: dict[str, tuple[str, ...]] = {}
    for key, title in file.columns.items():
        for each in (key, title.zh, *title.aka):
            columns[squeezed(each)] = tuple(dict.fromkeys((*columns.get(squeezed(each), ()), key)))
    head = {squeezed(each): key for key, title in file.head.items() for each in (key, title.zh, *title.aka)}
    truths = dict.fromkeys(map(squeezed, ("true", *file.truths.yes)), True)
    truths |= dict.fromkeys(map(squeezed, ("false", *file.truths.no)), False)
    return Names(
        columns,
        head,
        {squeezed(title): each.why for each in file.unused for title in each.titles},
        frozenset(map(squeezed, file.sheets)),
        frozenset(normalize("NFKC", each).casefold() for each in file.empty),
        {key: _meant(table) for key, table in file.words.items()},
        truths,
        {key: frozenset(map(squeezed, listed)) for key, listed in file.assumed.items()},
        {key: title.zh for key, title in file.columns.items()},
        {key: title.zh for key, title in file.head.items()},
    )


def _meant(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word, others in table.items():
        for each in (word, *others):
            found[squeezed(each)] = (*found.get(squeezed(each), ()), word)
    return found
