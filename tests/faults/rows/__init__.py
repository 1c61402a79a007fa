"""The rows, by what is broken."""

from tests.faults.rows import full, kills, power
from tests.faults.table import ROWS

ALL = ROWS
__all__ = ["ALL", "full", "kills", "power"]
