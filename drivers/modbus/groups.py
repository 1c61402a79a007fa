"""The scan groups of a device, each with the requests that read it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.model.tag import Schema
from agent.model.tag import Tag as Column
from drivers.api import LineConfig, scan_groups
from drivers.modbus.config import NUMBERED, PORTS, Config
from drivers.modbus.cost import Cost, cost
from drivers.modbus.plan import Block, Reach, Stretch, plan
from drivers.modbus.tag import Tag
from drivers.modbus.terrain import NOTHING, Known
from drivers.modbus.timing import REPLY, REQUEST, Timing, timing
from drivers.transport import Endpoint, parse_endpoint

HEADER = 7  # bytes of Modbus TCP around a request or an answer: transaction, protocol, length, unit


@dataclass(frozen=True, slots=True)
class Group:
    """Tags that are read together, and what their requests must keep to. `interval` is seconds."""

    name: str
    interval: float
    tags: Sequence[Tag]
    order: str
    max_registers: int
    max_gap: int | None
    cost: Cost
    declared: Sequence[Stretch] | None

    def blocks(self, known: Known = NOTHING) -> tuple[Block, ...]:
        return plan(
            self.tags,
            order=self.order,
            max_registers=self.max_registers,
            max_gap=self.max_gap,
            cost=self.cost,
            declared=self.declared,
            known=known,
        )

    def schema(self, device: str) -> Schema:
        """The columns in the order of the requests, which is that of the addresses whatever is learnt of the device."""
        tags = [tag for block in self.blocks() for tag in block.tags]
        columns = tuple(Column(tag.name, tag.dtype, tag.unit, tag.kind) for tag in tags)
        return Schema(device, self.name, columns, self.interval)


class Priced(NamedTuple):
    """A request, the bytes of it and of its answer on the wire, and the seconds that these take there: None on a
    network, where other things take longer."""

    block: Block
    size: int
    seconds: float | None


def planned(config: Config, line: LineConfig) -> Iterator[tuple[Group, list[Priced]]]:
    """The scan groups of a device as it will be read before anything was learnt of it."""
    endpoint = parse_endpoint(config.endpoint, PORTS)
    wire = timing(endpoint, line.silence)
    for group in groups(config, cost(endpoint, line.silence, max(line.pause, config.pause))):
        yield group, [_priced(block, endpoint, wire) for block in group.blocks()]


def _priced(block: Block, endpoint: Endpoint, wire: Timing) -> Priced:
    size = REQUEST + REPLY + block.size
    seconds = wire.request(block.size) if wire.char else None
    if endpoint.ascii:  # two characters a byte, a checksum of one byte, and three characters around
        return Priced(block, 2 * (size - 2) + 6, seconds)
    return Priced(block, size if endpoint.scheme not in NUMBERED else size + 2 * (HEADER - 3), seconds)


def groups(config: Config, price: Cost) -> list[Group]:
    """The groups of a device that have enabled tags, in the order of the file."""
    declared = _declared(config)
    return [
        Group(
            name,
            interval,
            [_own(config, tag, name) for tag in tags],
            _order(config, name),
            config.max_registers,
            config.max_gap,
            price,
            declared,
        )
        for (name, interval), tags in scan_groups(config, config.tags).items()
    ]


def _declared(config: Config) -> Sequence[Stretch] | None:
    """What alone may be read, or None. Of a PLC with areas that is what it has: between two there may be nothing."""
    if config.strict or not config.areas:
        return config.tags if config.strict else None
    areas = (Reach(area.register, area.base, area.stop - area.base) for area in config.areas.values())
    return [*areas, *config.tags]


def _order(config: Config, name: str) -> str:
    group = config.groups.get(name)
    return (group and group.order) or config.order


def _own(config: Config, tag: Tag, name: str) -> Tag:
    """A tag without a group keeps the device's order when its interval happens to be a group's name."""
    if tag.group == name or config.order_of(tag) == _order(config, name):
        return tag
    return tag.model_copy(update={"order": config.order_of(tag)})
