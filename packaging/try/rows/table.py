"""The rows of the table, in the order in which they are printed."""

from rows import (
    container,
    install,
    offline,
    offline_upgrade,
    refused,
    release,
    removal,
    rpm,
    service,
    static,
    surroundings,
    upgrade,
)
from tests.faults.table import ROWS

_INSTALLED = (install, service, upgrade, refused, surroundings, removal, rpm, static)
_MODULES = (*_INSTALLED, offline, offline_upgrade, container, release)
ALL = [each for module in _MODULES for each in ROWS if each.act.__module__ == module.__name__]
