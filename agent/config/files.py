"""Where configuration files are, and how much of one is read at most."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import agent
from agent.model import rights
from agent.model.errors import ConfigError


class Unreadable(ConfigError):
    """A file that is not there, not a file, not ours to read, or too large."""


def configs_dir() -> Path:
    """`configs/` with the device maps and the JSON Schema: beside the packages in a checkout, a wheel and a bundle."""
    return Path(agent.__file__).resolve().parents[1] / "configs"


def read_bytes(path: Path, most: int, judge: Callable[[os.stat_result], None] = lambda _: None) -> bytes:
    """All of a regular file of at most `most` bytes. Raises Unreadable, and what `judge` raises of the open file."""
    try:
        if not path.is_file():
            raise Unreadable("there is no such file" if not path.exists() else "this is not a file")
        with path.open("rb") as file:
            judge(os.fstat(file.fileno()))
            data = file.read(most + 1)
    except PermissionError as error:
        raise Unreadable(f"cannot be read: {error.strerror}", hint=rights.reading(path)) from error
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a path with a NUL byte
        raise Unreadable("this cannot be a path") from error
    if len(data) > most:
        raise Unreadable(f"larger than {most >> 10} KB", hint="split it")
    return data


class Files:
    """Where one load takes its files from, and what it took: a version that was kept is read as it was.

    `kept` is asked first, by absolute path; what is not in it comes from the disk. What a secret refers to (`file:`)
    does not pass here, so `taken` holds none. `looked` are the folders in which a new file would be one more to read.
    """

    def __init__(self, kept: Mapping[Path, bytes] = MappingProxyType({})) -> None:
        self._kept = kept
        self.taken: dict[Path, bytes] = {}
        self.looked: set[Path] = set()  # folders whose contents counted, whether they are there or not

    def inside(self, folder: Path) -> list[str]:
        """The names of what is in a folder, sorted; none when it is not there. Where anything is kept, what was in the
        folder is as well. Raises Unreadable."""
        where = folder.absolute()
        self.looked.add(where)
        if self._kept:
            return sorted(path.name for path in self._kept if path.parent == where)
        try:
            return sorted(each.name for each in folder.iterdir())
        except FileNotFoundError:
            return []
        except PermissionError as error:
            raise Unreadable(f"cannot be read: {error.strerror}", hint=rights.reading(folder)) from error
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror or error}") from error

    def read(self, path: Path, most: int) -> bytes:
        """All of a regular file of at most `most` bytes. Raises Unreadable."""
        where = path.absolute()
        data = self._kept[where] if where in self._kept else read_bytes(path, most)
        self.taken[where] = data
        return data
