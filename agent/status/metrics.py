"""What `/metrics` tells, in the text format of Prometheus: the ledger, the store, and how each part of the agent is."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent import __version__
from agent.health import Load, Part
from agent.model.text import public

TYPE = CONTENT_TYPE_LATEST
STORE = {  # a key of `Desk.stats`: the metric, and what it is
    "frames": ("floorgate_store_frames", "Frames in the store"),
    "bytes": ("floorgate_store_bytes", "Bytes that they take"),
    "limit": ("floorgate_store_limit_bytes", "Bytes that they may take"),
    "room": ("floorgate_store_room_bytes", "Bytes that may come before the oldest have to go"),
    "file_bytes": ("floorgate_store_file_bytes", "Size of the file"),
    "free_bytes": ("floorgate_disk_free_bytes", "Bytes free on the disk of the store"),
    "last_seq": ("floorgate_last_seq", "Number of the newest frame"),
    "samples_per_s": ("floorgate_samples_per_second", "Samples that are committed at present"),
    "bytes_per_s": ("floorgate_store_bytes_per_second", "Bytes that they take"),
    "hours_left": ("floorgate_store_hours_left", "Hours for which the room will do at the present rate"),
}
PARTS = {  # a counter of `Part`
    "scans": ("floorgate_part_scans", "Groups read"),
    "late": ("floorgate_part_late", "Scans whose time passed unused"),
    "frames": ("floorgate_part_frames", "Frames handed on"),
    "failures": ("floorgate_part_failures", "Errors"),
    "bugs": ("floorgate_part_bugs", "Errors that nobody foresaw"),
    "dropped": ("floorgate_part_dropped_samples", "Samples thrown away before they were on disk"),
    "rejected": ("floorgate_part_rejected_frames", "Frames that were given up"),
    "aside": ("floorgate_part_set_aside_frames", "Frames that the other side refused"),
}
_ACCOUNT, _PART, _LINE = ("sink", "device"), ("kind", "name"), ("line",)


class Metrics(Collector):
    """All that is to be told at one moment; without accounts and stats when the store does not answer."""

    def __init__(
        self,
        parts: Iterable[Part],
        accounts: Sequence[dict[str, Any]] = (),
        stats: dict[str, Any] | None = None,
        loads: Iterable[Load] = (),
        alarms: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        self._parts, self._accounts, self._stats, self._loads = list(parts), accounts, stats, list(loads)
        self._alarms = alarms

    def text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        instance = str((self._stats or {}).get("instance", ""))
        yield _gauge("floorgate_info", "The agent", ("version", "instance_id"), [((__version__, instance), 1)])
        yield _gauge("floorgate_store_up", "Whether the store answers", (), [((), int(self._stats is not None))])
        yield from self._health()
        yield from self._commands()
        active = [((device,), active) for device, active, _ in self._alarms]
        yield _gauge("floorgate_alarms_active", "Alarms that are active and not shelved", ("device",), active)
        shelved = [((device,), shelved) for device, _, shelved in self._alarms]
        yield _gauge("floorgate_alarms_shelved", "Alarms that are shelved", ("device",), shelved)
        yield from self._lines(time.monotonic_ns())
        yield from self._breakers(time.monotonic())
        if self._stats is not None:
            yield from self._store(self._stats)
            yield from self._ledger()

    def _health(self) -> Iterator[Metric]:
        parts = [((part.kind, public(part.name)), part) for part in self._parts]
        up = [(labels, int(part.state == "up")) for labels, part in parts]
        yield _gauge("floorgate_part_up", "Whether a part of the agent does its work", _PART, up)
        states = [((*labels, part.state), 1) for labels, part in parts]
        yield _gauge("floorgate_part_state", "The state that a part is in", (*_PART, "state"), states)
        for key, (name, what) in PARTS.items():
            yield _counter(name, what, _PART, [(labels, getattr(part, key)) for labels, part in parts])

    def _commands(self) -> Iterator[Metric]:
        counts = [((part.name, outcome), n) for part in self._parts for outcome, n in part.commands.items()]
        what = "Commands that a sink passed on, by what became of them"
        yield _counter("floorgate_commands", what, ("sink", "outcome"), counts)

    def _lines(self, now: int) -> Iterator[Metric]:
        loads = [((public(load.name),), load) for load in self._loads]
        yield _gauge(
            "floorgate_line_busy_ratio",
            "The share of the last minute in which the wire was in use",
            _LINE,
            [(labels, load.ratio(now)) for labels, load in loads],
        )
        busy = [(labels, load.busy / 1e9) for labels, load in loads]
        yield _counter("floorgate_line_busy_seconds", "Seconds for which the wire was in use", _LINE, busy)
        late = [(labels, load.late) for labels, load in loads]
        yield _counter("floorgate_line_late", "Scans whose time passed unused", _LINE, late)
        over = [(labels, int(load.overloaded)) for labels, load in loads]
        yield _gauge("floorgate_line_overloaded", "Whether there is more to do than there is time for", _LINE, over)
        dead = [(labels, len(load.dead())) for labels, load in loads]
        yield _gauge("floorgate_line_dead_devices", "Devices that do not answer", _LINE, dead)

    def _breakers(self, now: float) -> Iterator[Metric]:
        devices = [part for part in self._parts if part.breaker]
        states = [((part.name, part.breaker), 1) for part in devices]
        what = "Whether a device is asked (closed), left alone (open) or on trial (half_open)"
        yield _gauge("floorgate_device_breaker", what, ("device", "state"), states)
        skews = [((part.name,), part.skew) for part in self._parts if part.skew is not None]
        yield _gauge("floorgate_device_clock_skew_seconds", "How far a device's clock is ahead", ("device",), skews)
        expiries = [((part.name, whose), end) for part in self._parts for whose, end in part.expiries.items()]
        what = "Until when a certificate is good that a device's session lives on: our own, or the server's"
        yield _gauge("floorgate_certificate_expiry_timestamp_seconds", what, ("device", "whose"), expiries)
        refused = [((part.name,), len(part.refuses)) for part in self._parts if part.refuses]
        yield _gauge("floorgate_device_refused_tags", "Tags that a device does not give", ("device",), refused)
        waits = [((part.name,), max(0.0, part.probe_at - now)) for part in devices if part.probe_at]
        yield _gauge("floorgate_device_probe_seconds", "Until a dead device is asked again", ("device",), waits)

    def _store(self, stats: dict[str, Any]) -> Iterator[Metric]:
        for key, (name, what) in STORE.items():
            if stats[key] is not None:
                yield _gauge(name, what, (), [((), stats[key])])
        if stats["oldest_ts"] is not None:
            yield _gauge(
                "floorgate_oldest_timestamp_seconds", "Time of the oldest frame", (), [((), stats["oldest_ts"] / 1e3)]
            )
        for key, what in (("owed", "Frames that a sink is owed"), ("set_aside", "Frames that a sink refused")):
            yield _gauge(f"floorgate_{key}_frames", what, ("sink",), [((sink,), n) for sink, n in stats[key].items()])

    def _ledger(self) -> Iterator[Metric]:
        cells = [
            ((account["sink"], account["device"], what, reason), samples)
            for account in self._accounts
            for what in ("read", "made", "delivered", "suppressed", "dropped")
            for reason, samples in _reasons(account[what])
        ]
        yield _counter("floorgate_samples", "Where samples went", (*_ACCOUNT, "what", "reason"), cells)
        for key, what in (("buffered", "Samples that a sink is owed"), ("set_aside", "Samples that a sink refused")):
            yield _gauge(
                f"floorgate_{key}_samples", what, _ACCOUNT, [(_names(each), each[key]) for each in self._accounts]
            )
        balanced = [(_names(each), int(each["balanced"])) for each in self._accounts]
        yield _gauge("floorgate_ledger_balanced", "Whether an account adds up", _ACCOUNT, balanced)


Samples = Sequence[tuple[tuple[str, ...], float]]


def _gauge(name: str, what: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, what, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, what: str, labels: Sequence[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(name, what, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _names(account: dict[str, Any]) -> tuple[str, str]:
    return account["sink"], account["device"]


def _reasons(count: int | dict[str, int]) -> list[tuple[str, int]]:
    return [("", count)] if isinstance(count, int) else sorted(count.items())
