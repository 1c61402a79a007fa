"""Answers that may still come: on a serial line nothing in an answer says which request it belongs to.

A device that was asked and did not answer in time may yet do so. When the next request wants an answer of the same
function and size, the late one would be taken for it: a right value in the wrong tag. So what was not answered is
remembered, and a request that it could be mistaken for has to wait until another one, whose answer nothing late looks
like, was answered: devices answer in the order in which they were asked, so whatever was late has come by then or never
will.

Some answers come twice: two devices have one unit, or a repeater is on the line. Whoever was caught at it is trusted
less for a while: each of its answers may come again, and so counts as one that is late.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

FORGET = 10.0  # seconds, or as many timeouts if that is longer: later than this no answer is expected any more
MOST = 64  # of one unit
TWICE = 600.0  # seconds for which a unit is remembered whose answers come twice
AGAIN = 1.0  # seconds within which they do
_FAILED = 0x80
_OTHER_TABLE = {1: 2, 2: 1, 3: 4, 4: 3}
_WRITTEN = {5: 1, 15: 1}  # which table a write belongs to; the others write holding registers
_HOLDING = 3
_SHORTEST = 8  # fences of fewer registers than the request has, at most
Looks = tuple[int, int]  # function and bytes of the PDU


@dataclass(slots=True)
class Ghosts:
    """What may still come, by unit; times are seconds of the caller's clock."""

    timeout: float
    _late: dict[int, dict[Looks, float]] = field(default_factory=dict)  # until when
    _twice: dict[int, float] = field(default_factory=dict)  # until when

    def note(self, unit: int, looks: Looks, now: float) -> None:
        """A request was not answered, or not as it should be."""
        self._expect(unit, looks, now + max(FORGET, FORGET * self.timeout))

    def like(self, unit: int, looks: Looks, now: float) -> bool:
        """Whether an answer that may still come looks like one to this."""
        late = self._late.get(unit)
        if not late:
            return False
        for each in [each for each, until in late.items() if until < now]:
            del late[each]
        return looks in late

    def refusal_is_clear(self, unit: int, function: int) -> bool:
        """Whether a refusal of this function can only belong to the newest request."""
        return all(each[0] != function for each in self._late.get(unit, ()))

    def answered(self, unit: int, looks: Looks, now: float) -> None:
        """An answer came that nothing late looks like: what was asked before has come or never will."""
        self._late.pop(unit, None)
        if now < self._twice.get(unit, 0.0):
            self._expect(unit, looks, now + AGAIN)

    def refused(self, unit: int, looks: Looks, now: float) -> None:
        """A refusal came. If it may be that of an older request, or come again, the answer may be still to come."""
        if not self.refusal_is_clear(unit, looks[0]) or now < self._twice.get(unit, 0.0):
            self.note(unit, looks, now)

    def overheard(self, unit: int, looks: Looks, now: float) -> None:
        """A frame came that nobody waits for: if it is not a late one, it was said twice."""
        function = looks[0]
        if function & _FAILED:
            late = not self.refusal_is_clear(unit, function & ~_FAILED)
        else:
            late = self.like(unit, looks, now)
        if not late:
            self._twice[unit] = now + TWICE

    def _expect(self, unit: int, looks: Looks, until: float) -> None:
        late = self._late.setdefault(unit, {})
        late[looks] = until
        if len(late) > MOST:
            del late[min(late, key=lambda each: late[each])]

    def fences(self, unit: int, function: int, count: int, now: float, *, strict: bool) -> Iterator[tuple[int, int]]:
        """Reads, as (function, count) at the address of the request, whose answers nothing late looks like.
        `strict`: only of the registers of the request."""
        own = function if function in _OTHER_TABLE else _WRITTEN.get(function, _HOLDING)
        shorter = range(1, min(count, _SHORTEST + 1)) if own == function else range(1, 2)
        other = [] if strict else [(_OTHER_TABLE[own], 1)]
        for read, fewer in [*((own, fewer) for fewer in shorter), *other]:
            if not self.like(unit, looks(read, fewer), now):
                yield read, fewer


def looks(function: int, count: int) -> Looks:
    """What the answer to a read of `count` registers or coils looks like."""
    return function, 2 + (2 * count if function in (3, 4) else -(-count // 8))
