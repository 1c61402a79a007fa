"""When files are to be looked at again: those of a configuration change, appear or vanish, and have come to rest.

Pure: what the disk shows is handed in. An editor may empty a file before it fills it, or put another in its place, and
somebody may copy many; so a change counts once nothing has moved for a while.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REST = 10**9  # ns without a change
Stamp = tuple[int, ...] | tuple[str, ...] | None  # of a file, of a folder, and of what is not there
Stamps = Mapping[Path, Stamp]


@dataclass(slots=True)
class Changes:
    """`judged` is how everything was when it was last loaded, `seen` how it was at the last look, since `since`."""

    judged: dict[Path, Stamp] = field(default_factory=dict)
    _seen: dict[Path, Stamp] = field(default_factory=dict)
    _since: int = 0

    @property
    def moving(self) -> bool:
        """Whether something has changed that has not come to rest."""
        return self._seen != self.judged

    def begin(self, stamps: Stamps) -> None:
        """Everything is about to be loaded as it is now; these are what is watched from now on."""
        self.judged = dict(stamps)
        self._seen = dict(stamps)

    def look(self, now: int, stamps: Stamps) -> bool:
        """Whether it is time to load; `now` is monotonic, in ns."""
        if stamps != self._seen:
            self._seen, self._since = dict(stamps), now
            return False
        return self.moving and now - self._since >= REST


def stamps(files: Iterable[Path], folders: Iterable[Path]) -> dict[Path, Stamp]:
    """What the disk shows of these; blocks."""
    found: dict[Path, Stamp] = {path: _file(path) for path in files}
    return found | {path: _folder(path) for path in folders}


def _file(path: Path) -> Stamp:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino  # ctime: who may read it counts, too


def _folder(path: Path) -> Stamp:
    try:
        return tuple(sorted(each.name for each in path.iterdir()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return ("/",)  # there, and no folder that we may read
