"""Whether a configuration that is on trial may stay: pure, with the clock handed in.

A trial **runs** until it is **confirmed** or **reverted**, and is exactly one of the two afterwards. It is reverted
when something is worse than before, when nobody confirmed it in time, or when a person says so.

Something is worse when it was well before, or is new, and has not been well for the whole of its patience: long enough
for each line to have had its turn (three intervals and a timeout), and for a single lost answer to be made up for. What
was not well before does not count. A device or tag that the change adds and that never gives a value does: then the
change did not do what it was made for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

S = 10**9  # ns
LEAST = 10 * S  # patience with anything
SINK = 20 * S  # with a sink: it has to connect, and may try twice
Phase = Literal["running", "confirmed", "reverted"]
Key = tuple[str, str]  # kind and name
NOBODY = "nobody confirmed it in time"


@dataclass(frozen=True, slots=True)
class Vitals:
    """How everything is. `well` has devices, lines and sinks (by kind and name) and whether each does its work;
    `tags` are all that are read, `bad` those without a usable value, both as `DEVICE/TAG`."""

    well: Mapping[Key, bool] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    bad: frozenset[str] = frozenset()

    def counts(self) -> dict[str, list[int]]:
        """How many of all are well, by kind."""
        found: dict[str, list[int]] = {kind: [0, 0] for kind in ("device", "line", "sink")}
        for (kind, _), well in self.well.items():
            found[kind][0] += well
            found[kind][1] += 1
        return found | {"tag": [len(self.tags) - len(self.bad), len(self.tags)]}


@dataclass(slots=True)
class Trial:
    """One trial; all times are monotonic, in ns. `patience` is by device, for those that need more than `LEAST`."""

    version: int
    before: Vitals
    began: int
    length: int
    patience: Mapping[str, int] = field(default_factory=dict)
    phase: Phase = "running"
    reason: str = ""  # why it was reverted
    now: Vitals = field(default_factory=Vitals)  # as it was at the last look
    _since: dict[Key, int] = field(default_factory=dict)  # when what is worse was first seen so

    @property
    def deadline(self) -> int:
        return self.began + self.length

    def left(self, now: int) -> float:
        """Seconds until it reverts."""
        return max(0, self.deadline - now) / S

    def look(self, now: int, vitals: Vitals) -> Phase:
        """What becomes of it, as everything is now."""
        if self.phase == "running":
            self.now = vitals
            worse = set(self._worse(vitals))
            self._since = {key: self._since.get(key, now) for key in worse}
            over = [key for key in worse if now - self._since[key] >= self._patience(key)]
            if over:
                self.revert(_told(over))
            elif now >= self.deadline:
                self.revert(NOBODY)
        return self.phase

    def confirm(self, now: int) -> Phase:
        """A person says that it is good; too late it is reverted."""
        if self.phase == "running":
            if now >= self.deadline:
                self.revert(NOBODY)
            else:
                self.phase = "confirmed"
        return self.phase

    def revert(self, reason: str) -> Phase:
        if self.phase == "running":
            self.phase, self.reason = "reverted", reason
        return self.phase

    def doubts(self) -> str:
        """What is worse at present, and will end the trial if it stays so."""
        return _told(self._since) if self._since else ""

    def as_dict(self, now: int) -> dict[str, Any]:
        """For people who wait for its end."""
        return {
            "version": self.version,
            "seconds": self.length / S,
            "left": round(self.left(now), 1),
            "doubts": self.doubts(),
            "before": self.before.counts(),
            "now": self.now.counts(),
        }

    def _worse(self, vitals: Vitals) -> Iterator[Key]:
        before = self.before
        dead = {name for (kind, name), well in vitals.well.items() if kind == "device" and not well}
        for key, well in vitals.well.items():
            if not well and before.well.get(key, True):
                yield key
        for tag in vitals.bad:
            if tag not in before.bad and tag.partition("/")[0] not in dead:
                yield "tag", tag

    def _patience(self, key: Key) -> int:
        kind, name = key
        if kind == "sink":
            return SINK
        return max(LEAST, self.patience.get(name.partition("/")[0] if kind == "tag" else name, 0))


def _told(keys: Mapping[Key, int] | list[Key]) -> str:
    """`device meter-7 and 2 tags (a/u, a/i) are worse than before`"""
    kinds: dict[str, list[str]] = {}
    for kind, name in sorted(keys):
        kinds.setdefault(kind, []).append(name)
    said = []
    for kind, names in kinds.items():
        some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        said.append(f"{kind} {some}" if len(names) == 1 else f"{len(names)} {kind}s ({some})")
    one = len(kinds) == 1 and len(keys) == 1
    return f"{' and '.join(said)} {'is' if one else 'are'} not well"
