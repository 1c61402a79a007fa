"""The machine as far as anybody may look: disks, networks, the clock, serial ports, limits; nothing is changed.

Each question is one function that gives text or JSON, and raises what may go wrong with it.
"""

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from agent.model import host
from agent.model.clock import SYSTEM
from buffer.clocks import plausible

PATIENCE = 5.0  # seconds for a program of the machine
MOST = 500  # files that are listed
SEEN = 20_000  # that are looked through for it, in any order
PROC = ("loadavg", "meminfo", "uptime", "version")
NETWORK = (("ip", "-br", "address"), ("ip", "route"), ("ip", "-6", "route"), ("ss", "-tnlH"))
CLOCK = (("timedatectl", "show"), ("chronyc", "-n", "tracking"), ("ntpq", "-pn"))
SERVICE = ("systemctl", "show", "--no-pager", "-p", "Id,ActiveState,SubState,Result,NRestarts,ExecMainStartTimestamp")
_ENV = {"LC_ALL": "C", "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}


def facts() -> dict[str, Any]:
    """What a person would ask first."""
    found: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "user": host.user_id(),
        "cpus": os.cpu_count(),
        "may_have_open": _number(host.most_files()),
        "may_use_memory": _number(host.most_memory()),
    }
    for name in PROC:
        with suppress(OSError):
            found[name] = Path("/proc", name).read_text("utf-8", "replace").strip()[:4000]
    return found


def _number(value: float) -> float | None:
    """None: as much as there is."""
    return None if value == float("inf") else value


def disks(*folders: Path) -> list[dict[str, Any]]:
    """How full the disks of these folders are."""
    rows: list[dict[str, Any]] = []
    for folder in folders:
        try:
            usage = shutil.disk_usage(folder)
            left = host.files_left(folder)
        except OSError as error:
            rows.append({"folder": str(folder), "error": error.strerror or str(error)})
            continue
        rows.append({"folder": str(folder), **usage._asdict(), "files_left": _number(left), "mount": _mount(folder)})
    return rows


def _mount(folder: Path) -> str:
    """As the machine has it: device, place, kind of file system, options."""
    best = ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
            place = line.split()[1].replace("\\040", " ")
            if folder.absolute().is_relative_to(place) and len(place) >= len((best.split() or ["", ""])[1]):
                best = line
    return best


def listing(folder: Path) -> list[dict[str, Any]]:
    """What is in the data directory: names, sizes, rights, times. Raises OSError."""
    rows: list[dict[str, Any]] = []
    for path in sorted(islice(_below(folder), SEEN))[:MOST]:
        try:
            found = path.lstat()
        except OSError as error:  # a file of an agent at work may go at any moment
            rows.append({"path": str(path.relative_to(folder)), "error": error.strerror})
            continue
        rows.append(
            {
                "path": str(path.relative_to(folder)),
                "bytes": found.st_size,
                "mode": stat.filemode(found.st_mode),
                "owner": [found.st_uid, found.st_gid],
                "changed": datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds"),
            }
        )
    return rows


def _below(folder: Path) -> Iterator[Path]:
    """What is in a folder, then what is in the folders there; each name is read when it is asked for."""
    inner: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False) and len(inner) < MOST:
                inner.append(entry.path)
    for each in inner:
        with suppress(OSError), os.scandir(each) as entries:
            yield from (Path(entry.path) for entry in entries)


def network() -> str:
    """Addresses and routes, as `ip` tells them, or the kernel where there is no `ip`."""
    said = [text for command in NETWORK if (text := told(*command))]
    if not said:
        names = ("route", "ipv6_route", "if_inet6", "dev")
        said = [f"/proc/net/{name}\n{Path('/proc/net', name).read_text('ascii', 'replace')}" for name in names]
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        with suppress(OSError):
            said.append(f"{name}\n{Path(name).read_text('utf-8', 'replace')[:4000]}")
    return "\n\n".join(said)


def clock() -> str:
    """What the wall clock shows, whether it is in step, and what whoever keeps it says."""
    now = datetime.fromtimestamp(SYSTEM.wall() / 1e9, UTC).isoformat(timespec="milliseconds")
    said = [f"now {now}\nsynchronised {SYSTEM.synced()}\nplausible {plausible(SYSTEM)}"]
    with suppress(OSError):
        said.append(f"zone {Path('/etc/localtime').readlink()}")
    said += [text for command in CLOCK if (text := told(*command))]
    return "\n\n".join(said)


def serial() -> list[dict[str, Any]]:
    """Serial ports that there are, and who may open them."""
    from serial.tools import list_ports  # noqa: PLC0415  # help is to come at once

    rows = []
    for port in sorted(list_ports.comports()):
        row: dict[str, Any] = {"device": port.device, "is": port.description, "hwid": port.hwid}
        with suppress(OSError):
            found = Path(port.device).stat()
            row |= {"mode": stat.filemode(found.st_mode), "owner": [found.st_uid, found.st_gid]}
            row["usable"] = os.access(port.device, os.R_OK | os.W_OK)
        rows.append(row)
    return rows


def service() -> str:
    """How systemd sees the units that are ours; nothing where there are none, or no systemd."""
    return told(*SERVICE, "floorgate*")


def journal(lines: int) -> str:
    """What the journal has of our units; nothing where there is no journal, or it may not be read."""
    return told("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(lines), "-u", "floorgate*")


def told(*command: str) -> str:
    """What a program prints, under its name; nothing where it is missing, fails or takes too long."""
    program = shutil.which(command[0], path=_ENV["PATH"])
    if program is None:
        return ""
    whole = [program, *command[1:]]
    try:
        done = subprocess.run(  # noqa: S603  # one of those above
            whole, env=_ENV, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    text = done.stdout.decode("utf-8", "replace").strip()
    return f"$ {' '.join(command)}\n{text}" if text and done.returncode == 0 else ""
