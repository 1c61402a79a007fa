"""A value as the text of a cell: the plainest one that is read back as the same value, and that no spreadsheet runs."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.config.problems import Mark
from agent.config.tables.cells import DANGEROUS, EXACT, Column, read_cell
from agent.config.tables.flowing import flowing, is_seen, number, quoted
from agent.config.tables.grid import Refused
from agent.config.tables.names import Names
from agent.model.errors import ConfigError

_NOWHERE = Mark("", 1, 1)
Spelt = str | int | float


def spell(value: Any, column: Column, names: Names, where: str) -> Spelt:
    """What to write into the column; numbers stay numbers where a workbook keeps them exactly. Raises ConfigError."""
    for spelt in _spellings(value, column):
        try:
            found = read_cell(spelt, column, _NOWHERE, names)
        except Refused:
            continue
        if found is not None and not found.order and same(found.value, value):
            return spelt
    raise ConfigError(f"{where}: {'.'.join(column.path)}: {value!r} cannot stand in a table", hint="export it as YAML")


def _spellings(value: Any, column: Column) -> Iterator[Spelt]:
    if isinstance(value, str):
        first = value[:1]
        if first and is_seen(value) and value == value.strip() and first not in DANGEROUS:
            yield value
        if first and is_seen(value) and value == value.strip() and column.form == "text":
            yield f"'{value}"
        yield quoted(value)
    elif isinstance(value, list | tuple | Mapping):
        yield flowing(value)
    elif isinstance(value, bool) or value is None:
        yield number(value)
    elif isinstance(value, int) and abs(value) < EXACT:
        yield value
    elif isinstance(value, float) and float(f"{value:.15g}") == value:  # as many digits as a workbook keeps
        yield value
        yield number(value)
    else:
        yield number(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: 1 and 1.0 do, 1 and true do not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool) or not isinstance(one, int | float):
        return type(one) is type(other) and bool(one == other)
    return isinstance(other, int | float) and (one == other or (one != one and other != other))  # noqa: PLR0124  # NaN
