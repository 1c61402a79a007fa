"""Modbus devices: each scan reads its blocks in order and puts their columns side by side."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import DeviceError, Garbled, Refused, Unreachable
from agent.model.frame import Frame, Value
from agent.model.quality import Quality
from agent.model.tag import Schema
from drivers.api import Encoded, LineConfig, Raw, nothing
from drivers.modbus.config import Config
from drivers.modbus.config import Tag as TagConfig
from drivers.modbus.cost import cost
from drivers.modbus.faults import SaysNo
from drivers.modbus.groups import groups
from drivers.modbus.learning import Learning, Outcome
from drivers.modbus.link import Read, Request
from drivers.modbus.overheard import Overheard
from drivers.modbus.plan import Block
from drivers.modbus.terrain import Known
from drivers.modbus.tracing import Asked, elders, newest, trace
from drivers.modbus.wire import Wire
from drivers.modbus.wires import wires
from drivers.modbus.writer import carry_out
from drivers.modbus.writing import Change, change, inspection
from drivers.tapping import LEARNT, Tap
from drivers.tracing import Trace

UNNAMED = -1  # a refusal whose number is 0
_BAD_DEVICE, _BAD_COMM = bytes((Quality.BAD_DEVICE,)), bytes((Quality.BAD_COMM,))


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a scan and what becomes of its answer."""

    request: Read
    block: Block
    width: int


class Device:
    """One unit at an endpoint. A Poller, a Learner, a Revealer, a Traced, a Tapped and a Writer."""

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
        self._wire = wire
        self._pause, self._timeout = max(pause, config.pause), config.timeout
        self._patience = config.timeout or wire.timeout
        self._clock = clock
        self._config = config
        self._learning = Learning(tags=[tag for tag in config.tags if tag.enabled])
        price = cost(wire.endpoint, silence, self._pause)
        self._groups = {group.schema(config.name): group for group in groups(config, price)}
        self.schemas = tuple(self._groups)
        self._steps: dict[Schema, tuple[Step, ...]] = {}
        self._before: list[Asked] = []  # of earlier plans
        self._where: dict[str, tuple[Asked, TagConfig]] = {}  # by tag, once somebody asks
        self._plan()

    async def open(self) -> None:
        await self._wire.open(self)

    async def close(self) -> None:
        await self._wire.close(self)

    def tap(self, tap: Tap | None) -> None:
        """See `drivers.tapping.Tapped`."""
        if tap is not None:
            tap(self.device, LEARNT, self._learning.kept)
        self._wire.tap(tap)

    def recall(self, kept: bytes) -> None:
        self._learning.recall(kept)
        self._plan()

    @property
    def asked(self) -> int:
        """How many requests have been made over its wire."""
        return self._wire.asked

    @property
    def searching(self) -> bool:
        return self._learning.search is not None

    def learnt(self) -> bytes | None:
        return self._learning.learnt()

    def requests(self, schema: Schema) -> list[Read]:
        """What a scan of a group asks, as far as is known now."""
        return [step.request for step in self._steps[schema]]

    def tags(self, schema: Schema) -> list[TagConfig]:
        """The tags of a group as the file has them, in the order of its columns."""
        return [tag for step in self._steps[schema] for tag in step.block.tags]

    async def scan(self, schema: Schema) -> Frame:
        """One frame of `schema`, stamped when its last values arrived.

        A block that the device refuses is bad_device and the others are read on; of those that are known to be refused
        one is asked for now and then, in each scan when there is nothing else. After a block without an answer, or
        with one that does not fit, the rest is bad_comm. When no block had values: Unreachable, Garbled or Refused.
        """
        values: tuple[Value, ...] = ()
        quality = b""
        errors: list[DeviceError] = []
        outcomes: list[Outcome] = []
        answered, ts, mono = False, 0, 0
        steps, lost = self._steps[schema], self._lost[schema]
        due = self._learning.due(lost, self._clock.mono(), early=len(lost) == len(steps)) if lost else None
        for step in steps:
            if step.block.lost and step.block is not due:
                values += (None,) * step.width
                quality += _BAD_DEVICE * step.width
                continue
            try:
                await self._wire.ready(self)
                reply = await self._wire.read(step.request, self._pause, self._timeout)
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
                values += tuple(columns)
                quality += step.block.quality(columns)
        if self._learning.after(outcomes, self._clock.mono()):
            self._plan()
        if not answered:
            raise _summary(errors)
        if missing := len(schema.tags) - len(values):
            values += (None,) * missing
            quality += _BAD_COMM * missing
        return Frame(schema, ts, values, quality, mono)

    def _plan(self, known: Known | None = None) -> None:
        """The requests around what is known, or has been learnt; the columns of a schema never change."""
        known = known or self._learning.known
        plans = {schema: group.blocks(known) for schema, group in self._groups.items()}
        before = [*self._asked(), *self._before]
        self._steps = {schema: _steps(self._config, blocks, self._patience) for schema, blocks in plans.items()}
        self._before, self._where = elders(before, self._asked()), {}
        self._lost = {schema: [block for block in blocks if block.lost] for schema, blocks in plans.items()}

    def _asked(self) -> list[Asked]:
        return [Asked(step.request, step.block) for steps in self._steps.values() for step in steps]

    def trace(self, tag: str) -> Trace | None:
        if not self._where:
            self._where = {mine.name: (each, mine) for each in self._asked() for mine in each.block.tags}
        if tag not in self._where:
            return None
        asked, mine = self._where[tag]
        return trace(self._config, mine, asked if asked.request.last else newest(self._before, tag) or asked)

    async def reveal(self, schema: Schema) -> tuple[Frame, dict[str, Raw]]:
        twin, heard = copy(self), Overheard(self._wire, self)
        # What is overheard teaches nothing
        twin._learning = Learning(self._learning.terrain, tags=self._learning.tags)  # noqa: SLF001  # ours
        twin._wire = cast(Wire, heard)  # noqa: SLF001  # ours; a scan does no more with it than ask
        frame = await twin._whole(schema)  # noqa: SLF001  # ours
        names = {tag.name for tag in schema.tags}
        return frame, {tag.name: heard.raw(tag) for tag in self._config.tags if tag.name in names}

    async def _whole(self, schema: Schema) -> Frame:
        """A scan that need not come again to have all that there is: what is refused is asked for value by value."""
        refusal: Refused | None = None
        try:
            frame = await self.scan(schema)
        except Refused as error:
            refusal = error
        if (apart := self._learning.apart()) is not None:
            self._plan(apart)
            return await self.scan(schema)
        if refusal is not None:
            raise refusal
        return frame

    def encode(self, tag: str, value: Value) -> Encoded:
        made = self._change(tag, value)
        return Encoded(made.value, made.raw)

    async def look(self, tag: str, leaving: Callable[[], None] = nothing) -> Value:
        found = self._named(tag)
        request, decode = inspection(found, unit=self._config.unit, order=self._config.order_of(found))
        request.leaving = leaving
        return decode(await self._ask(request))[0]

    async def write(self, tag: str, value: Value, leaving: Callable[[], None] = nothing) -> Value:
        return await carry_out(self._ask, self.endpoint, self._change(tag, value), leaving)

    async def _ask(self, request: Request) -> bytes:
        await self._wire.ready(self)
        return await self._wire.read(request, self._pause, self._timeout)

    def _change(self, tag: str, value: Value) -> Change:
        found = self._named(tag)
        return change(found, value, unit=self._config.unit, order=self._config.order_of(found))

    def _named(self, name: str) -> TagConfig:
        return next(tag for tag in self._config.tags if tag.name == name)


def build(line: LineConfig, devices: Sequence[Config], data: Path | None = None) -> Sequence[Device]:
    """The devices of one endpoint on the connections that they share. Raises ConfigError."""
    return [
        Device(ordered(config, line), wire, pause=line.pause, silence=line.silence)
        for config, wire in zip(devices, wires(line, devices), strict=True)
    ]


def ordered(config: Config, line: LineConfig) -> Config:
    """The order of a line holds for those of its devices that say none, not even in their map."""
    if line.order is None or "order" in config.model_fields_set:
        return config
    return config.model_copy(update={"order": line.order})


def _steps(config: Config, blocks: Sequence[Block], patience: float) -> tuple[Step, ...]:
    steps = tuple(Step(Read(config.unit, block, strict=config.strict), block, len(block.tags)) for block in blocks)
    for step in steps:
        step.request.patience = patience
    return steps


def _code(error: Refused) -> int:
    """Which exception it was. One that says 0, which is no number of the standard, is no answer all the same."""
    return (error.code if isinstance(error, SaysNo) else 0) or UNNAMED


def _summary(errors: Sequence[DeviceError]) -> DeviceError:
    """What a scan without any value raises: that the device fell silent says more than what it refused before."""
    if not isinstance(errors[-1], Refused) or len(errors) == 1:
        return errors[-1]
    first = errors[0]
    return Refused(f"{first.args[0]}; {len(errors) - 1} more requests were refused too", hint=first.hint)
