"""Puts the files of a version back where they stood, each whole or not at all; all of them, or as it was before."""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agent.config import configs_dir
from agent.model import host
from agent.model.errors import AgentError, ConfigError
from agent.runtime.history_files import put
from agent.runtime.loading import Asked, take

FOLDER, ENDINGS = "conf.d", (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Restoring:
    """What is to be written and removed so that `file` says what the version does; `stood` is what is there now."""

    file: Path
    writes: Mapping[Path, bytes]
    removes: tuple[Path, ...]
    stood: Mapping[Path, bytes]
    ours: tuple[Path, ...]  # files that come with floorgate and differ: they stay as they are

    def __bool__(self) -> bool:
        return bool(self.writes or self.removes)

    def trouble(self) -> str:
        """Why it cannot be done; empty when nothing is known against it."""
        for path in (*self.writes, *self.removes):
            folder = path.resolve().parent
            if not folder.is_dir():
                return f"{path}: its folder is gone"
            if not os.access(folder, os.W_OK | os.X_OK):
                return f"{path}: this user may not write to {folder}"
        return ""

    def do(self) -> None:
        """Raises AgentError, and then everything is as it was."""
        done: list[Path] = []
        try:
            for path, data in sorted(self.writes.items(), key=lambda each: each[0] == self.file):  # the site file last
                done.append(path)
                self._write(path, data)
            for path in self.removes:
                done.append(path)
                path.unlink()
        except OSError as error:
            self._undo(done)
            what = f"{error.filename or done[-1]}: {error.strerror}: nothing was put back"
            raise AgentError(what, hint="run this as a user who may write there") from error

    def _write(self, path: Path, data: bytes) -> None:
        """With the rights that the file has, or those of the site file, or for a group what the folder lets it, as the
        service reads /etc/floorgate. A link stays one."""
        real = path.resolve()
        like = next((each for each in (real, self.file.resolve()) if each.exists()), None)
        status = like.stat() if like else None
        mode = stat.S_IMODE(status.st_mode) if status else 0o600 | real.parent.stat().st_mode & stat.S_IRGRP
        owner = (status.st_uid, status.st_gid) if status and host.owner_of(real.parent) else host.owner_of(real.parent)
        put(real, data, mode, owner)

    def _undo(self, done: list[Path]) -> None:
        for path in done:
            with suppress(OSError):
                if path in self.stood:
                    self._write(path, self.stood[path])
                else:
                    path.resolve().unlink(missing_ok=True)


def restoring(file: Path, content: Mapping[Path, bytes]) -> Restoring:
    """From how everything stands now. `file` is the site file, `content` has the files of the version."""
    file = file.absolute()
    files = Asked()
    with suppress(ConfigError):  # what stands there may be wrong; what it is made of is known all the same
        take(file, files)
    extra = tuple(path for path in _parts(file) if path not in content)
    stood = {**files.taken, **{path: data for path in (*content, *extra) if (data := _read(path)) is not None}}
    differ = {path: data for path, data in content.items() if stood.get(path) != data}
    shipped = configs_dir()
    ours = tuple(path for path in differ if path.is_relative_to(shipped))
    return Restoring(file, {path: data for path, data in differ.items() if path not in ours}, extra, stood, ours)


def _parts(file: Path) -> list[Path]:
    """The files beside the site file that are read with it."""
    try:
        found = sorted((file.parent / FOLDER).iterdir())
    except OSError:
        return []
    return [path for path in found if path.name.endswith(ENDINGS) and not path.name.startswith(".")]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
