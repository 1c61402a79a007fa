"""What has not been told for long is told again, as it was and with the time that it had."""

from collections.abc import Iterable, Mapping, Sequence

from agent.model.frame import Frame
from agent.normalise.report.parts import Sample

_WAITING = 64  # frames that are looked through at once


class Beats:
    """What was told of the columns that ask for it. Which frames that was is enough to know until somebody asks; of
    those with the same columns the last."""

    def __init__(self, most: Mapping[int, int]) -> None:
        """`most`: ns that a column may be silent."""
        self._most = most
        self._told: dict[int, Sample] = {}
        self._when: dict[int, int] = {}  # mono ns
        self._waiting: dict[tuple[int, ...] | None, Frame] = {}
        self._now = 0  # mono ns of the last tick

    def saw(self, frame: Frame) -> None:
        waiting = self._waiting
        waiting.pop(frame.columns, None)
        waiting[frame.columns] = frame
        if len(waiting) > _WAITING:
            self.look_through()

    def silent(self, mono: int) -> Sequence[int]:
        """The columns that are to be told now."""
        self._now = mono
        self.look_through()
        return [column for column, when in self._when.items() if mono - when >= self._most[column]]

    def again(self, columns: Iterable[int]) -> list[Sample]:
        """What was told of these last."""
        return [self._told[column] for column in columns]

    def look_through(self) -> None:
        """What was told since the last tick was told now: a second is nothing here."""
        most, now = self._most, self._now
        for frame in self._waiting.values():
            for place, column in enumerate(range(len(frame.values)) if frame.columns is None else frame.columns):
                if column in most:
                    self._told[column], self._when[column] = (frame, place), now
        self._waiting.clear()
