"""The last committed frames, kept in RAM so that a sink that keeps up never reads the disk."""

from collections.abc import Sequence

from agent.model.frame import Frame

MOST_FRAMES = 4096
MOST_SAMPLES = 100_000


class Tail:
    """Frames `first` to the newest, without a gap; bounded by frames and by samples."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._frames: dict[int, Frame] = {}
        self._samples = 0

    def __len__(self) -> int:
        return len(self._frames)

    def get(self, first: int, last: int) -> list[Frame]:
        """The frames first..last, all of which must be here."""
        return [self._frames[seq] for seq in range(first, last + 1)]

    def extend(self, first: int, frames: Sequence[Frame]) -> None:
        """Frames that have just been committed, the first of them as `first`, right after what is here."""
        for seq, frame in enumerate(frames, first):
            self._frames[seq] = frame
            self._samples += len(frame.values)
        while len(self._frames) > MOST_FRAMES or self._samples > MOST_SAMPLES:
            self._drop()

    def trim(self, first: int) -> None:
        """Nobody will ask for what lies below `first`."""
        while self._frames and self.first < first:
            self._drop()

    def _drop(self) -> None:
        self._samples -= len(self._frames.pop(self.first).values)
        self.first += 1
