"""What was made beside a data directory takes the place of what is in it, and that goes into `before-restore-N`.

All of it lies in `.restore/new` first. From `.restore/ready` on the way back is barred: a kill after that is made up
for by the next `floorgate run` or `floorgate restore` (`finish`).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.model import host, rights
from agent.model.errors import Forbidden, StoreError
from agent.runtime.app import STORE
from agent.runtime.audit_file import FILE as AUDIT
from agent.runtime.chain import HEAD
from agent.runtime.history import FOLDER as HISTORY
from buffer.growth import held, in_use

PKI, PINS = "pki", "browse"
FOLDER, NEW, READY, CLEARED = ".restore", "new", "ready", "cleared"
OURS = (  # of the data directory: what a backup replaces
    *(STORE, f"{STORE}-wal", f"{STORE}-shm", "store.witness"),
    *(AUDIT, f"{AUDIT}-wal", f"{AUDIT}-shm", HEAD, HISTORY, PKI, PINS),
)


def finish(data: Path) -> Path | None:
    """Complete a restore that was cut short; where the old files are then. Raises AgentError when one is under way."""
    try:
        there = (data / FOLDER).exists()
    except PermissionError as error:
        raise Forbidden(f"data directory {data}: {error.strerror}", hint=rights.owning(data)) from error
    if not there:
        return None
    with alone(data):
        return _swap(data) if any((data / FOLDER / name).exists() for name in (READY, CLEARED)) else None


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Nobody else restores here, no agent runs, and none can begin on the store that is there. Raises StoreError."""
    with ExitStack() as stack:
        if not stack.enter_context(host.alone(data, wait=False)):
            raise StoreError(f"data directory {data} is being restored", hint="wait until that has ended")
        if (data / STORE).exists() and not stack.enter_context(held(data / STORE)):
            raise _used(data)
        yield


def stands(data: Path) -> bool:
    """Whether there is a store."""
    return (data / STORE).exists()


def unused(data: Path, *, stood: bool) -> None:
    """That no agent has begun meanwhile where no store `stood` that could be held. Raises StoreError."""
    if not stood and (data / STORE).exists() and in_use(data / STORE):
        raise _used(data)


def _used(data: Path) -> StoreError:
    return StoreError(f"data directory {data} is in use by a running agent", hint="stop it first")


def taken(data: Path) -> bool:
    """Whether something of what a backup replaces is there."""
    return any((data / name).exists() for name in OURS)


def beside(data: Path) -> Path:
    """The folder that what is there now would go to; nothing is there yet."""
    number = 1 + max((int(n) for each in data.glob("before-restore-*") if (n := each.name[15:]).isdecimal()), default=0)
    return data / f"before-restore-{number}"


def swap(data: Path, aside: Path) -> Path | None:
    """Change places with what is there, which goes to `aside`; None where nothing was. Raises OSError; whatever happens
    then, `finish` completes it."""
    name = aside.name if taken(data) or aside.exists() else ""
    draft = data / FOLDER / "draft"
    draft.write_text(json.dumps({"aside": name}), "utf-8")
    settled(draft)
    draft.rename(data / FOLDER / READY)
    settled(data / FOLDER)
    return _swap(data)


def _swap(data: Path) -> Path | None:
    folder = data / FOLDER
    said: dict[str, Any] = json.loads(next(p for n in (READY, CLEARED) if (p := folder / n).exists()).read_bytes())
    aside = data / said["aside"] if said["aside"] else None
    if (folder / READY).exists():
        if aside is not None:
            _clear(data, aside)
        (folder / READY).rename(folder / CLEARED)
        settled(folder)
    for path in sorted((folder / NEW).iterdir()):
        path.rename(data / path.name)
    settled(data)
    shutil.rmtree(folder)
    return aside


def _clear(data: Path, aside: Path) -> None:
    aside.mkdir(mode=0o700, exist_ok=True)
    hand_over(aside, data)
    for name in (*OURS, *(path.name for path in data.glob("store.v*.db"))):
        with suppress(FileNotFoundError):
            (data / name).rename(aside / name)
    settled(aside)
    settled(data)


def hand_over(path: Path, data: Path) -> None:
    if (owner := host.owner_of(data)) is not None:
        host.give(path, owner)


def settled(path: Path) -> None:
    """A file, or the names in a folder, on the disk when this returns."""
    if path.is_dir():
        host.sync_folder(path)
    else:
        host.sync_file(path)
