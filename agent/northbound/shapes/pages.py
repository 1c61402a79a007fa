"""Many frames as one text: JSON, one object a line, a table, or columns in bytes. For whoever asks for a page of them.

What is made at a time is as much as takes about a millisecond, so that nobody waits long for his turn.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from agent.model.frame import Entry
from agent.model.quality import quality_name
from agent.northbound.encode import told
from agent.northbound.shapes import JSON
from agent.northbound.shapes.columnar import Columnar

SAMPLES = 10_000  # about what a piece holds
KINDS = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
BINARY = "application/octet-stream"
HEAD = b"ts,device,group,tag,value,quality,unit,epoch,seq\r\n"
_MS = 1_000_000
Writer = Callable[[Sequence[Entry], bytes], Iterator[bytes]]


def pages(format_: str, shape: str, gateway: str) -> tuple[str, Writer]:
    """The content type, and what writes frames in pieces; it takes the cursor as JSON, too."""
    if shape == "columnar":
        encode = Columnar(gateway, inline=True).encode
        return BINARY, lambda entries, _: iter([encode(entries)])
    if format_ == "csv":
        return KINDS[format_], _table
    one = JSON[shape](gateway).encode
    return KINDS[format_], _lines(one) if format_ == "ndjson" else _object(one)


def _lines(one: Callable[[Entry], bytes]) -> Writer:
    def write(entries: Sequence[Entry], cursor: bytes) -> Iterator[bytes]:
        del cursor
        for some in _some(entries):
            yield b"\n".join([one(entry) for entry in some]) + b"\n"

    return write


def _object(one: Callable[[Entry], bytes]) -> Writer:
    def write(entries: Sequence[Entry], cursor: bytes) -> Iterator[bytes]:
        head = b'{"frames":['
        for some in _some(entries):
            yield head + b",".join([one(entry) for entry in some])
            head = b","
        end = b'],"cursor":%b}' % cursor
        yield end if entries else head + end

    return write


def _table(entries: Sequence[Entry], cursor: bytes) -> Iterator[bytes]:
    """A row for each sample (RFC 4180); a value that is none is empty."""
    del cursor
    yield HEAD
    for some in _some(entries):
        yield "".join(map(_rows, some)).encode("utf-8", "replace")


def _rows(entry: Entry) -> str:
    frame = entry.frame
    values, doubts = told(frame)
    stamps = frame.stamps or (frame.ts,) * len(frame.values)
    middle = f",{_cell(frame.schema.device)},{_cell(frame.schema.group)},"
    end = f",{entry.epoch},{entry.seq}\r\n"
    return "".join(
        [
            f"{stamp // _MS}{middle}{_cell(tag.name)},{_value(values.get(tag.name))},"
            f"{quality_name(doubts.get(tag.name, 0))},{_cell(tag.unit)}{end}"
            for tag, stamp in zip(frame.tags(), stamps, strict=True)
        ]
    )


def _value(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else _cell(value) if isinstance(value, str) else repr(value)


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _some(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """In order, and about so many samples at a time."""
    rest = iter(entries)
    while first := next(rest, None):
        yield [first, *islice(rest, SAMPLES // max(1, len(first.frame.values)))]
