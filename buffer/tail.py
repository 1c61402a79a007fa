"""The last committed frames, kept in RAM so that a sink that keeps up never reads the disk."""

from collections.abc import Sequence

from agent.model.frame import Frame

MOST_FRAMES = 4096
MOST_SAMPLES = 100_000
MOST_BYTES = 4 << 20  # of bodies: texts may be long


class Tail:
    """Frames `first` to the newest, without a gap; bounded by frames, samples and bytes."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._frames: dict[int, tuple[Frame, int]] = {}
        self._samples = self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def get(self, first: int, last: int) -> list[Frame]:
        """The frames first..last, all of which must be here."""
        return [self._frames[seq][0] for seq in range(first, last + 1)]

    def extend(self, first: int, frames: Sequence[Frame], sizes: Sequence[int]) -> None:
        """Frames that have just been committed, the first of them as `first`, right after what is here; their bytes."""
        for seq, (frame, size) in enumerate(zip(frames, sizes, strict=True), first):
            self._frames[seq] = frame, size
            self._samples += len(frame.values)
            self._bytes += size
        while len(self._frames) > MOST_FRAMES or self._samples > MOST_SAMPLES or self._bytes > MOST_BYTES:
            self._drop()

    def trim(self, first: int) -> None:
        """Nobody will ask for what lies below `first`."""
        while self._frames and self.first < first:
            self._drop()

    def _drop(self) -> None:
        frame, size = self._frames.pop(self.first)
        self._samples -= len(frame.values)
        self._bytes -= size
        self.first += 1
