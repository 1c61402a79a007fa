"""A device map as a table: what its head says, which columns it has, and the cells of each tag."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agent.config.sections import MapHead
from agent.config.tables.cells import Column
from agent.config.tables.columns import paths
from agent.config.tables.flowing import flowing, is_seen
from agent.config.tables.forms import form_of, keys_of, literals, sections
from agent.config.tables.names import Names, parted
from agent.config.tables.spelt import Spelt, spell
from agent.registry import DriverConfig

FIRST = (
    *("name", "node", "match", "register", "address", "type", "order", "bit", "bits", "layout", "length"),
    *("scale", "offset", "unit", "as", "kind", "ratio", "invalid", "enum", "group", "enabled", "description"),
)
_EMPTY = (("name",), ("address",), ("type",), ("unit",))  # of a map that leaves the tags to its devices
_PLAIN = re.compile(r"[\w-][\w.-]*")


@dataclass(frozen=True, slots=True)
class Table:
    """`numeric` says of each column whether numbers in it are written as such."""

    head: list[tuple[str, Spelt]]
    titles: list[str]
    numeric: list[bool]
    rows: list[list[Spelt | None]]


@dataclass(frozen=True, slots=True)
class Described:
    """A map as it is written: what its `defaults` say is not in its `tags`, and is in the same tags of `whole`."""

    head: MapHead
    quirks: Mapping[str, Any]
    defaults: Mapping[str, Any]
    groups: Mapping[str, Any]
    tags: list[Mapping[str, Any]]
    whole: list[Mapping[str, Any]]
    areas: Mapping[str, Any]


def table_of(found: Described, config: type[DriverConfig], kind: type[BaseModel], names: Names, lang: str) -> Table:
    """Titles and keys in a language, `en` or `zh`. What the defaults say of where a tag is and what it holds is written
    out in each row, as people expect of a table. Raises ConfigError for what cannot stand in one."""
    rows = [
        dict(_flat({**{key: full[key] for key in full if key in FIRST}, **tag}, kind))
        for tag, full in zip(found.tags, found.whole, strict=True)
    ]
    used = dict.fromkeys(path for row in rows for path in row) or dict.fromkeys(_EMPTY)
    ordered = sorted(used, key=_place(kind))
    columns = [Column(at, "", path, form_of(kind, path) or "flow", kind) for at, path in enumerate(ordered)]
    cells = [
        [
            spell(row[column.path], column, names, f"tag {str(tag.get('name'))!r}") if column.path in row else None
            for column in columns
        ]
        for row, tag in zip(rows, found.tags, strict=True)
    ]
    titles = [_title(path, kind, names, lang) for path in ordered]
    numeric = [column.form == "word" and not _has_words(column) for column in columns]
    return Table(list(_head(found, config, kind, names, lang)), titles, numeric, cells)


def _has_words(column: Column) -> bool:
    return any(isinstance(word, str) for word in literals(column.kind, column.path))


def _place(kind: type[BaseModel]) -> Any:
    keys = list(dict.fromkeys((*FIRST, *keys_of(kind))))
    return lambda path: (keys.index(path[0]) if path[0] in keys else len(keys), len(path))


def _flat(tag: Mapping[str, Any], kind: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys of a tag; those of a section, such as `limits`, each by itself."""
    for key, value in tag.items():
        inner = {each for section in sections(kind, (key,)) for each in keys_of(section)}
        if isinstance(value, Mapping) and value and value.keys() <= inner:
            yield from (((key, each), below) for each, below in value.items())
        else:
            yield (key,), value


def _title(path: tuple[str, ...], kind: type[BaseModel], names: Names, lang: str) -> str:
    """In the language where it has a word for it that leads back to the same key."""
    key = ".".join(path)
    chinese = names.zh_columns.get(key) or ".".join((names.zh_columns.get(path[0], path[0]), *path[1:]))
    found = (each for each in paths(parted(chinese)[0], chinese, kind, names) if form_of(kind, each))
    return chinese if lang == "zh" and next(found, None) == path else key


def _head(
    found: Described, config: type[BaseModel], kind: type[BaseModel], names: Names, lang: str
) -> Iterator[tuple[str, Spelt]]:
    text = Column(0, "", ("description",), "text", MapHead)

    def said(key: str, value: Any, column: Column = text, name: str = "") -> tuple[str, Spelt]:
        title = names.zh_head.get(key, key) if lang == "zh" else key
        return f"{title}.{name}" if name else title, spell(value, column, names, key)

    for key, value in found.head.device.model_dump(exclude_unset=True).items():
        yield said(f"device.{key}", value)
    yield said("driver", found.head.driver)
    yield said("status", found.head.status)
    for key, listed in (("sources", found.head.sources), ("notes", found.head.notes)):
        yield from (said(key, each) for each in listed)
    for section, values, model in (
        ("quirks", found.quirks, config),
        ("defaults", found.defaults, kind),
        ("groups", found.groups, MapHead),
        ("areas", found.areas, MapHead),
    ):
        for key, value in values.items():
            if _is_plain(key):
                form = (form_of(model, (key,)) if model is not MapHead else None) or "flow"
                yield said(section, value, Column(0, "", (key,), form, model), key)
        rest = {key: value for key, value in values.items() if not _is_plain(key)}
        if rest:
            title = names.zh_head.get(section, section) if lang == "zh" else section
            yield title, flowing(rest)


def _is_plain(key: str) -> bool:
    """Whether it can stand behind the name of its section."""
    return _PLAIN.fullmatch(key) is not None and is_seen(key)
