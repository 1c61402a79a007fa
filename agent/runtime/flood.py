"""How many lines of a kind the log takes: a device that flaps, or two thousand that are dead, must not fill the disk.

Lines are of one kind that have the same template and speak of the same part. Each kind has a bucket, and all together
have one; those from ERROR on have one of their own, so that no flood of the others keeps them out. What does not get
through is counted, and told within a minute, with the newest that was left out.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

KIND, KIND_PER_MINUTE = 20, 2.0  # lines of one kind at once, and those that follow
ALL, ALL_PER_MINUTE = 500, 60.0  # of all kinds
KINDS = 2000  # that are remembered
EVERY = 60.0  # seconds between two accounts of what was left out
LONG = 300  # characters of a line that was left out
FEW = 20  # kinds that an account names

PASSES = "left_out"  # the attribute of a record that tells of others
_Kind = tuple[str, object]


@dataclass(slots=True)
class Bucket:
    """`most` at once, then `per_minute`; times in seconds."""

    most: int
    per_minute: float
    tokens: float = field(init=False)
    at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.tokens = self.most

    def fill(self, now: float) -> float:
        """How many may pass now."""
        self.tokens = min(self.most, self.tokens + max(0.0, now - self.at) * self.per_minute / 60)
        self.at = now
        return self.tokens


@dataclass(slots=True)
class Kind:
    bucket: Bucket = field(default_factory=lambda: Bucket(KIND, KIND_PER_MINUTE))
    left_out: int = 0
    newest: str = ""
    level: int = logging.NOTSET  # the highest that was left out


class Flood(logging.Filter):
    """Goes on a handler. A filter for DEBUG lets everything of that level pass: somebody has asked for it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now, self._lock = now, threading.Lock()
        self._kinds: dict[_Kind, Kind] = {}
        self._all, self._errors = Bucket(ALL, ALL_PER_MINUTE), Bucket(ALL, ALL_PER_MINUTE)
        self._forgotten = 0  # left out of kinds that are not remembered any more
        self._told = now()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG or hasattr(record, PASSES):
            return True
        now = self._now()
        with self._lock:
            kind = self._kind(record.msg, getattr(record, "about", None), now)
            both = kind.bucket, self._errors if record.levelno >= logging.ERROR else self._all
            if min(bucket.fill(now) for bucket in both) >= 1:
                for bucket in both:
                    bucket.tokens -= 1
                return True
            kind.left_out += 1
            kind.newest, kind.level = record.getMessage()[:LONG], max(kind.level, record.levelno)
            return False

    def _kind(self, template: object, about: object, now: float) -> Kind:
        """The one that was asked for the longest time ago is forgotten for a new one."""
        key = str(template)[:LONG], about
        kind = self._kinds.pop(key, None)
        if kind is None and len(self._kinds) >= KINDS:
            self._forgotten += self._kinds.pop(next(iter(self._kinds))).left_out
        self._kinds[key] = kind = kind or Kind()
        kind.bucket.fill(now)
        return kind

    def tell(self) -> tuple[list[tuple[int, str, int]], int, float]:
        """What was left out since the last account: level, newest line and number of the kinds of which it was most,
        how many more lines of others, and in how many seconds."""
        now = self._now()
        seconds, self._told = now - self._told, now
        with self._lock:
            out = sorted((kind for kind in self._kinds.values() if kind.left_out), key=lambda kind: -kind.left_out)
            rest, self._forgotten = self._forgotten + sum(kind.left_out for kind in out[FEW:]), 0
            told = [(kind.level, kind.newest, kind.left_out) for kind in out[:FEW]]
            for kind in out:
                kind.left_out, kind.newest, kind.level = 0, "", logging.NOTSET
        return told, rest, seconds
