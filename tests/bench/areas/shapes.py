"""100,000 samples/s in other words than the envelope: what they cost the agent, and how many bytes they take."""

import itertools
import struct
import time
from collections.abc import Iterable, Iterator

import stopwatch
from report import Row, at_least, at_most, shown
from subscriber import Envelope

from agent.model.frame import Entry
from agent.northbound.shapes import JSON, encoder
from agent.northbound.shapes.columnar import Columnar
from agent.northbound.shapes.columnar_reader import Reader
from areas.main import WARM, Decode, Scene, scene

RATE, BATCH = 100_000, 100
WINDOW, WINDOWS = 10.0, 5  # s
FLOAT = 0x65  # the field before a float value
METRICS = 0x12  # a field of a Sparkplug payload: one metric, shorter than 128 bytes
COLUMNS = ", shape: columnar, per: batch, batch: 500, topic: 'floorgate/bench/columns/all'"


def rows() -> Iterator[Row]:
    yield from sizes()
    yield from cost("envelope", "", None, 2.0)
    yield from cost("columnar", COLUMNS, columns(), 1.3)
    yield from cost("Sparkplug", "", sparkplug(), 2.5, "sparkplug")


def sizes() -> Iterator[Row]:
    """Payload bytes of a hundred frames of a hundred floats, in messages as the sink makes them."""
    frame = stopwatch.frame(stopwatch.schema())
    entries = [Entry("0123456789abcdef", seq, False, frame) for seq in range(1, BATCH + 1)]
    samples = BATCH * stopwatch.TAGS
    for shape in JSON:
        encode = encoder(shape, "bench")  # type: ignore[arg-type]  # a key of JSON is one
        yield shown(f"{shape}: payload", sum(len(encode(entry)) for entry in entries) / samples, "bytes/sample")
    yield at_most("columnar: payload", len(Columnar("bench").encode(entries)) / samples, 5, "bytes/sample")


def columns() -> Decode:
    reader = Reader()

    def decode(payload: bytes) -> Iterable[Envelope]:
        if payload.startswith(b"{"):
            reader.learn(payload)
            return ()
        frames = reader.read(payload)
        return [Envelope(frame["epoch"], frame["seq"], frame["device"], frame["values"]) for frame in frames]

    return decode


def sparkplug() -> Decode:
    """The floats of a DDATA, each the end of its metric; messages have no number that is theirs for ever."""
    numbers = itertools.count()

    def decode(payload: bytes) -> Iterable[Envelope]:
        at, values = 0, bytearray()
        while at < len(payload):
            if payload[at] == METRICS:
                at += 2 + payload[at + 1]
                values += payload[at - 4 : at] if payload[at - 5] == FLOAT else b""  # a bad one is null
            else:
                at += 1
                while payload[at] & 0x80:
                    at += 1
                at += 1
        floats = struct.unpack(f"<{len(values) // 4}f", values)
        if not floats:
            return ()
        return (Envelope("", next(numbers), "", dict(zip(map(str, range(len(floats))), floats, strict=True))),)

    return decode


def _window(it: Scene) -> float:
    cpu, came = it.agent.cpu(), it.platform.samples
    it.watch(WINDOW)
    return (it.agent.cpu() - cpu) / max(it.platform.samples - came, 1) * 1e6


def cost(name: str, keys: str, decode: Decode | None, bar: float, kind: str = "mqtt") -> Iterator[Row]:
    """As the area `main` takes it, the least of what has to be shown.

    What else a machine does only ever adds to the cost, so that of the quietest of several windows is the agent's own.
    """
    with scene("100ms", keys=keys, decode=decode, kind=kind) as it:
        it.watch(WARM)
        began, first = time.monotonic(), it.farm.samples
        costs = sorted(_window(it) for _ in range(WINDOWS))
        took, served = time.monotonic() - began, it.farm.samples - first
        yield at_least(f"{name}: read", served / took, 0.995 * RATE, "samples/s")
        yield at_most(f"{name}: CPU", costs[0], bar, "s/Msample")
        yield shown(f"{name}: CPU in the median of {WINDOWS} windows", costs[WINDOWS // 2], "s/Msample")
        served, delivered, _ = it.finish()
        yield at_most(f"{name}: missing of {served:,} samples", served - delivered, 0, "samples")
        yield at_most(f"{name}: wrong values", it.platform.wrong, 0, "frames")
        yield shown(f"{name}: on the wire", it.platform.bytes / max(delivered, 1), "bytes/sample")
