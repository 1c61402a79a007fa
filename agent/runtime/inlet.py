"""The bounded place between the field and the disk: frames wait here for the next group commit."""

import asyncio
from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from agent.health import Part
from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.runtime.supervise import waited

SAMPLE = 5  # bytes on disk that a sample is taken to need: a float32 does, other types take up to twice as much
FRAME = 40  # bytes on disk that a frame needs besides
SOON = 64 << 10  # bytes that are worth a commit of their own
LIMIT = 2 << 20  # bytes that may wait
ALARM = "alarm"  # the group of made frames that are urgent


class Inlet:
    """Pollers wait for `room` before they have a step work on what they read: what comes of it is added at once, so
    that the state of the steps and the frames here always belong together. Subscriptions push, and then the oldest
    frame goes. Alarms go first, and do not wait for others.
    """

    def __init__(self, limit: int = LIMIT, soon: int = SOON) -> None:
        self._frames: deque[Frame] = deque()
        self._urgent: deque[Frame] = deque()
        self._bytes = 0
        self._limit, self._soon = limit, soon
        self._some, self._plenty, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._closed = False

    @property
    def size(self) -> int:
        """Bytes that what waits will take, about."""
        return self._bytes

    @property
    def limit(self) -> int:
        """Bytes that may wait before pollers have to."""
        return self._limit

    @property
    def full(self) -> bool:
        return self._bytes >= self._limit

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.full:
            self._room.clear()
            await self._room.wait()

    def push(self, frame: Frame, part: Part) -> None:
        """Take the frame at once; a full inlet gives up its oldest frame, and `part` counts it.

        What was made is not given up for what is read, up to twice the limit: it is told once only.
        """
        while self._bytes >= self._limit and (waiting := self._frames or self._urgent):
            if waiting[0].schema.made and self._bytes < 2 * self._limit:
                if frame.schema.made:
                    break
                part.lost(len(frame.values))
                return
            oldest = waiting.popleft()
            self._bytes -= _size(oldest)
            part.lost(len(oldest.values))
        self.add(frame)

    async def take(self, within: float) -> list[Frame]:
        """All frames that wait: `within` seconds after the first came, at once when plenty wait or the inlet is closed.

        An empty list means closed and drained.
        """
        if not self._closed:
            await self._some.wait()
            if not self._plenty.is_set():
                await waited(self._plenty, within)
        frames = [*self._urgent, *self._frames]
        self._urgent.clear()
        self._frames.clear()
        self._bytes = 0
        if not self._closed:
            self._some.clear()
            self._plenty.clear()
        self._room.set()
        return frames

    def close(self) -> None:
        """No more waiting: what is here is taken, then nothing."""
        self._closed = True
        self._some.set()
        self._plenty.set()

    def __len__(self) -> int:
        return len(self._frames) + len(self._urgent)

    def __iter__(self) -> Iterator[Frame]:
        """What waits, the oldest first but for what is urgent; for who looks and takes nothing."""
        return iter((*self._frames, *self._urgent))

    def add(self, frame: Frame) -> None:
        """Take the frame, even when it is full."""
        if not self._frames:
            self._some.set()
        if frame.schema.made and frame.schema.group == ALARM:
            self._urgent.append(frame)
            self._some.set()
            self._plenty.set()
        else:
            self._frames.append(frame)
        self._bytes += _size(frame)
        if self._bytes >= self._soon:
            self._plenty.set()


def _size(frame: Frame) -> int:
    size = FRAME + SAMPLE * len(frame.values)
    if _has_texts(frame.schema):
        size += sum(len(value) for value in frame.values if isinstance(value, str))
    return size


@lru_cache(4096)
def _has_texts(schema: Schema) -> bool:
    return any(tag.dtype == "str" for tag in schema.tags)
