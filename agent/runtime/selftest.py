"""The self-test at the start: what would go wrong later is said now, and keeps nobody from starting.

Each check gives a `Fault`, or None when all is well; its name is for machines and stays. They become parts of health of
the kind `selftest`, so that a failure is one line in the log, on `/api/v1/health` and in `floorgate_selftest`.
"""

import asyncio
import logging
import shutil
import socket
import sqlite3
import stat
import sys
import time
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import agent
from agent.config import Site, configs_dir
from agent.health import SELFTEST, Health
from agent.model import host
from agent.model.clock import Clock
from agent.model.errors import AgentError
from agent.model.text import size_text
from agent.runtime.storage import Storage
from buffer.clocks import plausible
from buffer.probe import Probe, try_out

DAYS = 30  # that a certificate should still be good for
FEW = 1000  # files that a file system should still have room for
BACK = 60.0  # seconds: a clock may be that far behind what was stored before
BASE, DEVICE, TAG = 100 << 20, 40 << 10, 2 << 10  # bytes of memory: the agent's own, and what each of these needs
HANDLES, LINE, SINK = 160, 3, 6  # files: the agent's own with those of its server, and what each of these needs
log = logging.getLogger("floorgate")


class Fault(NamedTuple):
    """What is wrong, and what to do about it."""

    what: str
    hint: str


Check = Callable[[], Fault | None]


@dataclass(frozen=True, slots=True)
class Means:
    """What the process may use: files that may be open, bytes of memory."""

    files: float
    memory: float


def checks(site: Site, data: Path, tags: int, clock: Clock, found: Probe | None) -> dict[str, Check]:
    """By their names. `found` is None when the store does not answer."""
    newest, settings = (found.newest, found.settings) if found else (0, {})
    need = Means(
        HANDLES + LINE * len(site.devices) + SINK * len(site.sinks), BASE + DEVICE * len(site.devices) + TAG * tags
    )
    return {
        "disk": partial(disk, data, site.buffer.reserve),
        "clock": partial(clock_fault, clock, built(), newest),
        "permissions": partial(permissions, data, keys_of(site)),
        "certificates": partial(certificates, certificates_of(site, data), clock.wall() / 1e9),
        "sqlite": partial(sqlite, sqlite3.sqlite_version_info, settings),
        "timezone": partial(timezone, site.gateway.timezone or "Asia/Shanghai"),
        "files": partial(files, configs_dir()),
        "limits": partial(limits, need, Means(host.most_files(), host.most_memory())),
        "listen": partial(listen, site.status.listen),
    }


def judge(health: Health, found: Mapping[str, Fault | None], took: float) -> None:
    """Into health, and the log: a warning for each fault, or one line when there is none."""
    for name, fault in found.items():
        part = health.part(SELFTEST, name)
        if fault is None:
            part.up()
        else:
            part.down(AgentError(fault.what, hint=fault.hint))
    if not any(found.values()):
        log.info("self-test: all is well", extra={"checks": len(found), "took_ms": round(1000 * took, 1)})


def run(found: Iterable[tuple[str, Check]]) -> dict[str, Fault | None]:
    """What each check gives; one that cannot be made on this machine has failed as well."""
    made: dict[str, Fault | None] = {}
    for name, check in found:
        try:
            made[name] = check()
        except (OSError, ValueError, ImportError) as error:
            made[name] = Fault(f"this cannot be looked at: {error}", "may the user of the service do that?")
    return made


async def selftest(site: Site, data: Path, tags: int, clock: Clock, health: Health, storage: Storage) -> None:
    """Try everything once, beside the loop; what is found is told."""
    began, found, error = time.perf_counter(), None, None
    try:
        found = await storage.call(try_out, storage.store)
    except AgentError as raised:
        error = raised
    made = await asyncio.to_thread(run, checks(site, data, tags, clock, found).items())
    judge(health, {"store": store(found, error)} | made, time.perf_counter() - began)


def store(found: Probe | None, error: AgentError | None) -> Fault | None:
    """Whether a value goes to the disk and comes back, and checksums hold."""
    if error is not None:
        return Fault(f"the store cannot be written: {error.message}", error.hint)
    assert found is not None
    hint = "look at the disk: dmesg, smartctl; `floorgate store verify`"
    return Fault(f"the store: {found.fault}", hint) if found.fault else None


def disk(data: Path, reserve: int) -> Fault | None:
    """Whether there is more free than is left to others, and room for files."""
    free = shutil.disk_usage(data).free
    if free < reserve:
        what = f"{size_text(free)} are free on the disk of {data}, less than `buffer: reserve` ({size_text(reserve)})"
        return Fault(what, "the oldest frames will have to go: free some space, or lower `reserve`")
    if (files_left := host.files_left(data)) < FEW:
        return Fault(f"the disk of {data} has room for {files_left:.0f} more files (inodes)", "remove files there")
    return None


def clock_fault(clock: Clock, since: float, newest: int) -> Fault | None:
    """Whether the wall clock shows a time that can be: after this program was built, and after what is stored.

    `since` is in seconds UTC, `newest` in ns UTC.
    """
    now = clock.wall()
    hint = "set the clock: timedatectl, chronyc makestep; frames are stamped anew once it is right"
    if not plausible(clock):
        return Fault(f"the clock shows {_iso(now / 1e9)}, which cannot be", hint)
    if now / 1e9 < since - 86_400:
        return Fault(f"the clock shows {_iso(now / 1e9)}, and this program is of {_iso(since)}", hint)
    if newest / 1e9 > now / 1e9 + BACK:
        return Fault(f"the clock shows {_iso(now / 1e9)}, and the newest frame is of {_iso(newest / 1e9)}", hint)
    return None


def built() -> float:
    """When this program was built or installed, seconds UTC; 0: nobody knows."""
    file = sys.executable if getattr(sys, "frozen", False) else agent.__file__
    try:
        return Path(file).stat().st_mtime
    except OSError:
        return 0.0


def permissions(data: Path, keys: Iterable[Path]) -> Fault | None:
    """Whether what is secret is kept from others, and what is ours can be changed by nobody else."""
    if host.user_id() is None:  # Windows has other rights
        return None
    if (mode := _mode(data)) & 0o007 or mode & stat.S_IWGRP:
        return Fault(f"others may look into {data} (mode {mode:04o})", f"chmod 700 {data}")
    for path in (*(data / name for name in ("agent.json", "store.db", "audit.db", "pki/own/key.pem")), *keys):
        if (mode := _mode(path)) & 0o077:
            return Fault(f"others may read or write {path} (mode {mode:04o})", f"chmod 600 {path}")
    return None


def _mode(path: Path) -> int:
    """0 for what is not there: then there is nothing to be read."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0


def keys_of(site: Site) -> list[Path]:
    """The files of the private keys that the site names."""
    named = [getattr(sink, "key", "") for sink in site.sinks if sink.enabled]
    named += [getattr(device, "user_key", "") for device in site.devices]
    return [Path(each) for each in (*named, site.status.tls.key if site.status.tls else "") if each]


def certificates_of(site: Site, data: Path) -> list[Path]:
    """Our own certificates: of the status server, of sinks, of users at devices, for OPC UA."""
    named = [getattr(sink, "cert", "") for sink in site.sinks if sink.enabled]
    named += [getattr(device, "user_certificate", "") for device in site.devices]
    named.append(site.status.tls.cert if site.status.tls else "")
    ours = data / "pki" / "own" / "cert.der"
    return [*(Path(each) for each in named if each), *([ours] if ours.exists() else [])]


def certificates(paths: Iterable[Path], now: float) -> Fault | None:
    """Whether they are good now (seconds UTC), and for a month."""
    for path in paths:
        begin, end = validity(path)
        is_opcua = path.suffix == ".der"
        hint = "`floorgate pki renew`, and trust it at each server" if is_opcua else f"put a new one into {path}"
        if end < now + DAYS * 86_400:
            return Fault(f"the certificate {path} {'expired' if end < now else 'expires'} at {_iso(end)}", hint)
        if begin > now:
            return Fault(f"the certificate {path} is good from {_iso(begin)} on only", "is the clock right?")
    return None


def validity(path: Path) -> tuple[float, float]:
    """From when until when a certificate is good, seconds UTC. Raises OSError and ValueError."""
    from cryptography import x509  # noqa: PLC0415  # 5 MB that only who has a certificate needs

    data = path.read_bytes()
    found = x509.load_pem_x509_certificate(data) if b"-----BEGIN" in data else x509.load_der_x509_certificate(data)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


def sqlite(version: tuple[int, ...], settings: Mapping[str, str]) -> Fault | None:
    """Whether SQLite does what the promise of the store rests on; a store in memory promises nothing."""
    said = ".".join(map(str, version))
    wanted = {"journal_mode": "wal", "synchronous": "2", "locking_mode": "exclusive"}
    wrong = [f"{name} is {settings[name]}" for name, value in wanted.items() if settings.get(name, value) != value]
    if not wrong or settings.get("journal_mode") == "memory":
        return None
    more = ", and with this version two connections may damage the file" if two_may_damage(version) else ""
    what = f"SQLite {said} has not taken our settings: {', '.join(wrong)}{more}"
    return Fault(what, "a power cut may cost more than is promised: use the SQLite that floorgate comes with")


def two_may_damage(version: tuple[int, ...]) -> bool:
    """Whether a file in WAL mode may be damaged when two connections write and checkpoint it at the same moment (fixed
    in 3.51.3, 3.50.7 and 3.44.6). Ours is always the only one: it holds the lock for as long as it lives."""
    fixed: dict[tuple[int, ...], tuple[int, ...]] = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
    return version < fixed.get(version[:2], (3, 51, 3))


def timezone(name: str) -> Fault | None:
    """Whether there is a database of time zones."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return Fault(f"there is no time zone {name} on this machine", "install the package tzdata")
    return None


def files(folder: Path) -> Fault | None:
    """Whether the files that come with the program are there."""
    for name in ("floorgate.schema.json", "devices"):
        if not (folder / name).exists():
            return Fault(f"{folder / name} is missing", "install floorgate again: a file of the program is gone")
    return None


def limits(need: Means, have: Means) -> Fault | None:
    """Whether the process may use what this many devices and tags need."""
    if have.files < need.files:
        what = f"this process may open {have.files:.0f} files, and so many devices and sinks need {need.files:.0f}"
        return Fault(what, "LimitNOFILE= of the unit, or ulimit -n")
    if have.memory < need.memory:
        what = f"this process may use {size_text(have.memory)} of memory; so many tags need {size_text(need.memory)}"
        return Fault(what, "MemoryMax= of the unit, or a larger machine")
    return None


def listen(address: str) -> Fault | None:
    """Whether the status server's address is one of this machine. That its port is free is the server's to find out."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        family, kind, *_, where = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(where)
    except OSError as error:
        what = f"status: listen: {host} is no address of this machine: {error.strerror or error}"
        return Fault(what, "see `ip address`; 127.0.0.1 is this machine alone")
    return None


def _iso(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{moment:.0f} s"
