"""Which tags are read together: the schemas of a device, and where their columns live on the server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.model.tag import Schema
from agent.model.tag import Tag as ModelTag
from drivers.api import scan_groups
from drivers.opcua.columns import Columns
from drivers.opcua.config import Config, Tag
from drivers.opcua.nodes import NodeAddress, parse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """One scan group: `nodes` in the order of the schema's tags, `interval` in seconds."""

    schema: Schema
    interval: float
    nodes: tuple[NodeAddress, ...]
    columns: Columns


def plans(config: Config) -> tuple[Plan, ...]:
    """One plan per group; a subscribed group's schema is event-driven (interval 0)."""
    return tuple(
        _plan(config, group, interval, tags) for (group, interval), tags in scan_groups(config, config.tags).items()
    )


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most `size` items, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _plan(config: Config, group: str, interval: float, tags: Sequence[Tag]) -> Plan:
    columns = tuple(_column(tag) for tag in tags)
    schema = Schema(config.name, group, columns, interval if config.mode == "poll" else 0.0)
    return Plan(schema, interval, tuple(parse(tag.node) for tag in tags), Columns(schema))


def _column(tag: Tag) -> ModelTag:
    return ModelTag(tag.name, tag.dtype, tag.unit, tag.kind)
