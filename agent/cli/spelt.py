"""How numbers are spelt on the command lines of the tools for the cabinet."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import click

from agent.model.text import duration


class Expected(click.ParamType[Fraction]):
    """A number as a display shows it."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        try:
            found = Decimal(value)
            if abs(found.adjusted()) < 100:  # a fraction of more digits takes as long as it is wide
                return Fraction(found)
        except (InvalidOperation, ValueError, OverflowError):
            pass
        return self.fail(f"{value!r} is no number such as 229.7", param, ctx)


class Tolerance(click.ParamType[float]):
    """`1%` or `0.01`"""

    name = "tolerance"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            found = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            found = -1.0
        if not 0 <= found <= 1:
            self.fail(f"{value!r} is neither a part such as 1% nor a number from 0 to 1", param, ctx)
        return found


class Span(click.ParamType[float]):
    """`300ms`, in seconds"""

    name = "duration"

    def __init__(self, most: str = "60s") -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            found = value if isinstance(value, float) else duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0.01 <= found <= duration(self._most):
            self.fail(f"{value} is not between 10ms and {self._most}", param, ctx)
        return found


class Address(click.ParamType[int]):
    """`72` or `0x48`"""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            found = value if isinstance(value, int) else int(value, 0)
        except ValueError:
            found = -1
        if not 0 <= found <= 65535:
            self.fail(f"{value!r} is no address from 0 to 65535; 40001 of a manual is 0", param, ctx)
        return found


class Numbers(click.ParamType[tuple[int, ...]]):
    """`1-32,40`: each once, in the order in which they are named."""

    name = "numbers"

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        found: dict[int, None] = {}
        for part in str(value).split(","):
            first, _, last = part.strip().partition("-")
            if not (first.isdecimal() and first.isascii() and (last or first).isdecimal() and last.isascii()):
                self.fail(f"{part!r} is no number and no range such as {self._low}-{self._high}", param, ctx)
            if not self._low <= int(first) <= int(last or first) <= self._high:
                self.fail(f"{part!r} is not within {self._low} to {self._high}", param, ctx)
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
        return tuple(found)
