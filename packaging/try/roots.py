"""Debian roots, each made once by debootstrap and kept as a tar, so that the next run unpacks it in seconds."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "try"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")

_LOCK = threading.Lock()

# name: Debian's release, and what is there beside its least. None has a Python but that with python3-venv.
ROOTS = {
    "bookworm": ("bookworm", "systemd-sysv"),
    "bare": ("bookworm", ""),
    "python": ("bookworm", "systemd-sysv,python3-venv"),
    "rpm": ("bookworm", "systemd-sysv,rpm"),
    "trixie": ("trixie", "systemd-sysv"),
    "bullseye": ("bullseye", ""),
}


def prepare(names: Iterable[str], scratch: Path) -> None:
    """Make the tars that are missing; needs the mirror. A RuntimeError says which could not be made, and why."""
    missing = [name for name in names if not _tar(name).exists()]
    KEPT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _make(name, scratch), missing))


def unpacked(name: str) -> Path:
    """The folder of this root; it is shared and never written to."""
    folder = Path(os.environ["TRY_SCRATCH"]) / "roots" / name
    with _LOCK:
        if not folder.exists():
            folder.mkdir(parents=True)
            subprocess.run(["tar", "-C", folder, "-xpf", _tar(name), "--numeric-owner"], check=True)
    return folder


def _tar(name: str) -> Path:
    return KEPT / f"{name}.tar"


def _make(name: str, scratch: Path) -> None:
    suite, more = ROOTS[name]
    began = time.monotonic()
    print(f"root {name}: debootstrap {suite} from {MIRROR} …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as making:
        folder, part = Path(making) / "root", Path(making) / "tar"
        command = ["unshare", "--mount", "debootstrap", "--variant=minbase"]  # what it mounts ends with it
        command += [f"--include={more}"] if more else []
        done = subprocess.run([*command, suite, folder, MIRROR], capture_output=True, text=True, check=False)
        if done.returncode:
            words = "\n".join(done.stdout.splitlines()[-5:])
            raise RuntimeError(
                f"debootstrap {suite} failed; is {MIRROR} reachable (DEBIAN_MIRROR names another)?\n{words}"
            )
        for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(folder / cache)
            (folder / cache).mkdir()
        subprocess.run(["tar", "-C", folder, "-cf", part, "--numeric-owner", "."], check=True)
        part.rename(_tar(name))
    print(f"root {name}: made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
