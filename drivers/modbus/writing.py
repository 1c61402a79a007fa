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
from drivers.modbus.config import BIT_REGISTERS, Tag
from drivers.modbus.convert import rational
from drivers.modbus.decode import Decode, bits, registers
from drivers.modbus.link import Request

INTS = {
    "int8": (-(2**7), 2**7 - 1),
    "uint8": (0, 2**8 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
FLOATS = {"float16": "e", "float32": "f", "float64": "d"}
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
    if tag.register in ("discrete", "input"):
        raise ValueError(f"{tag.register} registers cannot be written: only holding registers and coils can")
    check, decode = inspection(tag, unit=unit, order=order)
    if tag.register == "coil":
        on = _bool(value)
        coils = (asking.set_coil(unit, tag.address, on), asking.set_coils(unit, tag.address, [on]))
        return Change(coils, check, decode, on, f"coil {tag.address}: {'on' if on else 'off'}")
    value = _named(tag, value)
    swapped = (tag.order or order) in ("BADC", "DCBA", "BA")
    if tag.bit is not None:
        bit = tag.bit ^ 8 if swapped else tag.bit
        return _masked(tag, check, decode, 1 << bit, _bool(value) << bit)
    if tag.type in ("int8", "uint8"):
        shift = 8 if swapped else 0
        return _masked(tag, check, decode, 0xFF << shift, (_raw(tag, value) & 0xFF) << shift)
    words = _words(tag, tag.order or order, value)
    requests: tuple[Ask, ...] = (asking.set_registers(unit, tag.address, words),)
    if len(words) == 1:
        requests = (asking.set_register(unit, tag.address, words[0]), *requests)
    raw = f"{place(tag)}: {' '.join(f'{word:04x}' for word in words)}"
    return Change(requests, check, decode, _read_back(tag, decode, words, value), raw)


def inspection(tag: Tag, *, unit: int, order: str) -> tuple[Request, Decode]:
    """The request that reads this tag alone, and what makes a column of the answer."""
    decode = bits([0]) if tag.register in BIT_REGISTERS else registers([tag], tag.address, order)
    return asking.look(unit, tag.register, tag.address, tag.words), decode


def _named(tag: Tag, value: Value) -> Value:
    known = enum_names(tag)
    return known.get(value, value) if isinstance(value, str) else value


def _masked(tag: Tag, check: Request, decode: Decode, mask: int, put: int) -> Change:
    """Some bits of a register. Nothing is read and written back: another's change in between would be undone."""
    request = asking.mask_register(check.dev_id, tag.address, ~mask & 0xFFFF, put)
    raw = f"{place(tag)}: {put:04x} where {mask:04x} is set"
    (value,) = decode(_answer([put]))
    return Change((request,), check, decode, value, raw, NO_MASK)


def _words(tag: Tag, order: str, value: Value) -> list[int]:
    data = _bytes(tag, value)
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    if order in ("CDAB", "DCBA") and tag.type != "string":
        words.reverse()
    return [word >> 8 | (word & 0xFF) << 8 for word in words] if order in ("BADC", "DCBA", "BA") else words


def _bytes(tag: Tag, value: Value) -> bytes:
    """In network order, as many as the tag's registers have."""
    size = 2 * tag.words
    if tag.type == "string":
        return _text(value, size)
    if tag.type == "bool":
        return int(_bool(value)).to_bytes(size, "big")
    if tag.type in INTS:
        return _raw(tag, value).to_bytes(size, "big", signed=INTS[tag.type][0] < 0)
    if tag.type in FLOATS:
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


def _exact(tag: Tag, value: Value) -> Fraction:
    """The raw number that stands for `value`, whole or not."""
    if isinstance(value, bool | str | None):
        raise ValueError(f"{value!r} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{value} is no value")
    p, c, q = rational(tag.scale, tag.offset)
    return (Fraction(repr(value)) * q - c) / p


def _raw(tag: Tag, value: Value) -> int:
    exact, (low, high) = _exact(tag, value), INTS[tag.type]
    below = math.floor(exact)
    if not low <= exact <= high:
        ends = sorted((_value(tag, low), _value(tag, high)))
        raise ValueError(f"{value} is outside of what the {tag.type} can say: {_said(ends[0])} to {_said(ends[1])}")
    if exact != below:
        near = sorted((_value(tag, below), _value(tag, below + 1)))
        raise ValueError(f"{value} falls between two steps of the {tag.type}: {_said(near[0])} or {_said(near[1])}")
    return below


def _value(tag: Tag, raw: int) -> Fraction:
    p, c, q = rational(tag.scale, tag.offset)
    return Fraction(raw * p + c, q)


def _said(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):.15g}"


def _float(tag: Tag, value: Value) -> bytes:
    try:
        return struct.pack(f">{FLOATS[tag.type]}", float(_exact(tag, value)))
    except OverflowError:
        raise ValueError(f"{value} is too large for a {tag.type}") from None


def _read_back(tag: Tag, decode: Decode, words: list[int], meant: Value) -> Value:
    """What a scan would make of these registers. Raises ValueError when that is not what was meant."""
    (value,) = decode(_answer(words))
    if tag.type in FLOATS and isinstance(value, float) and isinstance(meant, int | float):
        fits = math.isclose(value, meant, rel_tol=CLOSE[tag.type], abs_tol=abs(tag.offset) * CLOSE[tag.type])
    else:
        fits = value == meant or isinstance(value, str) != isinstance(meant, str)  # the name of a number
    if not fits:
        raise ValueError(f"{meant!r} would be read back as {value!r}")
    return value


def _answer(words: list[int]) -> bytes:
    return bytes((3, 2 * len(words))) + struct.pack(f">{len(words)}H", *words)


def place(tag: Tag) -> str:
    """`holding 72-73`"""
    last = tag.address + tag.words - 1
    return f"{tag.register} {tag.address}" if tag.words == 1 else f"{tag.register} {tag.address}-{last}"
