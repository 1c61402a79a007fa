"""Whether a value may be written, decided from the tag's `write` section alone; who wants to write asks here first."""

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from agent.model.errors import AgentError
from agent.model.frame import Value
from agent.model.tag import FLOATS, DType
from drivers.api import Limits, Number, WriteConfig

_WORDS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_WHOLE = re.compile(r"[+-]?(?:[0-9]+|0x[0-9a-fA-F]+)")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
LONGEST = 1024  # characters of a value
ROUNDING = 2.0**-23  # of a float32, relative


class Forbidden(AgentError):
    """The configuration does not allow this write; nothing was sent."""


class TooSoon(Forbidden):
    """It is allowed, but not yet."""


def parse(text: str, dtype: DType, names: Sequence[str] = ()) -> Value:
    """A value from a command line, as the tag's type has it; `names` are those of an enum. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"a value of {len(text)} characters is too long: {LONGEST} at most")
    if text in names or (dtype == "str" and not names):
        return text
    if dtype == "bool":
        if text.lower() not in _WORDS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text, 16 if "0x" in text.lower() else 10)
    if not _DECIMAL.fullmatch(text):
        among = f" and none of its names: {', '.join(names)}" if names else ""
        raise ValueError(f"{text!r} is no number{among}")
    return _decimal(text, dtype)


def near(limits: WriteConfig, value: Value, old: Value) -> None:
    """Raises Forbidden for a number that is further from what stands there than the tag's `change` allows.

    What rounding to a float32 does to them is no distance.
    """
    if limits.change is None or value is None or isinstance(value, bool | str):
        return
    hint = f"the tag allows a change of {limits.change:g} at a time"
    if old is None or isinstance(old, bool | str) or not math.isfinite(old):
        raise Forbidden("what stands there now cannot be read, so nobody knows how far the value is from it", hint=hint)
    distance = abs(_fraction(value) - _fraction(old))
    rounding = ROUNDING * max(abs(value), abs(old)) if isinstance(value, float) or isinstance(old, float) else 0.0
    if distance > _fraction(limits.change) + _fraction(rounding):
        raise Forbidden(f"{value} is {float(distance):.15g} away from the {_said(old)} that stands there", hint=hint)


def _fraction(number: Number) -> Fraction:
    """Exactly what is written."""
    return Fraction(repr(number) if isinstance(number, float) else number)


def _decimal(text: str, dtype: DType) -> float:
    """Exactly what is written, or ValueError."""
    exact, number = Fraction(text), float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    if dtype not in FLOATS:
        if exact.denominator != 1:
            raise ValueError(f"{text} is not whole, and the tag is an {dtype}")
        return int(exact)
    if exact != Fraction(repr(number)):
        raise ValueError(f"{text} has more digits than can be kept: {number!r} would be written")
    return number


def allow(limits: Limits | None, value: Value, names: Mapping[str, int] | None = None) -> None:
    """Raises Forbidden for what the limits, which are in the tag's unit, do not allow."""
    if limits is None:
        hint = "only a tag with a section such as `write: {min: 0, max: 100}` is"
        raise Forbidden("the configuration does not let this tag be written", hint=hint)
    number = (names or {}).get(value, value) if isinstance(value, str) else value
    if isinstance(number, str):
        if (limits.min, limits.max, limits.step) != (None, None, None):
            hint = "take `min`, `max` and `step` away where a text is meant"
            raise Forbidden(f"{value!r} is a text, which cannot be held against the limits", hint=hint)
        return
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        raise Forbidden(f"{value} is no value that can be written")
    exact = _fraction(number)
    if limits.min is not None and exact < _fraction(limits.min):
        raise Forbidden(f"{value} is less than {_said(limits.min)}", hint=f"the tag allows {_range(limits)}")
    if limits.max is not None and exact > _fraction(limits.max):
        raise Forbidden(f"{value} is more than {_said(limits.max)}", hint=f"the tag allows {_range(limits)}")
    if limits.step is not None:
        _on_a_step(exact, limits, value)


def in_time(rate: float, last: int | None, now: int) -> None:
    """Raises TooSoon when the last write (ns UTC) is less than `rate` ago.

    A last write that lies in the future means that the clock was set back; it holds nobody up for longer than `rate`.
    """
    if last is None or abs(now - last) >= rate * 1e9:
        return
    left = rate - abs(now - last) / 1e9
    raise TooSoon(
        f"the last write was {abs(now - last) / 1e9:.1f} s ago, and there must be {rate:g} s between two",
        hint=f"again in {left:.1f} s, or a smaller `rate` of the tag",
    )


def _on_a_step(exact: Fraction, limits: Limits, value: Value) -> None:
    base, step = Fraction(repr(limits.min or 0.0)), Fraction(repr(limits.step))
    steps = (exact - base) / step
    if steps.denominator == 1:
        return
    below = base + math.floor(steps) * step
    near = [each for each in (below, below + step) if limits.max is None or each <= _fraction(limits.max)]
    said = " or ".join(f"{float(each):.15g}" for each in near)
    raise Forbidden(f"{value} is no whole step of {limits.step:g}", hint=f"nearest: {said}")


def _range(limits: Limits) -> str:
    if limits.min is None or limits.max is None:
        return f"at least {_said(limits.min)}" if limits.min is not None else f"at most {_said(limits.max)}"
    return f"{_said(limits.min)} to {_said(limits.max)}"


def _said(limit: Number | None) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"
