"""Turn a value for a tag into the request that writes it: the way of `decode.py` backwards, and exact.

A value that no raw number stands for is refused with its neighbours, never rounded. What is about to be sent is decoded
once more as a scan would: so it is known beforehand what must be read back, and a layout in which the two directions
disagree is refused instead of sent.
"""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction

from agent.model.frame import Value
from drivers.api import enum_names
from drivers.modbus import asking
from drivers.modbus.asking import Ask
from drivers.modbus.convert import rational
from drivers.modbus.decode import Decode, bits, registers
from drivers.modbus.kinds import BCD, BIT_REGISTERS, BYTES, INTEGERS, SIZED, integer_range
from drivers.modbus.link import Request
from drivers.modbus.tag import READ_ONLY, UNWRITABLE, Tag

FORMATS = {"float16": "e", "float32": "f", "float64": "d"}
SWAPPED = ("BADC", "DCBA", "BA")
CLOSE = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-14}  # how far rounding may take a float, relative
NO_MASK = "the device does not have function 22: write the whole register, as a tag without a `bit`"


@dataclass(frozen=True, slots=True)
class Change:
    """A value on its way: the first of `requests` that the device knows is sent, `check` reads the tag back.

    `value` is what the tag will have then, `raw` says for people which bits go where.
    """

    requests: tuple[Ask, ...]
    check: Request
    decode: Decode
    value: Value
    raw: str
    hint: str = ""  # when the device knows none of the requests

    def found(self, answer: bytes) -> Value:
        """The value of the tag in an answer to `check`."""
        return self.decode(answer)[0]


def change(tag: Tag, value: Value, *, unit: int, order: str) -> Change:
    """What writes `value` to `tag`. Raises ValueError for a tag that cannot be written or a value it cannot hold."""
    if tag.register in READ_ONLY:
        raise ValueError(f"{tag.register} {UNWRITABLE}")
    check, decode = inspection(tag, unit=unit, order=order)
    if tag.register == "coil":
        on = _bool(value)
        coils = (asking.set_coil(unit, tag.address, on), asking.set_coils(unit, tag.address, [on]))
        return Change(coils, check, decode, on, f"coil {tag.address}: {'on' if on else 'off'}")
    value, order = _number(tag, value), tag.order or order
    if tag.bit is not None:
        return _bit(tag, check, decode, order, on=_bool(value))
    if tag.type in BYTES:
        return _half(tag, check, decode, order, value)
    words = _words(tag, order, value)
    requests: tuple[Ask, ...] = (asking.set_registers(unit, tag.address, words),)
    if len(words) == 1:
        requests = (asking.set_register(unit, tag.address, words[0]), *requests)
    raw = f"{place(tag)}: {' '.join(f'{word:04x}' for word in words)}"
    meant = _hex(value, 2 * tag.words).hex() if tag.type == "bytes" else value
    return Change(requests, check, decode, _read_back(tag, decode, words, meant), raw)


def inspection(tag: Tag, *, unit: int, order: str) -> tuple[Request, Decode]:
    """The request that reads this tag alone, and what makes a column of the answer."""
    decode = bits([0]) if tag.register in BIT_REGISTERS else registers([tag], tag.address, order)
    return asking.look(unit, tag.register, tag.address, tag.words), decode


def _number(tag: Tag, value: Value) -> Value:
    """What a name of the tag's enum stands for; anything else as it is. Raises ValueError for another name."""
    if not tag.enum or not isinstance(value, str):
        return value
    known = enum_names(tag)
    if value not in known:
        raise ValueError(f"{value!r} is none of its names: {', '.join(known)}")
    return known[value]


def _bit(tag: Tag, check: Request, decode: Decode, order: str, *, on: bool) -> Change:
    register, bit = divmod(tag.bit or 0, 16)
    if order not in ("CDAB", "DCBA"):
        register = tag.words - 1 - register
    mask = 1 << (bit ^ 8 if order in SWAPPED else bit)
    return _masked(tag, check, decode, mask, mask * on, register=register, value=on)


def _half(tag: Tag, check: Request, decode: Decode, order: str, value: Value) -> Change:
    """One byte of a register."""
    shift = 8 if tag.type.endswith("h") != (order in SWAPPED) else 0
    put = (_raw(tag, value) & 0xFF) << shift
    return _masked(tag, check, decode, 0xFF << shift, put, value=_read_back(tag, decode, [put], value))


def _masked(
    tag: Tag, check: Request, decode: Decode, mask: int, put: int, *, value: Value, register: int = 0
) -> Change:
    """Some bits of a register. Nothing is read and written back: another's change in between would be undone."""
    address = tag.address + register
    request = asking.mask_register(check.dev_id, address, ~mask & 0xFFFF, put)
    raw = f"{tag.register} {address}: {put:04x} where {mask:04x} is set"
    return Change((request,), check, decode, value, raw, NO_MASK)


def _words(tag: Tag, order: str, value: Value) -> list[int]:
    data = _bytes(tag, value)
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    if order in ("CDAB", "DCBA") and tag.type not in SIZED:
        words.reverse()
    return [word >> 8 | (word & 0xFF) << 8 for word in words] if order in SWAPPED else words


def _bytes(tag: Tag, value: Value) -> bytes:
    """In network order, as many as the tag's registers have."""
    size = 2 * tag.words
    if tag.type in SIZED:
        return _text(value, size) if tag.type == "string" else _hex(value, size)
    if tag.type == "bool":
        return int(_bool(value)).to_bytes(size, "big")
    if tag.type in INTEGERS:
        return _raw(tag, value).to_bytes(size, "big", signed=not tag.type.startswith("u"))
    if tag.type in BCD:
        return bytes.fromhex(f"{_raw(tag, value):0{2 * size}}")
    if tag.type in FORMATS:
        return _float(tag, value)
    raise ValueError(f"a {tag.type} cannot be written yet")


def _bool(value: Value) -> bool:
    if value not in (0, 1) or isinstance(value, float):
        raise ValueError(f"{value!r} is neither true nor false")
    return bool(value)


def _text(value: Value, size: int) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    data = value.encode()
    if len(data) > size:
        raise ValueError(f"{value!r} has {len(data)} bytes, there is room for {size}")
    return data.ljust(size, b"\0")


def _hex(value: Value, size: int) -> bytes:
    try:
        data = bytes.fromhex(value if isinstance(value, str) else "?")
    except ValueError:
        raise ValueError(f"{value!r} are no bytes in hexadecimal, such as {'00' * size}") from None
    if len(data) != size:
        raise ValueError(f"{value!r} has {len(data)} bytes, not {size}")
    return data


def _exact(tag: Tag, value: Value) -> Fraction:
    """The raw number that stands for `value`, whole or not."""
    if isinstance(value, bool | str | None):
        raise ValueError(f"{value!r} is no number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no value")
    p, c, q = rational(tag.scale, tag.offset)
    return (Fraction(repr(value) if isinstance(value, float) else value) * q - c) / p


def _raw(tag: Tag, value: Value) -> int:
    exact, (low, high) = _exact(tag, value), _range(tag)
    below = math.floor(exact)
    if not low <= exact <= high:
        ends = sorted((_value(tag, low), _value(tag, high)))
        raise ValueError(f"{value} is outside of what the {tag.type} can say: {_said(ends[0])} to {_said(ends[1])}")
    if exact != below:
        near = sorted((_value(tag, below), _value(tag, below + 1)))
        raise ValueError(f"{value} falls between two steps of the {tag.type}: {_said(near[0])} or {_said(near[1])}")
    return below


def _range(tag: Tag) -> tuple[int, int]:
    return (0, 10 ** (4 * tag.words) - 1) if tag.type in BCD else integer_range(tag.type)


def _value(tag: Tag, raw: int) -> Fraction:
    p, c, q = rational(tag.scale, tag.offset)
    return Fraction(raw * p + c, q)


def _said(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):.15g}"


def _float(tag: Tag, value: Value) -> bytes:
    try:
        return struct.pack(f">{FORMATS[tag.type]}", float(_exact(tag, value)))
    except OverflowError:
        raise ValueError(f"{value} is too large for a {tag.type}") from None


def _read_back(tag: Tag, decode: Decode, words: list[int], meant: Value) -> Value:
    """What a scan would make of these registers. Raises ValueError when that is not what was meant."""
    (value,) = decode(_answer(words))
    if tag.type in FORMATS and isinstance(value, float) and isinstance(meant, int | float):
        fits = math.isclose(value, meant, rel_tol=CLOSE[tag.type], abs_tol=abs(tag.offset) * CLOSE[tag.type])
    else:
        fits = isinstance(value, str) if tag.enum else value == meant
    if not fits:
        raise ValueError(f"{meant!r} would be read back as {value!r}")
    return value


def _answer(words: list[int]) -> bytes:
    return bytes((3, 2 * len(words))) + struct.pack(f">{len(words)}H", *words)


def place(tag: Tag) -> str:
    """`holding 72-73`"""
    last = tag.address + tag.words - 1
    return f"{tag.register} {tag.address}" if tag.words == 1 else f"{tag.register} {tag.address}-{last}"
