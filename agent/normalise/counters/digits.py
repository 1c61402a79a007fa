"""Readings as whole numbers of their last decimal, so that sums of differences are exact.

A float is taken as the shortest decimal text that is the same number in its own type: 1234.56 for the float32
1234.56005859375, and 0.3 for the 0.1 * 3 of a scaled register (15 digits are what a float64 can vouch for). How many
decimals a counter has is found out from its readings: the most that any of them needed.
"""

import struct
from decimal import Decimal

MOST = 9  # decimals; what a reading has beyond them is rounded off
LARGEST = 2**53  # of a float: from there on it does not count by one any more
WIDEST = 2**64  # of an integer
_DIGITS = 10**15
EXACT = 2**51  # up to here `round(value * scale)` is right
_pack, _unpack = struct.Struct("f").pack, struct.Struct("f").unpack


def whole(value: float, scale: int) -> int:
    """The reading in units of 1 / scale, rounded."""
    if isinstance(value, int):
        return value * scale
    product = value * scale
    if -EXACT < product < EXACT:
        return round(product)
    return round(Decimal(repr(value)) * scale)


def says(value: float, n: int, scale: int, *, single: bool) -> bool:
    """Whether `n / scale` is a text for the reading; `single`: of a float32."""
    text = n / scale
    if abs(text - value) <= abs(value) * 1e-15:
        return True
    return single and rounded(text) == value


def decimals(value: float, known: int, *, single: bool) -> int:
    """How many decimals the reading needs, and no fewer than `known`."""
    digits = known
    while digits < MOST and not says(value, whole(value, 10**digits), 10**digits, single=single):
        if abs(value) * 10 ** (digits + 1) >= _DIGITS:
            break
        digits += 1
    return digits


def rounded(value: float) -> float:
    """The nearest float32."""
    try:
        found: float = _unpack(_pack(value))[0]
    except OverflowError:
        return value
    return found
