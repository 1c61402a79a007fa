"""One look at the files of a site: what they say, what they are, and what else would count.

A load in a running agent has a thread of its own, and scans keep their time meanwhile: Python changes threads every
half millisecond, and does not look for cycles, which would stop all threads for 150 ms at 10,000 tags.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from agent.config import Files, Site, load
from agent.config.difference import difference
from agent.model import turns
from agent.model.errors import AgentError, ConfigError
from agent.runtime import heap
from agent.runtime.changes import Changes, Stamp, stamps
from agent.runtime.history_files import Taken, digest_of

T = TypeVar("T")


class Asked(Files):
    """Also knows what it could not read: a file that is missing now may come."""

    def __init__(self, kept: Mapping[Path, bytes] = MappingProxyType({})) -> None:
        super().__init__(kept)
        self.asked: set[Path] = set()

    def read(self, path: Path, most: int) -> bytes:
        self.asked.add(path.absolute())
        return super().read(path, most)

    def stamps(self) -> dict[Path, Stamp]:
        """What the disk shows of all that counted; blocks."""
        return stamps(self.asked, self.looked)


class Watch:
    """The files of the last load, be it that it failed: when they are to be loaded again."""

    def __init__(self, files: Asked) -> None:
        self._files, self._changes = files, Changes()

    @property
    def moving(self) -> bool:
        return self._changes.moving

    def begin(self) -> None:
        """They are being loaded as they are now; blocks."""
        self._changes.begin(self._files.stamps())

    def loaded(self, files: Asked) -> None:
        """These were; blocks. One that was known already counts as it was before that."""
        self._changes.begin(
            {**files.stamps(), **{path: was for path, was in self._changes.judged.items() if path in files.asked}}
        )
        self._files = files

    def passed_over(self) -> None:
        """What was loaded last does not run for that: it is due at the next look."""
        self._changes.judged = {}

    def due(self, now: int) -> bool:
        """Whether they have changed and come to rest; blocks."""
        return self._changes.look(now, self._files.stamps())


@dataclass(frozen=True, slots=True)
class Loaded:
    """A site, and the bytes that it was made of."""

    site: Site
    taken: Taken

    @property
    def digest(self) -> str:
        return digest_of(self.taken)


def take(config: Path, files: Asked, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Raises Invalid, and ConfigError for a site that would do nothing."""
    site = load(config, environ, files=files)
    if not site.devices:
        raise ConfigError(f"{config}: no device is enabled", hint="nothing would be read")
    return Loaded(site, files.taken)


def told(config: Path, old: Taken, new: Taken) -> str:
    """What changed, in a line; of no `old` all of it. Where one of the two cannot be read any more, which files did."""
    try:
        before = take(config, Asked(old)).site if old else None
        return difference(before, take(config, Asked(new)).site).summary() or "spelling"
    except AgentError:
        files = [path.name for path in dict.fromkeys((*old, *new)) if old.get(path) != new.get(path)]
        return f"files changed: {', '.join(files)}"


async def beside(work: Callable[[], T]) -> T:
    """Do it in a thread, such that the loop keeps its pace."""
    with turns.short(), heap.undisturbed():
        return await asyncio.to_thread(work)
