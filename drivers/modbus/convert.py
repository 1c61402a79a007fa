"""What happens to a column after `struct`: scales, names, text, dates. A value that cannot be told becomes None."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import isnan, lcm
from typing import Any

from drivers.modbus.kinds import BCD, FLOATS
from drivers.modbus.tag import Tag

Column = list[Any]
Convert = Callable[[Column], Column]
_FORMATS = {"float16": ">e", "float32": ">f", "float64": ">d"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INVALID_TIME = 0x80  # IV of IEC 60870-5-4, CP56Time2a


@dataclass(frozen=True, slots=True)
class Conversion:
    """Equal neighbours are converted together. `invalid` are raw numbers that mean that there is none."""

    numerator: int = 0
    constant: int = 0
    denominator: int = 0
    mask: int = 0
    text: str = ""  # string, bytes, or the layout of a date
    bcd: bool = False
    names: tuple[tuple[int, str], ...] = ()
    invalid: frozenset[float] = frozenset()
    nan: bool = False

    def compiled(self) -> Convert | None:
        if self.text:
            return _each(_TEXTS[self.text])
        if self.mask:
            return _masked(self.mask)
        if self.bcd:
            return _decimal(self)
        if self.names:
            return _named(dict(self.names), self.invalid)
        if self.invalid or self.nan:
            return _valid(self)
        return _scaled(self.numerator, self.constant, self.denominator) if self.denominator else None


def conversion(tag: Tag) -> Conversion:
    if tag.type in ("string", "bytes"):
        return Conversion(text=tag.type)
    if tag.type == "datetime":
        return Conversion(text=str(tag.layout))
    if tag.bit is not None or tag.type == "bool":
        return Conversion(mask=0xFFFF if tag.bit is None else 1 << tag.bit)
    scale = rational(tag.scale, tag.offset) if tag.scaled else (0, 0, 0)
    invalid = frozenset(_as_read(tag.type, marker) for marker in tag.invalid if not isnan(marker))
    names = tuple(sorted(tag.enum.items()))
    return Conversion(*scale, bcd=tag.type in BCD, names=names, invalid=invalid, nan=tag.nan_is_invalid)


def rational(scale: float, offset: float) -> tuple[int, int, int]:
    """`(p, c, q)` so that `raw * scale + offset` is `(raw * p + c) / q`.

    The decimal numbers of the configuration are meant exactly: 0.1 is 1/10. With whole numbers everything up to the
    one division is exact and the result is the nearest float: a raw 2305 at 0.1 is 230.5, not 230.50000000000003.
    """
    factor, constant = Fraction(repr(scale)), Fraction(repr(offset))
    q = lcm(factor.denominator, constant.denominator)
    return int(factor * q), int(constant * q), q


def _as_read(kind: str, marker: float) -> float:
    """A marker as the device's own type has it: 0.1 of a float32 is not the 0.1 of Python."""
    if kind not in FLOATS:
        return marker
    try:
        return float(struct.unpack(_FORMATS[kind], struct.pack(_FORMATS[kind], marker))[0])
    except OverflowError:
        return float(marker)


def _each(single: Callable[[Any], Any]) -> Convert:
    return lambda column: [single(raw) for raw in column]


def _scaled(p: int, c: int, q: int) -> Convert:
    if c:
        return lambda column: [(raw * p + c) / q for raw in column]
    if p != 1:
        return lambda column: [raw * p / q for raw in column]
    return lambda column: [raw / q for raw in column]


def _masked(mask: int) -> Convert:
    return lambda column: [raw & mask != 0 for raw in column]


def _valid(how: Conversion) -> Convert:
    bad, p, c, q = how.invalid, how.numerator, how.constant, how.denominator
    if not q:
        if how.nan:
            return lambda column: [None if isnan(raw) or raw in bad else raw for raw in column]
        return lambda column: [None if raw in bad else raw for raw in column]
    if how.nan:
        return lambda column: [None if isnan(raw) or raw in bad else (raw * p + c) / q for raw in column]
    return lambda column: [None if raw in bad else (raw * p + c) / q for raw in column]


def _named(names: Mapping[int, str], bad: frozenset[float]) -> Convert:
    """A number without a name is its own, in digits."""
    find = names.get
    if bad:
        return lambda column: [None if raw in bad else find(raw) or str(raw) for raw in column]
    return lambda column: [find(raw) or str(raw) for raw in column]


def _decimal(how: Conversion) -> Convert:
    then = _scaled(how.numerator, how.constant, how.denominator) if how.denominator else None

    def convert(column: Column) -> Column:
        numbers = [decimal(raw) for raw in column]
        if then is None:
            return numbers
        return [None if number is None else then([number])[0] for number in numbers]

    return convert


def decimal(raw: int) -> int | None:
    """The digits of a BCD number, four bits each; None when one of them is none."""
    digits = f"{raw:x}"
    return int(digits) if digits.isdecimal() else None


def text(raw: bytes) -> str | None:
    """UTF-8 up to the first NUL, without padding; None when it is not UTF-8."""
    try:
        return raw.strip(b"\0 ").partition(b"\0")[0].rstrip(b" ").decode()
    except UnicodeDecodeError:
        return None


def unix(raw: int) -> str:
    return (_EPOCH + timedelta(seconds=raw)).strftime("%Y-%m-%dT%H:%M:%SZ")


def iec870(raw: bytes) -> str | None:
    """CP56Time2a with its highest byte first in 8 bytes, as Schneider and Siemens meters put it into four registers."""
    _, year, month, day, hour, minute, *ms = raw
    if minute & _INVALID_TIME:
        return None
    seconds, rest = divmod(int.from_bytes(bytes(ms), "big"), 1000)
    return _moment(2000 + (year & 0x7F), month & 0x0F, day & 0x1F, hour & 0x1F, minute & 0x3F, seconds, rest)


def bcd_date(raw: bytes) -> str | None:
    """YYMMDDhhmmss, two digits in each byte."""
    digits = raw.hex()
    if not digits.isdecimal():
        return None
    year, *rest = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    return _moment(2000 + year, *rest)


def words_date(raw: bytes) -> str | None:
    """Year, month, day, hour, minute and second in a register each; a year below 100 is one of this century."""
    year, *rest = struct.unpack(">6H", raw)
    return _moment(year + 2000 if year < 100 else year, *rest)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int, ms: int = 0) -> str | None:
    """ISO 8601 without a zone, for the device does not say which one it means; None when there is no such time."""
    try:
        found = datetime(year, month, day, hour, minute, second, ms * 1000)  # noqa: DTZ001  # see above
    except ValueError:
        return None
    return found.isoformat(timespec="milliseconds" if ms else "seconds")


_TEXTS: dict[str, Callable[[Any], str | None]] = {
    "string": text,
    "bytes": bytes.hex,
    "unix": unix,
    "iec870": iec870,
    "bcd": bcd_date,
    "words": words_date,
}
