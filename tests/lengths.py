"""How long a test goes on: `make test` has minutes, `make faults` sets FLOORGATE_LONG=1 and has more."""

import os


def often(short: int, long: int) -> int:
    """So many examples, requests or rounds: `short` in `make test`, `long` in `make faults`."""
    return long if os.environ.get("FLOORGATE_LONG") else short
