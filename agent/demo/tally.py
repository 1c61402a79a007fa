"""What the platform has received: each frame once, by the name that it carries."""

from collections import Counter, defaultdict

import msgspec

Part = tuple[int, int]
Value = bool | int | float | str


class Envelope(msgspec.Struct, frozen=True):
    """One MQTT message: the columns of one frame, or part `part` = (i, n) of a large one. `ts` is ms since 1970 UTC."""

    gateway: str
    epoch: str
    seq: int
    device: str
    ts: int
    values: dict[str, Value]
    quality: dict[str, str] = {}
    history: bool = False
    part: Part | None = None

    @property
    def samples(self) -> int:
        """A tag with a doubtful value stands in both tables, one with a bad value in `quality` only."""
        return len(self.values.keys() | self.quality.keys())

    @property
    def trust(self) -> str:
        """`good`, or the first quality that is not."""
        return next(iter(self.quality.values()), "good")


class Tally:
    """Counts frames and samples per device, and keeps the newest frame of each."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Envelope).decode
        self._seen: defaultdict[tuple[str, str], set[tuple[int, Part | None]]] = defaultdict(set)
        self.newest: dict[str, Envelope] = {}
        self.values: dict[str, dict[str, Value]] = {}  # the latest of each tag that is usable, by device
        self.frames: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.history = 0  # frames that had waited on disk
        self.repeated = 0  # messages that were here before
        self.unreadable = 0  # messages that are not an envelope

    def add(self, payload: bytes) -> None:
        try:
            envelope = self._decode(payload)
        except msgspec.DecodeError:
            self.unreadable += 1
            return
        seen, name = self._seen[envelope.gateway, envelope.epoch], (envelope.seq, envelope.part)
        if name in seen:
            self.repeated += 1
            return
        seen.add(name)
        self.frames[envelope.device] += 1
        self.samples[envelope.device] += envelope.samples
        self.history += envelope.history
        newest = self.newest.get(envelope.device)
        if newest is None or newest.ts <= envelope.ts:
            self._show(envelope)

    def _show(self, envelope: Envelope) -> None:
        """An event-driven device sends only the tags that have changed; a bad tag loses its value."""
        self.newest[envelope.device] = envelope
        values = self.values.setdefault(envelope.device, {})
        values.update(envelope.values)
        for tag in envelope.quality.keys() - envelope.values.keys():
            values.pop(tag, None)

    @property
    def total(self) -> int:
        """Frames, of all devices."""
        return sum(self.frames.values())

    def missing(self) -> int:
        """How many numbers are missing between the first and the last frame of each run."""
        gaps = 0
        for names in self._seen.values():
            numbers = {seq for seq, _ in names}
            gaps += max(numbers) - min(numbers) + 1 - len(numbers)
        return gaps
