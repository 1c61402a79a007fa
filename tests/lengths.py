"""How long a test goes on: `make test` has minutes, `make faults` sets FLOORGATE_LONG=1 and has more."""

import os
from typing import TypeVar

T = TypeVar("T")


def often(short: T, long: T) -> T:
    """So many examples, requests or rounds, or these of the cases: `short` in `make test`, `long` in `make faults`."""
    return long if os.environ.get("FLOORGATE_LONG") else short
