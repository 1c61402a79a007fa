"""The rows of the table, in the order in which they are printed."""

from rows import install, offline, service
from tests.faults.table import ROWS

ALL = [each for module in (install, service, offline) for each in ROWS if each.act.__module__ == module.__name__]
