"""Turn a server's data values into the columns of one schema."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from asyncua import ua

from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema
from drivers.opcua.status import overflowed, quality
from drivers.opcua.values import converter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (1 << 63) - 1


class Columns:
    """Compiled for one schema. `overflows` counts values whose elders the server had to throw away."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.overflows = 0
        self._convert = [converter(tag.dtype) for tag in schema.tags]

    def decode(
        self, columns: Sequence[int], data: Sequence[ua.DataValue], received: int
    ) -> tuple[list[Value], bytearray, list[int]]:
        """Values, qualities and source times (ns UTC; the server's time or `received` where there is none)."""
        values: list[Value] = []
        qualities = bytearray()
        stamps: list[int] = []
        for column, item in zip(columns, data, strict=True):
            code = item.StatusCode.value if item.StatusCode else 0
            trust = 0
            if code:
                trust = quality(code)
                self.overflows += overflowed(code)
            value: Value = None
            if trust < FIRST_BAD:
                held = item.Value
                value = self._convert[column](held.Value) if held else None
                if value is None:
                    trust = Quality.BAD_DECODE
            values.append(value)
            qualities.append(trust)
            stamps.append(_stamp(item, received))
        return values, qualities, stamps

    def frames(self, columns: Sequence[int], data: Sequence[ua.DataValue], ts: int, mono: int) -> list[Frame]:
        """Sparse frames of one message: one, or as many as the busiest tag changed, each tag's values in order."""
        if len(set(columns)) == len(columns):
            return [self._frame(columns, data, ts, mono)] if columns else []
        layers: list[tuple[list[int], list[ua.DataValue]]] = []
        seen: defaultdict[int, int] = defaultdict(int)
        for column, item in zip(columns, data, strict=True):
            depth = seen[column]
            seen[column] = depth + 1
            if depth == len(layers):
                layers.append(([], []))
            layers[depth][0].append(column)
            layers[depth][1].append(item)
        return [self._frame(*layer, ts, mono) for layer in layers]

    def whole(
        self, answers: Sequence[tuple[Sequence[int], Sequence[ua.DataValue]]], missing: bytearray, ts: int, mono: int
    ) -> Frame:
        """The frame of a scan; a column without an answer is None with its quality in `missing`."""
        values: list[Value] = [None] * len(missing)
        stamps = [ts] * len(missing)
        for columns, data in answers:
            found, qualities, times = self.decode(columns, data, ts)
            for column, value, trust, stamp in zip(columns, found, qualities, times, strict=True):
                values[column], missing[column], stamps[column] = value, trust, stamp
        return Frame(self.schema, ts, values, bytes(missing), mono, None, tuple(stamps))

    def refused(self, qualities: Mapping[int, int], ts: int, mono: int) -> Frame:
        """A frame that says which columns there will be nothing of, with the quality of each."""
        places = tuple(sorted(qualities))
        trust = bytes(qualities[column] for column in places)
        return Frame(self.schema, ts, (None,) * len(places), trust, mono, places, (ts,) * len(places))

    def _frame(self, columns: Sequence[int], data: Sequence[ua.DataValue], ts: int, mono: int) -> Frame:
        values, qualities, stamps = self.decode(columns, data, ts)
        places = tuple(columns)
        whole = len(places) == len(self._convert) and places == tuple(range(len(places)))
        return Frame(self.schema, ts, values, bytes(qualities), mono, None if whole else places, tuple(stamps))


def _stamp(item: ua.DataValue, received: int) -> int:
    for moment in (item.SourceTimestamp, item.ServerTimestamp):
        if moment is not None:
            since: timedelta = moment - _EPOCH  # type: ignore[operator]  # asyncua gives datetimes, and types them otherwise
            ns = (since.days * 86400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
            if 0 < ns <= _LATEST:
                return ns
    return received
