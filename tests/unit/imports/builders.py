"""The files of tests/cases/import, read, and sites made of what was changed in them."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from agent.imports import Imported, Options
from agent.imports.formats import made
from agent.imports.notes import Notes
from agent.imports.sources import Source, take
from tests.house import ROOT

CASES = sorted({path.parent for path in (ROOT / "tests/cases/import").glob("*/*/*")})
OURS = {"site.yaml", "values.yaml", "options.yaml"}
Path_ = tuple[str | int, ...]


def case_name(case: Path) -> str:
    return f"{case.parent.name}/{case.name}"


def sources(case: Path) -> list[Source]:
    """With plain dicts and lists, so that they can be changed."""
    found = [take(path, Notes()) for path in sorted(case.iterdir()) if path.name not in OURS]
    return [replace(each, data=_plain(each.data)) for each in found]


def options(case: Path) -> Options:
    file = case / "options.yaml"
    return Options(**(yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}))


def site(found: list[Source], case: Path, folder: Path) -> Imported:
    return made(found, case.parent.name, options(case), folder, Notes(), maps=False)


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(item) for item in data] if isinstance(data, list) else data


def walk(data: Any, way: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value with the way to it, the root first."""
    yield way, data
    pairs: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield from walk(value, (*way, key))


def changed(data: Any, way: Path_, value: Any) -> Any:
    """A copy in which another value stands at the end of the way."""
    if not way:
        return value
    found = deepcopy(data)
    holder = found
    for key in way[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) != isinstance(way[-1], str):
        raise TypeError("an earlier change put something else there")
    holder[way[-1]] = value
    return found
