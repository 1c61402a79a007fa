"""The rows of the table, in the order in which they are printed."""

from rows import container, install, offline, release, service
from tests.faults.table import ROWS

ALL = [
    each
    for module in (release, install, service, offline, container)
    for each in ROWS
    if each.act.__module__ == module.__name__
]
