"""Builds that go wrong: a package that is not the one that was pinned, a full disk, a build that is killed.

    build/venv/bin/python packaging/try/broken_build.py

Each must end with a clear word, and leave nothing in dist/ that is half of something. The full disk needs root.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from frozen_stage import hold, tried

ROOT = Path(__file__).resolve().parents[2]
TINY = "256k"  # a disk on which no wheel can be made
_FULL = 'mount -t tmpfs -o "size=$1" tmpfs "$2"; shift 2; exec "$@"'


def tampered(checkout: Path) -> str:
    """A wheel that was changed after it was pinned is refused by pip, and a person is told what that means."""
    shelf = checkout / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / "tampered-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tampered.py", "")
        wheel.writestr("tampered-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tampered\nVersion: 1.0\n")
        wheel.writestr("tampered-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tampered-1.0.dist-info/RECORD", "")
    lock = checkout / "lock.txt"
    lock.write_text(f"tampered==1.0 --hash=sha256:{'0' * 64}\n")
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf), "PYTHON": sys.executable}
    code, said = _ended(["sh", "packaging/bootstrap.sh", str(lock), "build/venv"], checkout, environ)
    hold(code != 0, "it was installed")
    hold("DO NOT MATCH THE HASHES" in said, f"pip says nothing of hashes:\n{said}")
    hold("do not use it" in said, f"nobody is told what to do:\n{said}")
    return said.strip().splitlines()[-1]


def full(checkout: Path) -> str:
    """A disk that fills up while a wheel is made."""
    if os.geteuid() != 0:
        return "left out: it needs root"
    (checkout / "build").mkdir()
    space = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _FULL, "sh", TINY, "build"]
    code, said = _ended([*space, sys.executable, "-B", "packaging/full.py"], checkout, {**os.environ})
    hold(code == 1, f"it ended with {code}:\n{said}")
    hold("free some space" in said or "is the disk full" in said, f"nobody is told what to do:\n{said}")
    _is_clean(checkout)
    return said.strip().splitlines()[-1].strip()


def killed(checkout: Path) -> str:
    """SIGINT, SIGTERM and SIGKILL in the middle of it."""
    (checkout / "build").mkdir()
    (checkout / "build/venv").symlink_to(Path(sys.prefix))
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
        command = [sys.executable, "-B", "packaging/package.py", "bundle"]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        with subprocess.Popen(command, cwd=checkout, **streams) as build:  # type: ignore[call-overload]  # three streams
            time.sleep(6)
            hold(build.poll() is None, "it ended too early to be killed")
            build.send_signal(number)
            hold(build.wait(20) == code, f"after signal {number} it ended with {build.returncode}")
            if number == signal.SIGKILL:
                os.killpg(build.pid, signal.SIGKILL)
        hold(not (checkout / "build/onedir/floorgate").exists(), f"signal {number} left half a bundle")
        _is_clean(checkout)
    return "SIGINT, SIGTERM, SIGKILL"


def _is_clean(checkout: Path) -> None:
    left = [each.name for each in (checkout / "dist").glob("*")]
    hold(not left, f"dist/ has {', '.join(left)}")


def _ended(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def _checkout(folder: Path) -> Path:
    """The files of this one, without what was built or installed."""
    left_out = shutil.ignore_patterns(
        "build", "dist", ".venv", ".git", ".*_cache", "__pycache__", "tests", "node_modules"
    )
    made = Path(shutil.copytree(ROOT, folder / "checkout", ignore=left_out, symlinks=True))
    (made / "packaging/full.py").write_text(
        "import context, dataclasses, package, pathlib, sys\n"
        "real = context.here\n"
        "python = pathlib.Path(sys.executable)\n"
        "package.here = lambda: dataclasses.replace(real(), python=python)\n"
        "sys.exit(package.main(['wheel']))\n"
    )
    return made


TRIES: tuple[Callable[[Path], str], ...] = (tampered, full, killed)


def main() -> int:
    wrong = 0
    for each in TRIES:
        with tempfile.TemporaryDirectory(prefix="floorgate-build-") as folder:
            wrong += not tried(each, _checkout(Path(folder)))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
