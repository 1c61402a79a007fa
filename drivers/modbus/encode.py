"""Put values into registers, for whoever plays the device: the way of `decode.py` backwards.

Where `writing.py` refuses a value that no raw number stands for, the nearest raw number is taken here, as a device does
with what it measures. Which bytes go where is what `decode.layout` says, so that both directions agree.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime

from agent.model.frame import Value
from drivers.modbus.convert import rational
from drivers.modbus.decode import layout
from drivers.modbus.kinds import BCD, FLOATS, INTEGERS, integer_range
from drivers.modbus.tag import Tag

Put = Callable[[bytearray, int, Value], None]  # memory, place of the tag's first byte in it, value
_LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}


def encoder(tag: Tag, order: str) -> Put:
    """What writes values of `tag` into memory: the bytes of its registers in their order on the wire.

    `order` is that of a tag without its own. None becomes the tag's mark for "no value", or 0 where it has none.
    """
    code, where = layout(tag, tag.order or order)
    pack, raw = struct.Struct(f">{code}").pack, _raw(tag)
    if tag.bit is not None:
        return _bit(struct.Struct(f">{code}"), where, 1 << tag.bit)
    if where == list(range(len(where))):
        size = len(where)

        def straight(memory: bytearray, at: int, value: Value) -> None:
            memory[at : at + size] = pack(raw(value))

        return straight

    def put(memory: bytearray, at: int, value: Value) -> None:
        for place, byte in zip(where, pack(raw(value)), strict=True):
            memory[at + place] = byte

    return put


def _bit(form: struct.Struct, where: list[int], mask: int) -> Put:
    """One bit of a number that holds others too."""

    def put(memory: bytearray, at: int, value: Value) -> None:
        (held,) = form.unpack(bytes(memory[at + place] for place in where))
        bits = int(held) & (1 << 8 * form.size) - 1
        bits = bits | mask if value else bits & ~mask
        for place, byte in zip(where, bits.to_bytes(form.size, "big"), strict=True):
            memory[at + place] = byte

    return put


def _raw(tag: Tag) -> Callable[[Value], object]:
    """What `struct` is given for a value."""
    if tag.type == "string":
        return lambda value: _text(str(value or ""), 2 * tag.words)
    if tag.type == "bytes":
        return lambda value: bytes.fromhex(str(value or "")).ljust(2 * tag.words, b"\0")[: 2 * tag.words]
    if tag.type == "datetime":
        return _DATES[str(tag.layout)]
    if tag.type == "bool":
        return lambda value: int(bool(value))
    return _number(tag)


def _number(tag: Tag) -> Callable[[Value], object]:
    p, c, q = rational(tag.scale, tag.offset)
    names = {name: number for number, name in tag.enum.items()}
    missing = next(iter(tag.invalid), 0)
    if tag.type in FLOATS:
        most = _LARGEST[tag.type]

        def real(value: Value) -> float:
            if value is None or isinstance(value, str):
                return float(missing)
            return min(max((value * q - c) / p, -most), most)

        return real
    low, high = integer_range(tag.type) if tag.type in INTEGERS else (0, 10 ** (4 * tag.words) - 1)

    def whole(value: Value) -> int:
        if value is None:
            return int(missing)
        if isinstance(value, str):
            return names[value] if value in names else int(value)
        exact = isinstance(value, int) and p == q and not c
        found = int(value) if exact else round((value * q - c) / p)
        return min(max(found, low), high)

    return (lambda value: int(str(whole(value)), 16)) if tag.type in BCD else whole


def _text(text: str, size: int) -> bytes:
    """As much of it as there is room for, in whole characters."""
    return text.encode()[:size].decode("utf-8", "ignore").encode().ljust(size, b"\0")


def _moment(value: Value) -> datetime:
    return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)


def _iec870(value: Value) -> bytes:
    at = _moment(value)
    seconds = at.second * 1000 + at.microsecond // 1000
    return bytes((0, at.year - 2000, at.month, at.day, at.hour, at.minute)) + seconds.to_bytes(2, "big")


def _bcd(value: Value) -> bytes:
    return bytes.fromhex(_moment(value).strftime("%y%m%d%H%M%S"))


def _words(value: Value) -> bytes:
    return struct.pack(">6H", *_moment(value).timetuple()[:6])


_DATES: dict[str, Callable[[Value], object]] = {
    "unix": lambda value: int(_moment(value).timestamp()),
    "iec870": _iec870,
    "bcd": _bcd,
    "words": _words,
}
