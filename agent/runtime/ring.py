"""The last lines of the log, kept in memory for whoever asks what happened: so many lines, and so much text."""

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agent.runtime.flood import Flood

MOST, BYTES = 2000, 1 << 20  # lines, and characters of them together
HEARD = ("floorgate", "asyncio")  # loggers


class Ring(logging.Handler):
    """Also counts the lines by their level, and those that were too many: as everywhere, of a flood some are taken."""

    def __init__(self, form: logging.Formatter, most: int = MOST, room: int = BYTES) -> None:
        super().__init__()
        self.setFormatter(form)
        self.addFilter(Flood())
        self._lines: deque[str] = deque()
        self._most, self._room, self._size = most, room, 0
        self.counts: Counter[str] = Counter()
        self.suppressed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        passed = bool(super().filter(record))
        self.suppressed += not passed
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)[: self._room // 4]
        self.counts[record.levelname.lower()] += 1
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > self._most or self._size > self._room:
            self._size -= len(self._lines.popleft())

    def last(self, count: int = MOST) -> Sequence[str]:
        """The oldest of them first."""
        with self.lock:  # type: ignore[union-attr]  # made by logging.Handler
            lines = list(self._lines)
        return lines[max(0, len(lines) - count) :]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """To the agent's own log, and to what asyncio has to say of it."""
        loggers = [logging.getLogger(name) for name in HEARD]
        for each in loggers:
            each.addHandler(self)
        try:
            yield
        finally:
            for each in loggers:
                each.removeHandler(self)
