"""A second, naive opinion: each tag decoded on its own from a memory of registers; and tags drawn at random."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from drivers.modbus.config import WORDS, Tag
from drivers.modbus.plan import Block
from tests.unit.modbus.builders import tag

CODES = {
    "bool": "H",
    "bcd16": "H",
    "bcd32": "I",
    "float16": "e",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
Memory = Sequence[int]  # register (or coil) by address; repeats itself beyond its end


def at(memory: Memory, address: int) -> int:
    return memory[address % len(memory)]


def answer(block: Block, memory: Memory) -> bytes:
    """What a device with this memory answers to a block's request."""
    cells = [at(memory, address) for address in range(block.address, block.address + block.count)]
    if block.table.function > 2:
        payload = b"".join(struct.pack(">H", cell) for cell in cells)
    else:
        payload = bytearray(-(-len(cells) // 8))
        for number, cell in enumerate(cells):
            payload[number // 8] |= (cell & 1) << number % 8
    return bytes((block.table.function, len(payload))) + payload


def value(tag: Tag, memory: Memory) -> Any:
    """The value of a tag, decoded as slowly and as plainly as possible."""
    words = [at(memory, tag.address + offset) for offset in range(tag.words)]
    if tag.register in ("coil", "discrete"):
        return bool(words[0] & 1)
    order = {"AB": "ABCD", "BA": "BADC", None: "ABCD"}.get(tag.order, tag.order)
    if order in ("BADC", "DCBA"):
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    if order in ("CDAB", "DCBA") and tag.type not in ("string", "bytes"):
        words = words[::-1]
    raw = b"".join(struct.pack(">H", word) for word in words)
    return plain(tag, raw)


def plain(tag: Tag, raw: bytes) -> Any:
    if tag.type == "bytes":
        return raw.hex()
    if tag.type == "string":
        try:
            return raw.strip(b"\0 ").split(b"\0")[0].rstrip(b" ").decode()
        except UnicodeDecodeError:
            return None
    if tag.type.startswith(("int8", "uint8")):
        half = raw[:1] if tag.type.endswith("h") else raw[1:]
        number = int.from_bytes(half, "big", signed=tag.type.startswith("int8"))
    else:
        (number,) = struct.unpack(f">{CODES[tag.type]}", raw)
    if tag.type.startswith("bcd"):
        if set(raw.hex()) - set("0123456789"):
            return None
        number = int(raw.hex())
    return meaning(tag, number)


def meaning(tag: Tag, number: Any) -> Any:
    if tag.bit is not None:
        return bool((number >> tag.bit) & 1)
    if tag.type == "bool":
        return number != 0
    if number in tag.invalid:
        return None
    if tag.enum:
        return tag.enum.get(number, str(number))
    if isinstance(number, int) and tag.scaled:
        return float(number * Fraction(str(tag.scale)) + Fraction(str(tag.offset)))
    return number


@st.composite
def tags(draw: st.DrawFn, name: str = "t") -> Tag:
    """Any tag but scaled floats, whose last digit depends on the order of operations."""
    address = draw(st.integers(0, 300))
    register = draw(st.sampled_from(["coil", "discrete", "input", "holding"]))
    if register in ("coil", "discrete"):
        return tag(name, address, register=register)
    kind = draw(st.sampled_from([*WORDS, "string", "bytes"]))
    orders = ["ABCD", "CDAB", "BADC", "DCBA", None]
    keys: dict[str, Any] = {"register": register, "type": kind, "order": draw(st.sampled_from(orders))}
    if kind in ("string", "bytes"):
        keys["length"] = draw(st.integers(1, 8))
    elif kind in ("uint16", "bool", "uint32"):
        keys["bit"] = draw(st.none() | st.integers(0, 31 if kind == "uint32" else 15))
    if "int" in kind and keys.get("bit") is None:
        keys |= draw(st.sampled_from([scaled, named]))(draw)
    if kind.startswith("bcd"):
        keys |= scaled(draw)
    return tag(name, address, **keys)


def scaled(draw: st.DrawFn) -> dict[str, Any]:
    scale = draw(st.sampled_from([1, 0.1, 0.01, 0.001, 0.3, 10, 2.5, -0.5, 0.006103515625]))
    return {"scale": scale, "offset": draw(st.sampled_from([0, 0, -40, 0.5, -273.15]))}


def named(draw: st.DrawFn) -> dict[str, Any]:
    invalid = draw(st.lists(st.integers(0, 127), max_size=2))
    return {"enum": draw(st.dictionaries(st.integers(0, 127), st.just("on"))), "invalid": invalid}


@st.composite
def tag_lists(draw: st.DrawFn) -> list[Tag]:
    count = draw(st.integers(1, 25))
    return [draw(tags(f"t{number}")) for number in range(count)]
