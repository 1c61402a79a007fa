"""What a bundle holds besides what the imports of the code say: modules loaded by name, and files that are read.

The specification of the bundle and its test share this. A new driver or sink is one folder and one line in
agent/registry.py, a new command one file and one name: nothing has to be written here.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import walk_packages

import click

from agent import registry
from agent.cli import main
from agent.cli.lazy import Lazy
from agent.northbound.shapes import compress
from agent.runtime import inventory

GROUPS = ("floorgate.drivers", "floorgate.sinks")
LOADED_BY_NAME = (
    "amqtt.plugins.authentication",  # agent/demo/broker.py tells amqtt which plugins it has
)
PACKAGES_OF_DATA = ("tzdata",)  # zoneinfo takes it where the system has no time zones
DATA = ("configs", "agent/lang/zh.po")  # below the root; a folder goes with all that is in it
EXCLUDED = (  # what the libraries could import, and nobody asks them to
    *("tkinter", "_tkinter", "curses", "_curses", "readline", "lib2to3", "idlelib", "turtle", "turtledemo"),
    *("test", "unittest", "doctest", "pdb", "pydoc", "pydoc_data", "ensurepip", "venv"),
    *("distutils", "setuptools", "pkg_resources", "pip", "_distutils_hack", "hatchling", "PyInstaller"),
    *("mypy", "hypothesis", "pydantic.v1", "pydantic.mypy"),
    *("pygments", "markdown_it", "mdurl"),  # rich's colours for source text and Markdown
    *("multiprocessing", "anyio._backends._trio", "uvloop._testbase", "aiohttp.worker"),
    "frozenlist._frozenlist",  # in C++: libstdc++ asks for a newer glibc than all else; there is one in Python
)
UNREAD = ("pytz/zoneinfo",)  # data that comes along: asyncua wants UTC of pytz, and our zones are those of tzdata
UNWANTED_HOOKS = ("pyi_rth_inspect",)  # takes a fifth of a start, for source text that no bundle has


def hidden() -> list[str]:
    """Modules that a bundle needs, and that nothing imports by a statement."""
    found = {*LOADED_BY_NAME, *PACKAGES_OF_DATA}
    for folder in (*registry.drivers().values(), *registry.sinks().values()):
        found.update(modules(folder))
    found.update(commands(main))
    found.update(name for name in compress.ZSTD if _is_there(name))
    return sorted(found)


def modules(package: str) -> Iterator[str]:
    """A package and all that is in it, however deep."""
    yield package
    for each in walk_packages(import_module(package).__path__, f"{package}."):
        yield each.name


def commands(group: click.Group) -> Iterator[str]:
    """The modules of a group's commands, and of theirs."""
    context = click.Context(group)
    for name in group.list_commands(context):
        if isinstance(group, Lazy):
            yield group.module_of(name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command)


def described() -> list[str]:
    """The distributions of which the bundle needs the metadata: those beside the agent that announce a driver or a
    sink, and those whose version an inventory tells."""
    points = (point for group in GROUPS for point in entry_points(group=group))
    announced = {point.dist.name for point in points if point.dist is not None}
    return sorted(announced | {name for name, _ in inventory.libraries()})


def data(root: Path) -> list[tuple[str, str]]:
    """(file, folder in the bundle) of what is read at run time."""
    found: list[tuple[str, str]] = []
    for name in DATA:
        top = root / name
        files = sorted(each for each in top.rglob("*") if each.is_file()) if top.is_dir() else [top]
        found += [(str(each), each.parent.relative_to(root).as_posix()) for each in files]
    return found


def _is_there(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
