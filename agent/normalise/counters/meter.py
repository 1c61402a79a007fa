"""One counter: its register, the intervals of its total, and what is made of them."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from agent.model.frame import Value
from agent.model.tag import FLOATS, Tag
from agent.normalise.counters import digits
from agent.normalise.counters.ask import Counter
from agent.normalise.counters.register import Reading, Register, Step
from agent.normalise.counters.span import Span, worse
from agent.normalise.counters.uses import Outbox, Use

NEVER = 1 << 64  # ns
_BITS = {f"{sign}int{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "u")}


class Meter:
    """`column` is that of the total, -1 without one. `next` is the first edge that a reading may reach.

    `silent`: it speaks only when it has changed, so that between two readings it stood still, unless something was
    `broken` meanwhile. `behind` is how many ns its clock is behind ours.
    """

    __slots__ = (
        *("_single", "basis", "behind", "broken", "column", "digits", "doubt", "name", "next"),
        *("register", "scale", "silent", "spans", "whole"),
    )

    def __init__(self, tag: Tag, asked: Counter, column: int, *, silent: bool) -> None:
        self.name, self.column, self.silent = tag.name, column, silent
        self.whole, self._single = tag.dtype not in FLOATS, tag.dtype == "float32"
        self.basis = crc32(asked.basis.encode())
        self.register = Register(asked, _widths(tag.dtype))
        self.spans: list[tuple[Span, Sequence[Use]]] = []
        self.digits, self.scale = 0, 1
        self.next, self.doubt, self.behind, self.broken = 0, 0, 0, True

    def units(self, value: Value) -> int | None:
        """The reading in units of the last decimal; None for what cannot be one."""
        if type(value) is float:
            scale = self.scale
            product = value * scale
            if -digits.EXACT < product < digits.EXACT:
                n = round(product)
                text = n / scale
                if text == value or (self._single and digits.rounded(text) == value):
                    return n
        return self._units(value)

    def _units(self, value: Value) -> int | None:
        if isinstance(value, int):
            return value * self.scale if -digits.WIDEST < value < digits.WIDEST else None
        if not isinstance(value, float) or not -digits.LARGEST < value < digits.LARGEST:
            return None
        wanted = self.digits if self.whole else digits.decimals(value, self.digits, single=self._single)
        if wanted > self.digits:
            self.rescale(wanted)
        return digits.whole(value, self.scale)

    def value(self) -> int | float:
        """The total."""
        total = self.register.n + self.register.offset
        return total if self.whole else total / self.scale

    def take(self, reading: Reading, doubt: int, out: Outbox, *, stamped: bool) -> bool:
        """Whether the total is known anew; `doubt` is the quality of the reading."""
        begun = self.register.begun
        steps = self.register.take(reading, stamped=stamped)
        if not steps:
            return False
        if not begun:
            for span, _ in self.spans:
                span.begin(reading.ts, steps[0].after)
        self.doubt = doubt
        for step in steps:
            self._move(step._replace(doubt=worse(step.doubt, doubt)), out, steady=self.silent and not self.broken)
            self.doubt = worse(self.doubt, step.doubt)
        self.broken = False
        return True

    def _move(self, step: Step, out: Outbox, *, steady: bool) -> None:
        for span, uses in self.spans:
            for closed in span.take(step, steady=steady):
                for use in uses:
                    use(closed, None if self.whole else self.scale, out)
        self.look()

    def uses(self) -> Iterator[Use]:
        return (use for _, uses in self.spans for use in uses)

    def span(self, name: str) -> Span | None:
        for span, _ in self.spans:
            if span.name == name:
                return span
        return None

    def begin_rest(self) -> None:
        """What was not asked for in the run before begins with the last reading of it."""
        self.next = NEVER
        for span, _ in self.spans:
            if not span.edge:
                span.begin(self.register.ts, self.register.n + self.register.offset)
            self.next = min(self.next, span.edge)

    def look(self) -> None:
        """Find out when an interval ends."""
        self.next = min((span.edge for span, _ in self.spans), default=NEVER)

    def stand(self, now: int, out: Outbox) -> None:
        """Nothing has come until `now`, and nothing was to come."""
        total = self.register.n + self.register.offset
        self._move(Step(now, now, total, total), out, steady=True)

    def rescale(self, wanted: int) -> None:
        """From now on there are so many decimals."""
        factor = 10 ** (wanted - self.digits)
        self.digits, self.scale = wanted, 10**wanted
        self.register.rescale(factor)
        for span, uses in self.spans:
            span.base *= factor
            for use in uses:
                use.rescale(factor)


def _widths(dtype: str) -> tuple[int, ...]:
    """Where a register of this type begins again: one with a sign at 0, or at the lowest number it can show."""
    bits, sign = _BITS.get(dtype, (0, ""))
    if not bits:
        return ()
    return (1 << bits,) if sign else (1 << bits - 1, 1 << bits)
