"""Whether a number can hardly be the one that was meant, and which reading of the same registers would be likelier.

Zero says nothing, and what is odd in each order says nothing of the order: a doubt needs a better reading.
"""

import struct
from math import isfinite

from agent.model.frame import Value
from drivers.modbus.likeness import trait
from drivers.modbus.plausible import ORDERS, TYPES, WIDTHS, decoded, usual
from drivers.modbus.tag import Tag

LIKELY, UNLIKELY = 0.7, 0.1  # how usual a size is
HIDDEN = 1e-30  # floats below that are integers, or words in another order


def doubt(tag: Tag, data: bytes, order: str, value: Value) -> tuple[str, str]:
    """What is odd about the value, and what to try; both empty where nothing is."""
    if tag.type not in TYPES or tag.bit is not None or isinstance(value, bool | str | None):
        return "", ""
    mine = likely(tag, value)
    if not value or mine > UNLIKELY:
        return "", ""
    better = [(way, number) for way, number in others(tag, data, order) if likely(tag, number) >= LIKELY]
    if not better:
        return "", ""
    told = ", ".join(f"`order: {way}` gives {number:.7g}" for way, number in better)
    unit = f" {tag.unit}" if tag.unit else ""
    return f"{value:.7g}{unit} is hardly what is meant", f"{told}: compare it with the display of the device"


def others(tag: Tag, data: bytes, order: str) -> list[tuple[str, float]]:
    """What these registers would say in the other orders of bytes."""
    words = struct.unpack(f">{len(data) // 2}H", data)
    width = WIDTHS.get(tag.type)
    if width is None or width != len(words):
        return []
    orders = ORDERS if width > 1 else ("AB", "BA")
    found = []
    for each in orders:
        raw = decoded(words, tag.type, "BADC" if each == "BA" else each)
        number = raw * tag.scale + tag.offset if tag.scaled else raw
        if each != order and isfinite(number):
            found.append((each, number))
    return found


def likely(tag: Tag, number: float) -> float:
    """0 to 1: by what such a unit usually has, or else by its size alone."""
    known = trait(tag)
    if known is not None and known.weight >= 0.3:
        return 1.0 if known.low <= number <= known.high else UNLIKELY
    return usual(float(number))
