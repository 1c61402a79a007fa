"""Modbus TCP devices: each scan reads its blocks in order and puts their columns side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import ConfigError, DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import LineConfig
from drivers.modbus.config import PORTS, Config
from drivers.modbus.cost import cost
from drivers.modbus.groups import groups
from drivers.modbus.learning import Learning, Outcome
from drivers.modbus.link import Request
from drivers.modbus.plan import Block
from drivers.modbus.wire import EXCEPTIONS, Wire
from drivers.transport import parse_endpoint

_BAD_DEVICE, _BAD_COMM = bytes((Quality.BAD_DEVICE,)), bytes((Quality.BAD_COMM,))


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a scan and what becomes of its answer."""

    request: Request
    block: Block
    width: int
    rare: bool  # known to be refused, and others of the group are not: asked for now and then


class Device:
    """One unit at an endpoint. A Poller and a Learner."""

    def __init__(
        self,
        config: Config,
        wire: Wire,
        *,
        pause: float = 0.0,
        silence: float | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.device = config.name
        self.endpoint = config.endpoint
        self.line = wire.name
        self._unit = config.unit
        self._wire = wire
        self._pause = max(pause, config.pause)
        self._clock = clock
        self._learning = Learning()
        price = cost(wire.endpoint, silence, self._pause)
        self._groups = {group.schema(config.name): group for group in groups(config, price)}
        self.schemas = tuple(self._groups)
        self._steps = self._planned()

    async def open(self) -> None:
        await self._wire.open(self)

    async def close(self) -> None:
        await self._wire.close(self)

    def recall(self, kept: bytes) -> None:
        self._learning.recall(kept)
        self._steps = self._planned()

    def learnt(self) -> bytes | None:
        return self._learning.learnt()

    async def scan(self, schema: Schema) -> Frame:
        """One frame of `schema`, stamped when its last values arrived.

        A block that the device refuses is bad_device and the others are read on; after a block without an answer, or
        with one that does not fit, the rest is bad_comm. When no block had values: Unreachable, Garbled or Refused.
        """
        values: list[Value] = []
        quality = b""
        errors: list[DeviceError] = []
        outcomes: list[Outcome] = []
        answered, asked, ts, mono = False, False, 0, 0
        for step in self._steps[schema]:
            if step.rare:
                if asked or not self._learning.due(step.block, self._clock.mono()):
                    values += (None,) * step.width
                    quality += _BAD_DEVICE * step.width
                    continue
                asked = True
            try:
                await self._wire.ready(self)
                reply = await self._wire.read(step.request, self._pause)
            except Refused as error:
                errors.append(error)
                outcomes.append((step.block, _code(error)))
                values += (None,) * step.width
                quality += _BAD_DEVICE * step.width
            except (Unreachable, Garbled) as error:
                errors.append(error)
                break
            else:
                answered, ts, mono = True, self._clock.wall(), self._clock.mono()
                outcomes.append((step.block, 0))
                columns = step.block.decode(reply)
                values += columns
                quality += step.block.quality(columns)
        if self._learning.after(outcomes, self._clock.mono()):
            self._steps = self._planned()
        if not answered:
            raise _summary(errors)
        if missing := len(schema.tags) - len(values):
            values += (None,) * missing
            quality += _BAD_COMM * missing
        return Frame(schema, ts, values, quality, mono)

    def _planned(self) -> dict[Schema, tuple[Step, ...]]:
        """The requests around what has been learnt; the columns of a schema never change."""
        known = self._learning.known
        return {schema: _steps(self._unit, group.blocks(known)) for schema, group in self._groups.items()}


def build(line: LineConfig, devices: Sequence[Config]) -> Sequence[Device]:
    """The devices of one endpoint on one shared connection. Raises ConfigError."""
    endpoint = parse_endpoint(line.endpoint, PORTS)
    wire = Wire(endpoint, line.timeout)
    for config in devices:
        if max(line.pause, config.pause) >= line.timeout:
            message = f"{config.name}: the pause before a request uses up the timeout of {line.timeout:g} s"
            raise ConfigError(message, hint=f"raise `timeout` of the line {line.endpoint}")
    return [Device(config, wire, pause=line.pause, silence=line.silence) for config in devices]


def _steps(unit: int, blocks: Sequence[Block]) -> tuple[Step, ...]:
    partly = not all(block.lost for block in blocks)
    return tuple(Step(Request(unit, block), block, len(block.tags), block.lost and partly) for block in blocks)


def _code(error: Refused) -> int:
    """Which exception it was, 0 for one that has no name."""
    return next((code for code, (name, _) in EXCEPTIONS.items() if error.message.endswith(f": {name}")), 0)


def _summary(errors: Sequence[DeviceError]) -> DeviceError:
    """What a scan without any value raises: that the device fell silent says more than what it refused before."""
    if not isinstance(errors[-1], Refused) or len(errors) == 1:
        return errors[-1]
    first = errors[0]
    return Refused(f"{first.args[0]}; {len(errors) - 1} more requests were refused too", hint=first.hint)
