"""The bounded place between the field and the disk: frames wait here for the next group commit."""

import asyncio
from collections import deque
from functools import lru_cache

from agent.health import Part
from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.runtime.supervise import waited

SAMPLE = 5  # bytes on disk that a sample is taken to need: a float32 does, other types take up to twice as much
FRAME = 40  # bytes on disk that a frame needs besides
SOON = 64 << 10  # bytes that are worth a commit of their own
LIMIT = 2 << 20  # bytes that may wait


class Inlet:
    """Pollers wait while it is full (`put`); subscriptions push, and then the oldest frame goes (`push`)."""

    def __init__(self, limit: int = LIMIT, soon: int = SOON) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._limit, self._soon = limit, soon
        self._some, self._plenty, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._closed = False

    def offer(self, frame: Frame) -> bool:
        """Take the frame unless the inlet is full."""
        if self._bytes >= self._limit:
            return False
        self._add(frame)
        return True

    async def put(self, frame: Frame) -> None:
        """Take the frame as soon as there is room."""
        while not self.offer(frame):
            self._room.clear()
            await self._room.wait()

    def push(self, frame: Frame, part: Part) -> None:
        """Take the frame at once; a full inlet gives up its oldest frame, and `part` counts it."""
        while self._bytes >= self._limit and self._frames:
            oldest = self._frames.popleft()
            self._bytes -= _size(oldest)
            part.lost(len(oldest.values))
        self._add(frame)

    async def take(self, within: float) -> list[Frame]:
        """All frames that wait: `within` seconds after the first came, at once when plenty wait or the inlet is closed.

        An empty list means closed and drained.
        """
        if not self._closed:
            await self._some.wait()
            if not self._plenty.is_set():
                await waited(self._plenty, within)
        frames = list(self._frames)
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
        return len(self._frames)

    def _add(self, frame: Frame) -> None:
        if not self._frames:
            self._some.set()
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
