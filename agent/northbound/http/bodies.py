"""Frames as the bodies of requests, and how large these may be; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from agent.model.frame import Entry
from agent.northbound.http.config import Config
from agent.northbound.shapes import batched, encoder
from agent.northbound.shapes.columnar import Columnar
from agent.northbound.shapes.compress import compressor

LARGEST = 4 << 20  # bytes of a body, before it is compressed
LEAST = 4 << 10  # bytes to which a slow line may bring a body down
_PART = 0.5  # of the time that a request has: on a slow line a body is as large as fits into it


@dataclass(frozen=True, slots=True)
class Body:
    """`size` is that of the text; `data` is what goes over the wire."""

    data: bytes
    size: int
    key: str


class Bodies:
    """Writes for one sink. The same entries give the same body, and the same body has the same key."""

    def __init__(self, config: Config, gateway: str) -> None:
        self._compress = compressor(config.compress)
        self.headers = {"Content-Type": "application/octet-stream"}
        if config.compress != "none":
            self.headers["Content-Encoding"] = config.compress
        if config.shape == "columnar":
            self._text: Callable[[Sequence[Entry]], bytes] = Columnar(gateway, inline=True).encode
            return
        encode = encoder(config.shape, gateway)
        if config.format == "json":
            self.headers["Content-Type"] = "application/json"
            self._text = lambda entries: batched([encode(entry) for entry in entries])
        else:
            self.headers["Content-Type"] = "application/x-ndjson"
            self._text = lambda entries: b"".join([encode(entry) + b"\n" for entry in entries])

    def text(self, entries: Sequence[Entry]) -> bytes:
        return self._text(entries)

    def body(self, text: bytes) -> Body:
        """What takes time with a large one, and belongs into a thread then.

        The key is an opaque string between quotes (draft-ietf-httpapi-idempotency-key-header §2.1). Gateway, epochs and
        numbers are in the text, so two texts that are the same are so because they say the same.
        """
        return Body(self._compress(text), len(text), f'"{sha256(text).hexdigest()[:32]}"')


class Room:
    """How many bytes a body may have, as the platform and the line have shown."""

    def __init__(self, timeout: float) -> None:
        self._time = timeout * _PART
        self._told = LARGEST + 1  # the smallest that was called too large
        self._taken = 0  # the largest that was taken
        self._slow = LARGEST  # what the line carries in the time that there is

    @property
    def bytes(self) -> int:
        """Where the platform does not say how much it takes, halves of what was too large are tried next."""
        told = LARGEST if self._told > LARGEST else max(self._taken, self._told // 2)
        return min(told, self._slow)

    def taken(self, size: int, seconds: float) -> None:
        self._taken = max(size, self._taken)
        if self._slow < LARGEST:
            self._slow = self._bounded(size * self._time / max(seconds, 1e-3))

    def too_large(self, size: int) -> None:
        self._told = min(size, self._told)
        if self._taken >= size:
            self._taken = 0  # it takes less than it did

    def late(self, size: int) -> None:
        """There was no answer in time, maybe for the size of it."""
        self._slow = self._bounded(size / 2)

    def _bounded(self, size: float) -> int:
        return min(max(int(size), LEAST), LARGEST)


def pieces(entries: Sequence[Entry], size: int, room: int) -> list[Sequence[Entry]]:
    """Entries that make a body of `size` bytes in as many pieces as should fit into `room` each, at least two."""
    count = min(len(entries), max(2, -(-size // max(room, 1))))
    step = -(-len(entries) // count)
    return [entries[first : first + step] for first in range(0, len(entries), step)]
