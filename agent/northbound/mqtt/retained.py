"""Which messages a broker is to keep for who comes later, so that what it keeps never goes back in time."""

from collections.abc import Iterable

from agent.model.frame import Entry, Frame
from agent.model.tag import Schema
from agent.northbound.house import House


class Newest:
    """For one connection.

    Live frames come in the order in which they were read, and each is newer than what the broker has; a frame that
    comes again, after others of its group, is not. Neither is history, unless nothing was read since: after an outage
    the last value of a tag that seldom changes is history, and still the last one.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._live: dict[tuple[str, str], int] = {}  # seq of the newest frame, by device and group

    def of(self, batch: Iterable[Entry]) -> "list[_Judge]":
        """For each frame of a batch what says whether the broker keeps it."""
        known: dict[Schema, Frame | None] = {}
        return [self._judge(entry, known) for entry in batch]

    def _judge(self, entry: Entry, known: dict[Schema, Frame | None]) -> "_Judge":
        frame, schema = entry.frame, entry.frame.schema
        group = schema.device, schema.group
        if not entry.history and entry.seq >= self._live.get(group, 0):
            self._live[group] = entry.seq
            return _Judge(frame, frame)
        if schema not in known:
            known[schema] = self._house.latest(schema)
        return _Judge(frame, known[schema])


class _Judge:
    """Holds a frame against the latest values of its group; None: nobody knows them, so it is none of them."""

    __slots__ = ("_frame", "_latest")

    def __init__(self, frame: Frame, latest: Frame | None) -> None:
        self._frame, self._latest = frame, latest

    def frame(self) -> bool:
        """Whether no frame of the group is newer."""
        return self._latest is not None and self._frame.ts >= self._latest.ts

    def column(self, place: int) -> bool:
        """Whether no value of this column is newer."""
        frame, latest = self._frame, self._latest
        if latest is frame:
            return True
        if latest is None or latest.stamps is None:
            return False
        column = place if frame.columns is None else frame.columns[place]
        return (frame.stamps[place] if frame.stamps else frame.ts) >= latest.stamps[column]
