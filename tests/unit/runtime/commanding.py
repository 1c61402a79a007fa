"""A device that counts what reaches it, a clock that is set by hand, and a running guard between the two and a sink."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.health import Health
from agent.model.clock import Clock
from agent.model.errors import DeviceError
from agent.model.frame import Value
from agent.model.tag import Schema
from agent.northbound.api import Commands
from agent.northbound.house import Answer, Command
from agent.runtime.commands import Clerk, Control
from agent.runtime.targets import targets
from drivers.api import Encoded, nothing
from drivers.modbus.config import Config

NOW = 1_767_225_600 * 10**9  # 2026-01-01
TAGS: Sequence[Mapping[str, Any]] = (
    {"name": "setpoint", "address": 0, "type": "float32", "write": {"min": 0, "max": 80, "step": 0.5, "rate": "0s"}},
    {"name": "near", "address": 2, "type": "float64", "write": {"change": 5, "rate": "0s"}},
    {"name": "count", "address": 6, "type": "uint16", "write": {"rate": "0s"}},
    {"name": "wide", "address": 8, "type": "int64", "write": {"rate": "0s"}},
    {"name": "slow", "address": 12, "type": "uint16", "write": {"rate": "1h"}},
    {"name": "pump", "register": "coil", "address": 0, "write": {"rate": "0s"}},
    {"name": "mode", "address": 14, "type": "uint16", "enum": {0: "off", 1: "auto"}, "write": {"rate": "0s"}},
    {"name": "recipe", "address": 16, "type": "string", "length": 8, "write": {"rate": "0s"}},
    {"name": "secret", "address": 30, "type": "uint16", "write": {"rate": "0s"}},
    {"name": "read_only", "address": 31, "type": "uint16"},
)
ALLOW = ["press/[!s]*", "press/setpoint", "press/near", "press/count", "press/wide", "press/slow", "press/pump"]
ALLOW += ["press/mode", "press/rec*", "press/read_only", "other/*"]


@dataclass
class Time:
    """A wall clock and a monotonic one; `step` sets the first alone."""

    wall: int = NOW
    mono: int = 10**12
    synced: bool = True

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.mono, lambda: self.synced)

    def step(self, seconds: float) -> None:
        self.wall += int(seconds * 1e9)

    def pass_by(self, seconds: float) -> None:
        self.wall += int(seconds * 1e9)
        self.mono += int(seconds * 1e9)


@dataclass
class Device:
    """A Writer whose values are in `held`; `before` and `after` happen when a value is about to arrive, and has."""

    device: str = "press"
    endpoint: str = "tcp://press"
    schemas: tuple[Schema, ...] = ()
    held: dict[str, Value] = field(default_factory=lambda: {"near": 10.0})
    writes: list[tuple[str, Value]] = field(default_factory=list)
    looks: int = 0
    look_error: DeviceError | None = None
    before: Callable[[], Any] = nothing
    after: Callable[[], Any] = nothing
    gate: asyncio.Event | None = None  # what reads and writes wait for
    most: int = 0  # at once
    _now: int = 0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def encode(self, tag: str, value: Value) -> Encoded:
        limits = {"wide": (-(2**63), 2**63 - 1), **dict.fromkeys(("count", "slow", "secret"), (0, 65535))}
        low, high = limits.get(tag, (0, 0))
        if tag in limits and not (isinstance(value, int) and low <= value <= high):
            raise ValueError(f"{value} is outside of what the tag can say")
        return Encoded(value, f"{tag}={value}")

    async def look(self, tag: str, leaving: Callable[[], None] = nothing) -> Value:
        if self.gate is not None:
            await self.gate.wait()
        leaving()
        self.looks += 1
        if self.look_error is not None:
            raise self.look_error
        return self.held.get(tag)

    async def write(self, tag: str, value: Value, leaving: Callable[[], None] = nothing) -> Value:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(0)
            self.before()
            leaving()
            self.writes.append((tag, value))
            self.held[tag] = value
            self.after()
            return self.held[tag]
        finally:
            self._now -= 1


@dataclass
class Rig:
    """All that a test needs to hand."""

    control: Control
    clerk: Clerk
    device: Device
    time: Time
    health: Health
    data: Path
    _ids: int = 0

    def command(self, tag: str = "setpoint", value: Value = 20.0, **changed: Any) -> Command:
        """A fresh one, with an id of its own."""
        self._ids += 1
        made: dict[str, Any] = {"device": "press", "tag": tag, "value": value, "id": f"c{self._ids}"}
        return Command(**{**made, "issued": self.time.wall, **changed})

    async def __call__(self, tag: str = "setpoint", value: Value = 20.0, **changed: Any) -> Answer:
        return await self.clerk(self.command(tag, value, **changed))

    def second(self, per_minute: int = 600) -> Clerk:
        """Another sink."""
        return self.control.clerk("other", Commands(allow=["press/*"], per_minute=per_minute))

    @property
    def counts(self) -> dict[str, int]:
        return self.clerk.part.commands


@asynccontextmanager
async def rig(
    folder: Path,
    *,
    per_minute: int = 600,
    allow: Sequence[str] = ALLOW,
    select: bool = False,
    device: Device | None = None,
    time: Time | None = None,
    up: bool = True,
) -> AsyncIterator[Rig]:
    device, time, health = device or Device(), time or Time(), Health()
    config = Config.model_validate(
        {"name": "press", "driver": "modbus", "endpoint": "tcp://127.0.0.1:1", "unit": 1, "tags": [*TAGS]}
    )
    if up:
        health.part("device", "press").up()
    with closing(Control(targets([config], [device], health), folder, health, time.clock())) as control:
        clerk = control.clerk("platform", Commands(allow=[*allow], per_minute=per_minute, select=select))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(control.run(stop), name="commands")
            await asyncio.sleep(0)
            try:
                yield Rig(control, clerk, device, time, health, folder)
            finally:
                stop.set()
                await task
