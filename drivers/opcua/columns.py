"""Turn a server's data values into the columns of one schema."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.model.errors import DeviceError
from agent.model.frame import Frame, Value
from agent.model.quality import FIRST_BAD, Quality
from agent.model.tag import Schema
from drivers.opcua.notify import Batch
from drivers.opcua.status import overflowed, quality
from drivers.opcua.values import Convert, converter, unchanged

_SILENT = 0x80310000  # BadNoCommunication
_REASONS: dict[int, int] = {
    Quality.BAD_CONFIG: 0x80340000,
    Quality.BAD_DEVICE: 0x808B0000,
}  # BadNodeIdUnknown, BadDeviceFailure
TICKS_1970 = 116_444_736_000_000_000  # 1970 in ticks of 100 ns since 1601
_LAST = TICKS_1970 + ((1 << 63) - 1) // 100


class Columns:
    """Compiled for one schema. `overflows` counts values whose elders the server had to throw away."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.overflows = 0
        converters = {dtype: converter(dtype) for dtype in {tag.dtype for tag in schema.tags}}
        self._usual = tuple(converters[tag.dtype] for tag in schema.tags)
        self._convert = list(self._usual)
        self._special: set[int] = set()
        self.tap: Callable[[Sequence[int], Batch, list[Value]], None] | None = None  # who wants to know what comes
        self.lost: Callable[[DeviceError], None] | None = None  # and that nothing does any more
        self._plain = frozenset(range(256)).intersection(*map(unchanged, converters))
        self._unchanged = self._plain

    def adapt(self, column: int, convert: Callable[[Convert], Convert] | None) -> None:
        """What becomes of a column's values in this session: made from what its type does, or (None) just that."""
        usual = self._usual[column]
        self._convert[column] = convert(usual) if convert else usual
        (self._special.add if convert else self._special.discard)(column)
        self._unchanged = frozenset() if self._special else self._plain

    def decode(self, columns: Sequence[int], batch: Batch, received: int) -> tuple[list[Value], bytes, list[int]]:
        """Values, qualities and source times (ns UTC; the server's time or `received` where there is none)."""
        stamps = _stamps(batch, received)
        values: list[Value]
        if not batch.codes and batch.kinds <= self._unchanged:
            values = batch.values  # type: ignore[assignment]  # numbers, as their kinds say
            return values, bytes(len(values)), stamps
        convert = self._convert
        values = [convert[column](value) for column, value in zip(columns, batch.values, strict=True)]
        qualities = bytearray(quality(code) for code in batch.codes) if batch.codes else bytearray(len(values))
        self.overflows += sum(map(overflowed, batch.codes))
        for place, value in enumerate(values):
            if qualities[place] >= FIRST_BAD:
                values[place] = None
            elif value is None:
                qualities[place] = Quality.BAD_DECODE
        return values, bytes(qualities), stamps

    def one(self, column: int, value: object, code: int) -> tuple[Value, int]:
        """What becomes of a single value, and its quality; nothing is counted."""
        trust = quality(code)
        if trust >= FIRST_BAD:
            return None, trust
        found = self._convert[column](value)
        return found, Quality.BAD_DECODE if found is None else trust

    def frames(self, batch: Batch, ts: int, mono: int) -> Iterator[Frame]:
        """Sparse frames of one message: one, or as many as the busiest tag changed, each tag's values in order; made
        one by one, for that may be half a million."""
        columns = batch.handles
        if not columns:
            return
        if self.tap is not None:
            self._tell(columns, batch)
        values, qualities, stamps = self.decode(columns, batch, ts)
        if len(set(columns)) == len(columns):
            yield self._frame(columns, values, qualities, ts, mono, stamps)
            return
        for layer in _layers(columns):
            held, trust, times = ([kept[place] for place in layer] for kept in (values, qualities, stamps))
            places = [columns[place] for place in layer]
            yield self._frame(places, held, bytes(trust), ts, mono, times)  # type: ignore[arg-type]

    def whole(self, answers: Sequence[tuple[Sequence[int], Batch]], missing: bytearray, ts: int, mono: int) -> Frame:
        """The frame of a scan; a column without an answer is None with its quality in `missing`."""
        values: list[Value] = [None] * len(missing)
        stamps = [ts] * len(missing)
        if self.tap is not None:
            self._tell_all(answers, missing)
        for columns, batch in answers:
            found, qualities, times = self.decode(columns, batch, ts)
            for column, value, trust, stamp in zip(columns, found, qualities, times, strict=True):
                values[column], missing[column], stamps[column] = value, trust, stamp
        return Frame(self.schema, ts, values, bytes(missing), mono, None, tuple(stamps))

    def _tell_all(self, answers: Sequence[tuple[Sequence[int], Batch]], missing: bytearray) -> None:
        """All of a scan at once, with what was not answered."""
        answered = {column for columns, _ in answers for column in columns}
        left = [column for column in range(len(missing)) if column not in answered]
        parts = [*answers, (left, _blank([missing[column] for column in left]))]
        whole = Batch()
        for columns, batch in parts:
            whole.handles += columns
            whole.values += batch.values
            whole.codes += batch.codes or [0] * len(columns)
            whole.ticks += batch.ticks
            whole.served += batch.served
            whole.kinds |= batch.kinds
        self._tell(whole.handles, whole)

    def _tell(self, columns: Sequence[int], batch: Batch) -> None:
        """Values go to the tap as the node holds them; but of columns whose values need more than their type to be
        understood (names of enumerations, parts of arrays and structures) as the tag is to have them."""
        assert self.tap is not None
        special, convert = self._special, self._convert
        pairs = zip(columns, batch.values, strict=True)
        self.tap(columns, batch, [convert[column](value) if column in special else None for column, value in pairs])

    def refused(self, qualities: Mapping[int, int], ts: int, mono: int) -> Frame:
        """A frame that says which columns there will be nothing of, with the quality of each."""
        places = tuple(sorted(qualities))
        if self.tap is not None:
            self._tell(places, _blank([qualities[column] for column in places]))
        trust = bytes(qualities[column] for column in places)
        return Frame(self.schema, ts, (None,) * len(places), trust, mono, places, (ts,) * len(places))

    def _frame(
        self, columns: Sequence[int], values: list[Value], qualities: bytes, ts: int, mono: int, stamps: list[int]
    ) -> Frame:
        places = tuple(columns)
        whole = len(places) == len(self._convert) and places == tuple(range(len(places)))
        return Frame(self.schema, ts, values, qualities, mono, None if whole else places, tuple(stamps))


def _blank(qualities: Sequence[int]) -> Batch:
    """No values, each for a reason that has this quality."""
    size = len(qualities)
    return Batch([], [None] * size, [_REASONS.get(each, _SILENT) for each in qualities], [0] * size, [0] * size)


def _layers(columns: Sequence[int]) -> list[list[int]]:
    """Places of the first change of each column, of the second, and so on."""
    layers: list[list[int]] = []
    seen: defaultdict[int, int] = defaultdict(int)
    for place, column in enumerate(columns):
        depth = seen[column]
        seen[column] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(place)
    return layers


def _stamps(batch: Batch, received: int) -> list[int]:
    ticks = batch.ticks
    if min(ticks, default=0) > TICKS_1970 and max(ticks) < _LAST:
        return [(moment - TICKS_1970) * 100 for moment in ticks]
    return [stamp(*times, received) for times in zip(ticks, batch.served, strict=True)]


def stamp(ticks: int, served: int, received: int) -> int:
    """The first of two times in ticks that makes sense, or else the third, which is ns UTC as the answer is."""
    for moment in (ticks, served):
        if TICKS_1970 < moment < _LAST:
            return (moment - TICKS_1970) * 100
    return received
