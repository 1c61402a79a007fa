"""The rows, by what is broken."""

from tests.faults.rows import kills, power, torn, full, disk, damaged, broker, neighbours, clock, opcua, everything  # isort: skip
from tests.faults.table import ROWS

ALL = ROWS
__all__ = [
    "ALL",
    "broker",
    "clock",
    "damaged",
    "disk",
    "everything",
    "full",
    "kills",
    "neighbours",
    "opcua",
    "power",
    "torn",
]
