"""Scales, intervals and units as other products write them, into ours."""

import re
from fractions import Fraction

from agent.imports.node import Node, Number
from agent.model.text import duration_text
from agent.model.unit_hints import hint, spelt
from agent.model.units import is_unit

_GO = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d)")
_GO_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(?:(\d{1,5})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d{1,7})?)?")
INTERVALS = (0.01, 86400.0)
_DOUBTFUL = {"C": "Cel", "F": "[degF]", "PF": "1", "pf": "1", "S": "s", "H": "h", "M": "m"}  # right by UCUM: coulomb …


def seconds(text: str) -> float | None:
    """`1m30s`, as programs in Go have it; a plain number is seconds."""
    text = text.strip()[:40]
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    if not text or _GO.sub("", text):
        return None
    return round(sum(float(number) * _GO_SECONDS[unit] for number, unit in _GO.findall(text)), 9)


def timespan(text: str) -> float | None:
    """`d.hh:mm:ss.fff`, in seconds."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, secs = (int(part or 0) for part in found.groups()[:4])
    return days * 86400 + hours * 3600 + minutes * 60 + secs + float(found[5] or 0)


def go_duration(node: Node, key: str) -> float | None:
    """Seconds of a key such as `timeout = "5s"`; a reference to the environment is none."""
    text = node.text(key)
    found = seconds(text) if text else None
    if text and found is None:
        node.note("not carried", f"`{key}`: {text!r} is no duration here", "write 500ms, 1s or 5m at its place", key)
    return found


def within(node: Node, value: float, low: float, high: float, what: str) -> float:
    """`value`, or the nearest that we can, which is told."""
    if low <= value <= high:
        return value
    near = min(max(value, low), high)
    node.note("changed", f"{what} {value:g} s is beyond what can be: {duration_text(near)}")
    return near


def interval(node: Node, value: float | None) -> float | None:
    """An interval that a group can have."""
    return None if value is None else within(node, value, *INTERVALS, "an interval of")


def product(node: Node, what: str, number: Fraction) -> float:
    """A factor as the shortest number that is it; where there is none that is told."""
    found = float(number)
    if Fraction(repr(found)) != number:
        node.note("changed", f"{what} is no finite decimal number, and rounded to 16 digits")
    return found


def exact(number: Number) -> Fraction:
    return Fraction(repr(number))


def unit(node: Node, text: str) -> str:
    """The UCUM code of a unit as somebody wrote it; empty where nobody knows."""
    text = text.strip()
    if text in _DOUBTFUL:
        node.note("not carried", f"the unit {text!r} means something else in UCUM", f"is it {_DOUBTFUL[text]!r}?")
        return ""
    if not text or (is_unit(text) and len(text) <= 32):
        return text
    code = spelt(text)
    if code and len(code) <= 32:
        node.note("changed", f"the unit {text!r} is {code!r}, as UCUM spells it")
        return code
    node.note("not carried", f"the unit {text!r} is no UCUM code", hint(text))
    return ""
