"""The last messages of a subscription, as they came: for whoever asks what the server said of a tag."""

from collections import deque
from typing import NamedTuple

from drivers.opcua.notify import OTHER, Batch

MOST = 10_000  # values that are remembered; what is older only the steps know


class Noted(NamedTuple):
    """One value as the server gave it: times in ticks, 0 for none; `mono` is when it came (ns)."""

    value: object
    code: int
    ticks: int
    served: int
    mono: int


class Recent:
    """The last messages of a subscription: references, no more. What is neither number nor truth is kept of the newest
    only, for it may be large."""

    __slots__ = ("_held", "_newest", "_older")

    def __init__(self) -> None:
        self._newest: tuple[Batch, int] | None = None
        self._older: deque[tuple[Batch, int]] = deque()
        self._held = 0

    def add(self, batch: Batch, mono: int) -> None:
        before, self._newest = self._newest, (batch, mono)
        if before is None:
            return
        if OTHER in before[0].kinds:
            before[0].values = []
        self._older.append(before)
        self._held += len(before[0].handles)
        while self._held > MOST:
            self._held -= len(self._older.popleft()[0].handles)

    def find(self, handle: int) -> Noted | None:
        for batch, mono in (*([self._newest] if self._newest else ()), *reversed(self._older)):
            for place in range(len(batch.handles) - 1, -1, -1):
                if batch.handles[place] == handle:
                    return noted(batch, place, mono)
        return None


def noted(batch: Batch, place: int, mono: int) -> Noted:
    value = batch.values[place] if batch.values else None
    code = batch.codes[place] if batch.codes else 0
    return Noted(value, code, batch.ticks[place], batch.served[place], mono)
