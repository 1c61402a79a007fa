"""What `/metrics` tells: the ledger, the store, and how each part of the agent is. `families.py` has the list."""

import platform
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent import __version__
from agent.health import SELFTEST, Load, Part
from agent.model.text import public
from agent.status import exposition
from agent.status.exposition import Samples
from agent.status.families import FAMILIES
from agent.status.meters import Reading

TYPE = "text/plain; version=0.0.4; charset=utf-8"
MOST_ACCOUNTS = 20_000  # told one by one; of more, all devices of a sink are told together
STORE = {  # a key of `Desk.stats`
    "frames": "floorgate_store_frames",
    "bytes": "floorgate_store_bytes",
    "limit": "floorgate_store_limit_bytes",
    "room": "floorgate_store_room_bytes",
    "file_bytes": "floorgate_store_file_bytes",
    "free_bytes": "floorgate_disk_free_bytes",
    "last_seq": "floorgate_last_seq",
    "samples_per_s": "floorgate_samples_per_second",
    "bytes_per_s": "floorgate_store_bytes_per_second",
    "hours_left": "floorgate_store_hours_left",
}
PARTS = {  # a counter of `Part`
    "scans": "floorgate_part_scans_total",
    "late": "floorgate_part_late_total",
    "frames": "floorgate_part_frames_total",
    "failures": "floorgate_part_failures_total",
    "bugs": "floorgate_part_bugs_total",
    "dropped": "floorgate_part_dropped_samples_total",
    "rejected": "floorgate_part_rejected_frames_total",
    "aside": "floorgate_part_set_aside_frames_total",
}
WHAT = ("read", "made", "delivered", "suppressed", "dropped")  # of an account
Account = dict[str, Any]
Told = Iterator[tuple[str, Samples]]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All that is to be told at one moment; without accounts and stats when the store does not answer.

    `alarms` are (device, active, shelved).
    """

    parts: Sequence[Part]
    accounts: Sequence[Account] = ()
    stats: dict[str, Any] | None = None
    loads: Sequence[Load] = ()
    alarms: Sequence[tuple[str, int, int]] = ()
    reading: Reading = field(default_factory=Reading)
    ready: bool = False

    def text(self) -> bytes:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415  # 2 MB

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        ours = "\n".join(self._lines())
        return f"{ours}\n".encode() + generate_latest(registry)

    def _lines(self) -> Iterator[str]:
        """In the order of the list; what has no samples now has a head all the same."""
        told = dict(self._told())
        for name, family in FAMILIES.items():
            if family.kind == "histogram":
                yield from exposition.histogram(name, family, self.reading.commits)
            else:
                yield from exposition.lines(name, family, told.pop(name, ()))
        assert not told

    def _told(self) -> Told:
        yield from self._agent(self.reading)
        yield from self._health()
        yield from self._lines_of_the_field(time.monotonic_ns())
        yield from self._devices(time.monotonic())
        yield from self._sinks(time.time() - time.monotonic())
        yield "floorgate_store_up", _one(self.stats is not None)
        if self.stats is not None:
            yield from self._store(self.stats)
            yield from self._ledger()

    def _agent(self, reading: Reading) -> Told:
        python = platform.python_version()
        instance = str((self.stats or {}).get("instance", ""))
        info = (__version__, reading.gateway, instance, reading.epoch, python, sqlite3.sqlite_version)
        yield "floorgate_info", [(info, 1)]
        yield "floorgate_ready", _one(self.ready)
        checks = (part for part in self.parts if part.kind == SELFTEST)
        yield "floorgate_selftest", [((part.name,), part.state == "up") for part in checks]
        yield "floorgate_log_lines_total", [((level,), count) for level, count in reading.logged.items()]
        yield "floorgate_log_suppressed_lines_total", _one(reading.suppressed)
        yield "floorgate_clock_synchronised", _one(reading.synced)
        yield "floorgate_clock_plausible", _one(reading.plausible)
        yield "floorgate_clock_steps_total", _one(reading.steps)
        yield "floorgate_clock_last_step_seconds", _known(reading.step)
        frames, waiting, limit = reading.inlet
        yield "floorgate_inlet_frames", _one(frames)
        yield "floorgate_inlet_bytes", _one(waiting)
        yield "floorgate_inlet_limit_bytes", _one(limit)
        yield "floorgate_store_wal_bytes", _known(reading.wal)
        yield "floorgate_tags", [((device, quality), count) for device, quality, count in reading.tags]

    def _health(self) -> Told:
        parts = [((part.kind, public(part.name)), part) for part in self.parts if part.kind != SELFTEST]
        yield "floorgate_part_up", [(labels, part.state == "up") for labels, part in parts]
        yield "floorgate_part_state", [((*labels, part.state), 1) for labels, part in parts]
        for key, name in PARTS.items():
            yield name, [(labels, getattr(part, key)) for labels, part in parts]
        ends = [((*labels, whose), end) for labels, part in parts for whose, end in part.expiries.items()]
        yield "floorgate_certificate_expiry_timestamp_seconds", ends

    def _lines_of_the_field(self, now: int) -> Told:
        loads = [((public(load.name),), load) for load in self.loads]
        yield "floorgate_line_busy_ratio", [(labels, load.ratio(now)) for labels, load in loads]
        yield "floorgate_line_busy_seconds_total", [(labels, load.busy / 1e9) for labels, load in loads]
        yield "floorgate_line_late_total", [(labels, load.late) for labels, load in loads]
        yield "floorgate_line_overloaded", [(labels, load.overloaded) for labels, load in loads]
        yield "floorgate_line_devices", [(labels, len(load.devices)) for labels, load in loads]
        yield "floorgate_line_dead_devices", [(labels, len(load.dead())) for labels, load in loads]

    def _devices(self, now: float) -> Told:
        devices = [part for part in self.parts if part.kind == "device"]
        shared = [part for part in devices if part.breaker]
        yield "floorgate_device_breaker", [((part.name, part.breaker), 1) for part in shared]
        waits = [((part.name,), max(0.0, part.probe_at - now)) for part in shared if part.probe_at]
        yield "floorgate_device_probe_seconds", waits
        skews = [((part.name,), part.skew) for part in devices if part.skew is not None]
        yield "floorgate_device_clock_skew_seconds", skews
        refused = [((part.name,), len(part.refuses)) for part in devices if part.refuses]
        yield "floorgate_device_refused_tags", refused
        yield "floorgate_alarms_active", [((device,), active) for device, active, _ in self.alarms]
        yield "floorgate_alarms_shelved", [((device,), shelved) for device, _, shelved in self.alarms]

    def _sinks(self, boot: float) -> Told:
        """`boot` is when the monotonic clock began, as the wall clock sees it now."""
        sinks = [((part.name,), part) for part in self.parts if part.kind == "sink"]
        yield "floorgate_sink_sent_bytes_total", [(labels, part.sent) for labels, part in sinks]
        confirmed = [(labels, round(boot + part.confirmed, 3)) for labels, part in sinks if part.confirmed]
        yield "floorgate_sink_confirmed_timestamp_seconds", confirmed
        counts = [((part.name, outcome), n) for part in self.parts for outcome, n in part.commands.items()]
        yield "floorgate_commands_total", counts

    def _store(self, stats: dict[str, Any]) -> Told:
        for key, name in STORE.items():
            yield name, _known(stats[key])
        oldest = stats["oldest_ts"]
        yield "floorgate_oldest_timestamp_seconds", _known(None if oldest is None else oldest / 1e3)
        yield "floorgate_owed_frames", [((sink,), n) for sink, n in stats["owed"].items()]
        yield "floorgate_set_aside_frames", [((sink,), n) for sink, n in stats["set_aside"].items()]

    def _ledger(self) -> Told:
        accounts = self.accounts if len(self.accounts) <= MOST_ACCOUNTS else _together(self.accounts)
        yield "floorgate_samples_total", _cells(accounts)
        yield "floorgate_buffered_samples", ((_names(each), each["buffered"]) for each in accounts)
        yield "floorgate_set_aside_samples", ((_names(each), each["set_aside"]) for each in accounts)
        yield "floorgate_ledger_balanced", ((_names(each), each["balanced"]) for each in accounts)


def _one(number: float) -> Samples:
    return [((), number)]


def _known(number: float | None) -> Samples:
    """Nothing where nobody knows it."""
    return [] if number is None else [((), number)]


def _names(account: Account) -> tuple[str, str]:
    return account["sink"], account["device"]


def _cells(accounts: Iterable[Account]) -> Samples:
    for account in accounts:
        sink, device = _names(account)
        for what in WHAT:
            count = account[what]
            if isinstance(count, int):
                yield (sink, device, what, ""), count
            else:
                for reason, samples in sorted(count.items()):
                    yield (sink, device, what, reason), samples


def _together(accounts: Iterable[Account]) -> list[Account]:
    """One account for each sink, of a device without a name."""
    found: dict[str, Account] = {}
    for account in accounts:
        sink = account["sink"]
        before = found.get(sink)
        found[sink] = account | {"device": ""} if before is None else _sum(before, account)
    return list(found.values())


def _sum(one: Account, other: Account) -> Account:
    added = {key: _added(one[key], other[key]) for key in (*WHAT, "buffered", "set_aside")}
    return one | added | {"balanced": one["balanced"] and other["balanced"]}


def _added(one: int | Mapping[str, int], other: int | Mapping[str, int]) -> int | Mapping[str, int]:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    assert isinstance(one, Mapping)
    assert isinstance(other, Mapping)
    return Counter(one) + Counter(other)
