"""Which tags are read together: the schemas of a device, where their columns live, and how the server watches them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from agent.model.tag import Schema
from agent.model.tag import Tag as ModelTag
from drivers.api import scan_groups
from drivers.opcua.columns import Columns
from drivers.opcua.config import Config, Tag
from drivers.opcua.monitoring import Watch, watch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """One scan group: `nodes` and `watches` in the order of the schema's tags, `interval` in seconds.

    A node is kept as the text that the file has: each session parses it anew, which costs less than to keep the parts
    of thousands. `enums` are the columns whose numbers become names.
    """

    schema: Schema
    interval: float
    nodes: tuple[str, ...]
    watches: tuple[Watch, ...]
    columns: Columns
    enums: frozenset[int] = frozenset()


def plans(config: Config, found: Sequence[Tag] = ()) -> tuple[Plan, ...]:
    """One plan per group; a subscribed group's schema is event-driven (interval 0).

    `found` are the tags that the device's patterns have found: they are the last of their groups. A polled group of
    which nothing has been found yet has a plan without tags.
    """
    groups = scan_groups(config, [*(tag for tag in config.tags if not tag.match), *found])
    if config.mode == "poll":
        groups = {key: [] for key in scan_groups(config, config.tags)} | groups
    return tuple(_plan(config, group, interval, tags) for (group, interval), tags in groups.items())


def move(table: dict[Schema, T] | None, before: Schema, after: Schema) -> None:
    """What is kept of a schema that has grown is kept of the bigger one."""
    if table and before in table:
        table[after] = table.pop(before)


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most `size` items, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _plan(config: Config, group: str, interval: float, tags: Sequence[Tag]) -> Plan:
    columns = tuple(_column(tag) for tag in tags)
    schema = Schema(config.name, group, columns, interval if config.mode == "poll" else 0.0)
    one = lru_cache(1024)(lambda told: told)  # thousands of tags are watched alike: one object for all of them
    watches = tuple(one(watch(interval, tag, config.groups.get(tag.group), config)) for tag in tags)
    enums = frozenset(column for column, tag in enumerate(tags) if tag.type == "enum")
    return Plan(schema, interval, tuple(tag.node for tag in tags), watches, Columns(schema), enums)


def _column(tag: Tag) -> ModelTag:
    return ModelTag(tag.name, tag.dtype, tag.unit, tag.kind)
