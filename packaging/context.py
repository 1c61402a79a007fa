"""What each step of `make package` gets and may use: where things are, how to run a tool, how to ship a product."""

import errno
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[1]
_SAID = 15  # lines of what a tool said last
_FULL = "free some space, here and in the folder for temporary files, and try again; nothing half-made is in dist/"
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class Failure(Exception):
    """A step cannot be done: what failed, what the tool said, and what to do next."""

    def __init__(self, message: str, *, hint: str = "", said: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.said = said


@dataclass(frozen=True, slots=True)
class Context:
    """One build. What is shipped lies in `dist` and nothing else does; all else lies in `build`."""

    root: Path  # of the repository
    build: Path
    dist: Path
    version: str  # as agent/__init__.py has it, and nothing else
    arch: str  # as platform.machine() says: x86_64, aarch64
    python: Path  # of build/venv
    epoch: int  # SOURCE_DATE_EPOCH, seconds UTC: the time that files in products get

    @property
    def environment(self) -> dict[str, str]:
        """That of tools whose output is to be the same twice."""
        fixed = {"SOURCE_DATE_EPOCH": str(self.epoch), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        return {**os.environ, **fixed, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(
        self,
        *words: str | Path,
        hint: str = "",
        cwd: Path | None = None,
        seconds: float = 900,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """What the command prints, both streams. Raises Failure with the last lines when it does not end well."""
        name = Path(words[0]).name
        try:
            ended = subprocess.run(
                [*map(str, words)],
                cwd=cwd or self.root,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except FileNotFoundError as error:
            raise Failure(f"{name} is not there", hint=hint or "install it and try again") from error
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{name} has not ended in {seconds:g} s", hint=hint) from error
        if ended.returncode:
            last = "\n".join(ended.stdout.rstrip().splitlines()[-_SAID:])
            hint = _FULL if os.strerror(errno.ENOSPC) in ended.stdout else hint
            raise Failure(f"{name} ended with {ended.returncode}", hint=hint, said=last)
        return ended.stdout

    def need(self, tools: Mapping[str, str]) -> None:
        """Install the Debian packages of those commands that are not there (command: package). Raises Failure."""
        missing = sorted({package for command, package in tools.items() if shutil.which(command) is None})
        if missing:
            hint = f"install {', '.join(missing)} and try again"
            self.run("sh", self.root / "packaging/debian.sh", *missing, hint=hint)

    def publish(self, made: Path, name: str = "") -> Path:
        """Move a finished file into dist/: there is never a half of one there."""
        self.dist.mkdir(exist_ok=True)
        target = self.dist / (name or made.name)
        aside = self.dist / f".{target.name}.part"
        try:
            shutil.move(made, aside)  # a copy, where build/ is another file system
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        return target


def here() -> Context:
    """The build of this checkout, or of an unpacked sdist."""
    build = ROOT / "build"
    return Context(ROOT, build, ROOT / "dist", version(), platform.machine(), build / "venv/bin/python", epoch())


def version() -> str:
    """That of agent/__init__.py, which is read and not imported."""
    file = ROOT / "agent/__init__.py"
    found = _VERSION.search(file.read_text("utf-8"))
    if found is None:
        raise Failure(f"{file} has no version", hint='it needs a line such as __version__ = "1.2.3"')
    return found[1]


def epoch() -> int:
    """SOURCE_DATE_EPOCH, or the last commit, or the time of pyproject.toml, which in an sdist is that of the commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isdigit():
            raise Failure(f"SOURCE_DATE_EPOCH is {given!r}", hint="it is a number: seconds since 1970")
        return int(given)
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        return int(subprocess.run(git, capture_output=True, text=True, check=True).stdout)
    return int((ROOT / "pyproject.toml").stat().st_mtime)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as nothing."""
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())
    return path.stat().st_size


def say(text: str) -> None:
    """A line for who waits."""
    print(text, file=sys.stderr, flush=True)
