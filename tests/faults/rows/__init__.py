"""The rows, by what is broken."""

from tests.faults.rows import broker, damaged, disk, full, kills, power
from tests.faults.table import ROWS

ALL = ROWS
__all__ = ["ALL", "broker", "damaged", "disk", "full", "kills", "power"]
