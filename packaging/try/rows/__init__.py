"""The rows of the table, in the order in which they are printed."""

from rows import install, removal, service, surroundings, upgrade
from tests.faults.table import ROWS

_MODULES = (install, service, upgrade, surroundings, removal)
ALL = [each for module in _MODULES for each in ROWS if each.act.__module__ == module.__name__]
