"""The rows, by what is broken."""

from tests.faults.rows import kills, power, torn, full, disk, damaged, broker, neighbours, clock  # isort: skip
from tests.faults.rows import opcua, commands, upgrade, everything  # isort: skip
from tests.faults.table import ROWS

ALL = ROWS
__all__ = [
    "ALL",
    "broker",
    "clock",
    "commands",
    "damaged",
    "disk",
    "everything",
    "full",
    "kills",
    "neighbours",
    "opcua",
    "power",
    "torn",
    "upgrade",
]
