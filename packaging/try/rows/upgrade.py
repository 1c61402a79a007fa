"""From one version to the next, while the service reads and delivers: done, killed, broken, without room."""

import contextlib
import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

from machine import SERVICE, Machine
from plant import GATEWAY, SITE, Plant, listed, plant, settle
from products import Change, after, deb, field, higher, inside, remade, same, version
from rows.install import installed
from tests.faults.table import Seen, row

_ROOM = 330  # MB of a small disk: the package, a copy of what changes, the store, and some
_TWO = "floorgate@two.service"
_LINK = "/opt/floorgate/current"


def in_use(machine: Machine, site: Plant) -> None:
    """The package installed, and its service at work."""
    installed(machine)
    machine.write(SITE, site.config)
    machine.must("systemctl", "enable", "--now", SERVICE)
    site.wait(10)


def works(machine: Machine, site: Plant) -> list[str]:
    """What is wrong with the version that `current` names, and with the service, when it is started anew."""
    done = machine.run(f"{_LINK}/floorgate", "version")
    found = [f"current does not start: {done.stdout}"] if done.returncode else []
    done = machine.run("systemctl", "restart", SERVICE)
    found += [f"the service does not start: {done.stdout}"] if done.returncode else []
    site.wait(3)
    return found


def whole(machine: Machine, package: Path) -> list[str]:
    """What is not as after an installation of this one."""
    number = package.name.split("_")[1].removesuffix("-1")
    state = machine.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "floorgate").stdout
    found = [f"dpkg says {state}"] if state != f"install ok installed {field(package, 'Version')}" else []
    link = machine.run("readlink", _LINK).stdout.strip()
    found += [f"current is {link}"] if link != number else []
    before = machine.run("cat", "/opt/floorgate/previous/.version").stdout.strip()
    left = {*machine.must("ls", "/opt/floorgate").split()} - {number, "current", "previous", before}
    return found + [f"/opt/floorgate/{name} is left" for name in left]


def longest_pause(site: Plant) -> float:
    """The longest time between two readings of the meter, in seconds."""
    times = sorted(frame["ts"] / 1000 for frame in site.platform.taken().values() if frame["gateway"] == GATEWAY)
    return max(float(b - a) for a, b in itertools.pairwise(times))


@row("5", "upgrade under load: a frame each 0.1 s, and a second site", runs=1, short=0)
def upgrade(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        machine.write("/etc/floorgate/two.yaml", site.config.replace("gw-try", "gw-two"))
        machine.must("chown", "root:floorgate", "/etc/floorgate/two.yaml")
        machine.must("systemctl", "start", _TWO)
        before = machine.pid(), machine.pid(_TWO)
        done = machine.run("dpkg", "-i", inside(higher()))
        seen.none("exit code of dpkg", done.returncode)
        listed(seen, "what is not whole", whole(machine, higher()))
        seen.none("services that are not of the new version", sum(_is_old(machine, unit) for unit in (SERVICE, _TWO)))
        seen.none("services that were not restarted", len({0, *before} & {machine.pid(), machine.pid(_TWO)}))
        site.wait(40)
        machine.must("systemctl", "stop", _TWO)
        seen.most("s without a reading", longest_pause(site), 10)
        settle(seen, machine, site)


def _is_old(machine: Machine, unit: str) -> bool:
    program = machine.must("readlink", f"/proc/{machine.pid(unit)}/exe").strip()
    return program != f"/opt/floorgate/{after(version())}/floorgate"


@row("5", "the same version again, and back to the older one", runs=1, short=0)
def back(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        for package in (deb(), higher(), deb()):
            seen.none("exit code of dpkg", machine.run("dpkg", "-i", inside(package)).returncode)
            listed(seen, "what is not whole", whole(machine, package))
            site.wait()
        settle(seen, machine, site)


@row("6", "dpkg and its children killed while they upgrade", runs=20, short=0)
def killed_upgrade(seen: Seen) -> None:
    """From the first version to the next and back, each broken off at another moment, then repaired."""
    dice, wrong, unrepaired, again, hit = random.Random(), [], [], 0, 0
    packages = [higher(), same()]
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        began = time.monotonic()
        machine.must("dpkg", "-i", inside(packages[0]))
        lasts = time.monotonic() - began
        for tries in range(1, 2 * seen.runs):
            package = packages[tries % 2]
            at = (hit + dice.random()) / seen.runs * lasts
            process = machine.start("dpkg", "-i", inside(package))
            time.sleep(at)
            if process.poll() is None:
                hit += 1
            else:
                lasts = min(lasts, at)  # the machine has become quicker
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            state = machine.run("dpkg-query", "-W", "-f", "${Status}", "floorgate").stdout
            wrong += [f"killed after {at:.2f} s ({state}): {problem}" for problem in works(machine, site)]
            machine.run("dpkg", "--configure", "-a")
            if whole(machine, package):
                again += 1
                done = machine.run("dpkg", "-i", inside(package))
                unrepaired += [f"killed after {at:.2f} s: {p} {done.stdout}" for p in whole(machine, package)]
            if hit == seen.runs:
                break
        seen.least("killed while it ran", hit, seen.runs)
        listed(seen, "starts of `current` that failed", wrong)
        listed(seen, "not whole after `dpkg --configure -a` or `dpkg -i`", unrepaired)
        seen.most("of them needed `dpkg -i`", again, seen.runs)
        settle(seen, machine, site)


def _program(text: bytes) -> Change:
    """In place of the program."""

    def change(path: str, contents: bytes) -> bytes:
        return text if path.endswith(f"/{version()}/floorgate") else contents

    return change


def _cut(path: str, contents: bytes) -> bytes:
    return contents[: len(contents) // 2] if path.endswith(f"/{version()}/floorgate") else contents


_SHELL = b"#!/bin/sh\n"
_BAD: dict[str, tuple[Change, str]] = {  # how it is broken: what does it, and what has to be said then
    "cut short": (_cut, "does not start"),
    "ends with 1": (_program(_SHELL + b"exit 1\n"), "does not start"),
    "refuses the site": (_program(_SHELL + b"[ $1 = version ] || exit 78\n"), "is fine for version"),
    "ends as a service": (_program(_SHELL + b"[ $1 != run ]\n"), "does not come up as a service"),
}


@row("7", f"a new version that is broken: {', '.join(_BAD)}", runs=len(_BAD), short=0)
def broken(seen: Seen) -> None:
    taken, silent, wrong, slowest = 0, 0, [], 0.0
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        for number, (how, (change, words)) in enumerate(_BAD.items()):
            bad = remade(f"bad-{number}", steps=1, change=change)
            done = machine.run("dpkg", "-i", inside(bad))
            began = time.monotonic()
            taken += done.returncode == 0
            silent += words not in done.stdout
            print(done.stdout, file=sys.stderr) if words not in done.stdout else None
            site.wait()
            slowest = max(slowest, time.monotonic() - began)
            wrong += [f"{how}: {problem}" for problem in works(machine, site)]
        seen.none("installed all the same", taken)
        seen.none("without a word on what is wrong", silent)
        seen.most("s until the old version serves, the slowest", slowest, 60)
        listed(seen, "what is wrong with the old version, started anew", wrong)
        good = remade("good", steps=2)
        seen.none("exit code of dpkg with a good one", machine.run("dpkg", "-i", inside(good)).returncode)
        site.wait()
        listed(seen, "what is not whole", whole(machine, good))
        settle(seen, machine, site)


@row("8", "no room for the upgrade, at another place each time", runs=6, short=0)
def full_disk(seen: Seen) -> None:
    wrong, quiet, passed = [], 0, 0
    with plant(seen.folder) as site, Machine(seen.folder, size=_ROOM) as machine:
        in_use(machine, site)
        hog, needs = machine.disk / "hog", int(field(deb(), "Installed-Size")) // 1000  # MB
        for run in range(seen.runs):
            free = needs * run // seen.runs
            _fill(hog, free)
            done = machine.run("dpkg", "-i", inside(higher()))
            passed += done.returncode == 0
            quiet += done.returncode != 0 and "space" not in done.stdout
            hog.unlink()
            wrong += [f"with {free} MB free: {problem}" for problem in works(machine, site)]
        seen.none("upgrades that went through", passed)
        seen.none("of those that failed, silent about the room", quiet)
        listed(seen, "what is wrong with the old version, started anew", wrong)
        seen.none("exit code of dpkg, with room", machine.run("dpkg", "-i", inside(higher())).returncode)
        listed(seen, "what is not whole", whole(machine, higher()))
        settle(seen, machine, site)


def _fill(hog: Path, free: int) -> None:
    """Leave so many MB."""
    with hog.open("wb") as file:
        room = os.statvfs(hog).f_bavail * os.statvfs(hog).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(1, room - (free << 20)))
