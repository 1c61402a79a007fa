"""Modbus devices: each scan reads its blocks in order and puts their columns side by side."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import cast

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from drivers.api import Encoded, LineConfig, Raw, scan_groups
from drivers.modbus.config import Config
from drivers.modbus.config import Tag as TagConfig
from drivers.modbus.link import Read, Request
from drivers.modbus.overheard import Overheard
from drivers.modbus.plan import Block, plan
from drivers.modbus.wire import Wire
from drivers.modbus.wires import wires
from drivers.modbus.writer import carry_out
from drivers.modbus.writing import Change, change, inspection

_BAD_DEVICE, _BAD_COMM = bytes((Quality.BAD_DEVICE,)), bytes((Quality.BAD_COMM,))


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a scan and what becomes of its answer."""

    request: Read
    block: Block
    width: int


class Device:
    """One unit at an endpoint. A Poller, a Revealer and a Writer."""

    def __init__(self, config: Config, wire: Wire, *, pause: float = 0.0, clock: Clock = SYSTEM) -> None:
        self.device = config.name
        self.endpoint = config.endpoint
        self.line = wire.name
        self._wire = wire
        self._pause, self._timeout = max(pause, config.pause), config.timeout
        self._clock = clock
        self._config = config
        self._steps = dict(_planned(config))
        self.schemas = tuple(self._steps)

    async def open(self) -> None:
        await self._wire.open(self)

    async def close(self) -> None:
        await self._wire.close(self)

    async def scan(self, schema: Schema) -> Frame:
        """One frame of `schema`, stamped when its last values arrived.

        A block that the device refuses is bad_device and the others are read on; after a block without an answer, or
        with one that does not fit, the rest is bad_comm. When no block had values: Unreachable, Garbled or Refused.
        """
        values: list[Value] = []
        quality = b""
        errors: list[DeviceError] = []
        answered, ts, mono = False, 0, 0
        for step in self._steps[schema]:
            try:
                await self._wire.ready(self)
                reply = await self._wire.read(step.request, self._pause, self._timeout)
            except Refused as error:
                errors.append(error)
                values += (None,) * step.width
                quality += _BAD_DEVICE * step.width
            except (Unreachable, Garbled) as error:
                errors.append(error)
                break
            else:
                answered, ts, mono = True, self._clock.wall(), self._clock.mono()
                columns = step.block.decode(reply)
                values += columns
                quality += step.block.quality(columns)
        if not answered:
            raise _summary(errors)
        if missing := len(schema.tags) - len(values):
            values += (None,) * missing
            quality += _BAD_COMM * missing
        return Frame(schema, ts, values, quality, mono)

    async def reveal(self, schema: Schema) -> tuple[Frame, dict[str, Raw]]:
        twin, heard = copy(self), Overheard(self._wire, self)
        twin._wire = cast(Wire, heard)  # noqa: SLF001  # ours; a scan does no more with it than ask
        frame = await twin.scan(schema)
        names = {tag.name for tag in schema.tags}
        return frame, {tag.name: heard.raw(tag) for tag in self._config.tags if tag.name in names}

    def encode(self, tag: str, value: Value) -> Encoded:
        made = self._change(tag, value)
        return Encoded(made.value, made.raw)

    async def look(self, tag: str) -> Value:
        found = self._named(tag)
        request, decode = inspection(found, unit=self._config.unit, order=self._config.order_of(found))
        return decode(await self._ask(request))[0]

    async def write(self, tag: str, value: Value) -> Value:
        return await carry_out(self._ask, self.endpoint, self._change(tag, value))

    async def _ask(self, request: Request) -> bytes:
        await self._wire.ready(self)
        return await self._wire.read(request, self._pause, self._timeout)

    def _change(self, tag: str, value: Value) -> Change:
        found = self._named(tag)
        return change(found, value, unit=self._config.unit, order=self._config.order_of(found))

    def _named(self, name: str) -> TagConfig:
        return next(tag for tag in self._config.tags if tag.name == name)


def build(line: LineConfig, devices: Sequence[Config]) -> Sequence[Device]:
    """The devices of one endpoint on the connections that they share. Raises ConfigError."""
    return [Device(*pair, pause=line.pause) for pair in zip(devices, wires(line, devices), strict=True)]


def _planned(config: Config) -> list[tuple[Schema, tuple[Step, ...]]]:
    found = []
    for (group, interval), tags in scan_groups(config, config.tags).items():
        order = (group in config.groups and config.groups[group].order) or config.order
        blocks = plan(tags, order=order, max_registers=config.max_registers, max_gap=config.max_gap)
        columns = tuple(Tag(tag.name, tag.dtype, tag.unit, tag.kind) for block in blocks for tag in block.tags)
        steps = tuple(Step(Read(config.unit, block), block, len(block.tags)) for block in blocks)
        found.append((Schema(config.name, group, columns, interval), steps))
    return found


def _summary(errors: Sequence[DeviceError]) -> DeviceError:
    """What a scan without any value raises: that the device fell silent says more than what it refused before."""
    if not isinstance(errors[-1], Refused) or len(errors) == 1:
        return errors[-1]
    first = errors[0]
    return Refused(f"{first.args[0]}; {len(errors) - 1} more requests were refused too", hint=first.hint)
