"""A small plant with an agent of its own: simulated devices, one sink that writes lines, one that is dead."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.e2e.site import Agent
from tests.sim.ports import free_port

INTERVAL = 0.05  # seconds between two frames of a device
DEVICES = ("a", "b")
TAGS = 20
_SITE = """\
gateway: {{id: gw-fault}}
devices:
{devices}
sinks:
  - {{name: lines, type: file, path: {lines}}}
  - {{name: dead, type: mqtt, url: "mqtt://127.0.0.1:{closed}"}}
{more}
buffer: {{keep: {keep}, max_size: {max_size}, reserve: 1MB, commit: 50ms}}
log: {{format: json}}
"""
_DEVICE = "  - {{name: {name}, driver: sim, interval: {interval:g}ms, tags: [{tags}]}}"


def site(folder: Path, *, more: str = "", keep: str = "1d", max_size: str = "64MB", devices: str = "") -> str:
    """The configuration; `more` are further sinks, `devices` others than the usual."""
    tags = ", ".join(f"{{name: t{i}, wave: counter, period: 10ms}}" for i in range(TAGS))
    usual = "\n".join(_DEVICE.format(name=name, interval=1000 * INTERVAL, tags=tags) for name in DEVICES)
    words = {"lines": folder / "lines", "closed": free_port(), "more": more, "keep": keep, "max_size": max_size}
    return _SITE.format(devices=devices or usual, **words)


class Lines:
    """What the sink `lines` has written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frames: dict[tuple[str, int], dict[str, Any]] = {}
        self.conflicts = 0  # a frame that came again with other contents

    def read(self) -> "Lines":
        for path in sorted(self.folder.glob("lines*")):
            for text in path.read_text().splitlines():
                frame = json.loads(text)
                known = self.frames.setdefault((frame["epoch"], frame["seq"]), frame)
                self.conflicts += {**known, "history": None} != {**frame, "history": None}
        return self

    def samples(self) -> Counter[str]:
        """Distinct samples by device."""
        counts: Counter[str] = Counter()
        for frame in self.frames.values():
            counts[frame["device"]] += len(frame["values"].keys() | frame["quality"].keys())
        return counts

    def times(self, device: str) -> list[float]:
        """Seconds since 1970, in the order of reading."""
        return sorted(frame["ts"] / 1000 for frame in self.frames.values() if frame["device"] == device)

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("lines*"))


def longest_pause(lines: Lines, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> float:
    """Watch for so long; the longest time in seconds in which nothing arrived."""
    longest, size, since = 0.0, lines.size(), time.monotonic()
    for _ in ticks(seconds):
        meanwhile()
        now, then = time.monotonic(), size
        size = lines.size()
        if size != then:
            longest, since = max(longest, now - since), now
    return max(longest, time.monotonic() - since)


def ticks(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)


def metric(agent: Agent, line: str) -> float | None:
    """What `/metrics` has behind this name and these labels; None when it has no such line."""
    with urlopen(f"http://{agent.facts['host']}:{agent.facts['port']}/metrics", timeout=10) as answer:
        told = dict(text.rsplit(" ", 1) for text in answer.read().decode().splitlines() if not text.startswith("#"))
    return float(told[line]) if line in told else None


def settled(agent: Agent) -> list[dict[str, Any]]:
    """Stop the agent and return its ledger."""
    agent.stop()
    return agent.ledger()


def of(accounts: list[dict[str, Any]], sink: str, what: str) -> int:
    """Samples of the devices of the plant."""
    found = [account[what] for account in accounts if account["sink"] == sink and not account["device"].startswith("$")]
    return sum(sum(each.values()) if isinstance(each, dict) else each for each in found)


def unbalanced(accounts: list[dict[str, Any]]) -> int:
    return sum(not account["balanced"] for account in accounts)


def not_arrived(accounts: list[dict[str, Any]], lines: Lines) -> int:
    """Samples that the ledger has as read and the sink `lines` has not; negative: it has more."""
    arrived = sum(count for device, count in lines.samples().items() if not device.startswith("$"))
    return of(accounts, "lines", "read") - arrived


def healthy(agent: Agent, name: str = "disk") -> bool:
    """Whether this part is up, by the agent's own word."""
    return any(part["name"] == name and part["state"] == "up" for part in agent.ask("/api/v1/health"))
