"""What has to become of a command, in plain words, and random commands to ask about; see `test_commands_oracle.py`."""

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from agent.model.errors import DeviceError, Refused, Unreachable
from agent.northbound.house import Answer, Command
from agent.runtime.audit import resting
from tests.unit.runtime.commanding import NOW, Device, Rig, Time, rig

PER_MINUTE = 40
FATES = ("done",) * 12 + ("ignores", "no", "cut before", "cut after")
VALUES: list[Any] = [
    0,
    1,
    -1,
    2,
    5,
    20,
    20.0,
    20.5,
    20.25,
    80,
    80.5,
    1e9,
    65535,
    65536,
    2**63,
    -(2**63),
    2**53 + 1,
    1e300,
]
VALUES += [
    True,
    False,
    None,
    float("nan"),
    float("inf"),
    "20",
    "5",
    "auto",
    "off",
    "on",
    "",
    "x" * 2000,
    "-7",
    7.5,
    12,
    15,
]
RIGHT: dict[str, list[Any]] = {"setpoint": [0, 7.5, 80], "near": [7, 10, 13.5], "count": [5, 6.0], "slow": [1, 2]}
RIGHT |= {"wide": [-5, "7"], "pump": [True, False], "mode": ["off", "auto", 1], "recipe": ["tea", ""]}
TAGS = ("setpoint", "near", "count", "wide", "slow", "pump", "mode", "recipe", "secret", "read_only", "nothing", "")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole(value: Any, low: int, high: int) -> bool:
    if not is_number(value) or value != int(value) or (isinstance(value, float) and abs(value) > 2**53):
        return False
    return low <= value <= high


def real(value: Any) -> bool:
    return is_number(value) and (isinstance(value, float) or int(float(value)) == value)


def wide(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip("-").isdigit() and -(2**63) <= int(value) < 2**63
    return whole(value, -(2**63), 2**63 - 1)


# Whether the value is one that the tag may have, whatever stands there now.
FITS: dict[str, Callable[[Any], bool]] = {
    "setpoint": lambda value: real(value) and 0 <= value <= 80 and (Fraction(repr(value)) * 2).denominator == 1,
    "near": real,
    "count": lambda value: whole(value, 0, 65535),
    "slow": lambda value: whole(value, 0, 65535),
    "wide": wide,
    "pump": lambda value: isinstance(value, bool),
    "mode": lambda value: value in ("off", "auto") if isinstance(value, str) else whole(value, -(10**30), 10**30),
    "recipe": lambda value: isinstance(value, str) and len(value) <= 1024,
}


@dataclass
class Oracle:
    """Says what must become of each command in turn, and keeps what it must remember for that."""

    device: Device
    time: Time
    up: bool = True
    stepped: bool = False
    ids: set[str] = field(default_factory=set)
    slow: int = -(10**30)
    admitted: deque[int] = field(default_factory=deque)
    written: int = 0

    def outcome(self, command: Command, fate: str) -> str:
        """`fate` is what the device would do with it."""
        name = command.id or (f"{command.tag}@{command.issued}" if command.issued else "")
        if no := self._at_the_door(command, name) or (self.up and self._not_now(command)):
            self.ids |= ({name} if no == "too far" else set()) - {""}
            return "forbidden" if no == "too far" else no
        self.ids |= {name} - {""}
        if not self.up:
            return "refused"
        self.written += fate != "cut before"
        return {"cut before": "refused", "no": "refused", "cut after": "unknown", "ignores": "differs"}.get(
            fate, "done"
        )

    def _at_the_door(self, command: Command, name: str) -> str:
        if command.device != "press" or command.tag not in FITS or not FITS[command.tag](command.value):
            return "forbidden"
        if command.issued and self._stale(command, (self.time.wall - command.issued) / 10**9):
            return "stale"
        if name in self.ids:
            return "repeated"
        return "" if self._in_time() else "busy"

    def _stale(self, command: Command, age: float) -> bool:
        doubt = self.stepped and not self.time.synced
        return doubt or abs(age) > 30 or (command.ttl > 0 and age > command.ttl)

    def _in_time(self) -> bool:
        while self.admitted and self.time.mono - self.admitted[0] >= 60 * 10**9:
            self.admitted.popleft()
        if len(self.admitted) >= PER_MINUTE:
            return False
        self.admitted.append(self.time.mono)
        return True

    def _not_now(self, command: Command) -> str:
        if command.tag == "near" and not self._near(command.value):
            return "too far"
        if command.tag == "slow":
            if abs(self.time.wall - self.slow) < 3600 * 10**9:
                return "busy"
            self.slow = self.time.wall
        return ""

    def _near(self, value: Any) -> bool:
        old = self.device.held.get("near")
        return is_number(old) and abs(value - old) <= 5 + 2.0**-23 * max(abs(value), abs(old))


def fated(device: Device, fate: str) -> None:
    """Have the device do that with the next value."""

    def fail(error: DeviceError) -> None:
        raise error

    errors = {"cut before": Unreachable("gone"), "no": Refused("no"), "cut after": Unreachable("gone")}
    device.before = device.after = lambda: None
    if fate == "ignores":
        device.after = lambda: device.held.update(dict.fromkeys(device.held, -99.0))
    elif fate in errors:
        error = errors[fate]
        setattr(device, "before" if fate == "cut before" else "after", lambda: fail(error))


def one(luck: random.Random, time: Time, number: int, ids: list[str]) -> Command:
    """Any command: most are nearly right, and wrong in one thing or two."""
    issued = time.wall - int(luck.choice([0, 0, 0, 0, 0.5, 29.9, -29.9, 31, -31, 90, 86400]) * 10**9)
    if luck.random() < 0.05:
        issued = luck.choice([0, 1, -(10**30), 2**80])
    fresh = f"c{number}"
    name = luck.choice(ids) if ids and luck.random() < 0.15 else luck.choice([fresh] * 9 + [""])
    ids.append(fresh)
    del ids[:-20]
    device = luck.choice(["press"] * 12 + ["pres", "", "../press"])
    tag = luck.choice(TAGS)
    value = luck.choice(VALUES) if luck.random() < 0.5 else luck.choice(RIGHT.get(tag, [luck.uniform(-10, 90)]))
    ttl = luck.choice([0, 0, 0, 5, 30, 0.1])
    return Command(device, tag, value, name, issued, ttl, luck.choice(["", "li"]))


@dataclass
class Compared:
    """What came of random commands: those that did not end as the oracle says, and what was written."""

    differ: list[tuple[int, Command, str, Answer]] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    expected: int = 0
    entries: int = 0
    refusals: int = 0
    fault: str = ""


async def compared(folder: Path, count: int) -> Compared:
    """Give so many, one after the other, to a guard with an audit in this folder."""
    luck, time, device, found = random.Random(count), Time(wall=NOW), Device(), Compared()
    ids: list[str] = []
    async with rig(folder, per_minute=PER_MINUTE, device=device, time=time) as run:
        oracle = Oracle(device, time)
        for number in range(count):
            _happen(luck, run, oracle)
            command, fate = one(luck, time, number, ids), luck.choice(FATES)
            fated(device, fate)
            expected = oracle.outcome(command, fate)
            answer = await run.clerk(command)
            if answer.outcome != expected or len(device.writes) != oracle.written:
                found.differ.append((number, command, fate, answer))
            found.outcomes[answer.outcome] = found.outcomes.get(answer.outcome, 0) + 1
            if number % 100 == 0:
                await run.clerk.settle()
        found.counted, found.writes, found.expected = run.counts, len(device.writes), oracle.written
    with resting(folder) as book:
        found.fault, found.entries, found.refusals = (
            book.verify().fault,
            len(book.entries(count)),
            len(book.refusals(count)),
        )
    return found


def _happen(luck: random.Random, run: Rig, oracle: Oracle) -> None:
    """Time goes by; now and then the device goes or comes back, and the clock is set, or gets in step."""
    time, part = run.time, run.health.part("device", "press")
    time.pass_by(luck.choice([0.1, 1, 1, 2, 10]))
    if luck.random() < 0.02:
        oracle.up = not oracle.up
        part.up() if oracle.up else part.down(Unreachable("gone"))
    if luck.random() < 0.005:
        time.step(luck.choice([-5000, 5000, 40]))
        time.synced, oracle.stepped = luck.random() < 0.5, True
        run.control.ours.doubt()  # looks now, before the clock is set back again
    time.synced = time.synced or luck.random() < 0.02
    oracle.stepped = oracle.stepped and not time.synced
