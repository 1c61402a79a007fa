"""The .deb on a fresh Debian: without a network, without Python, by dpkg alone."""

import re
import sys
from collections.abc import Container

from machine import SERVICE, USER, Machine
from plant import DATA, SITE, listed
from products import deb, inside, version
from tests.faults.table import Seen, row


def _expected() -> dict[str, str]:
    return {  # path: owner, group, mode
        "/etc/floorgate": "root floorgate 750",
        "/etc/floorgate/conf.d": "root floorgate 750",
        "/etc/floorgate/credentials": "root root 700",
        SITE: "root floorgate 640",
        DATA: "floorgate floorgate 700",
        "/opt/floorgate": "root root 755",
        f"/opt/floorgate/{version()}/floorgate": "root root 755",
        "/usr/bin/floorgate": "root root 755",
        "/usr/lib/systemd/system/floorgate.service": "root root 644",
        "/usr/lib/systemd/system/floorgate@.service": "root root 644",
    }


_THERE = {
    "man page": "/usr/share/man/man1/floorgate.1.gz",
    "completion for bash": "/usr/share/bash-completion/completions/floorgate",
    "completion for zsh": "/usr/share/zsh/vendor-completions/_floorgate",
    "completion for fish": "/usr/share/fish/vendor_completions.d/floorgate.fish",
    "copyright": "/usr/share/doc/floorgate/copyright",
    "changelog": "/usr/share/doc/floorgate/changelog.Debian.gz",
    "link to the version": "/opt/floorgate/current/floorgate",
}


def installed(machine: Machine) -> None:
    machine.must("dpkg", "-i", inside(deb()))


def wrong(machine: Machine, but: Container[str] = ()) -> list[str]:
    """What is not as the README says of an installation; `but` is not looked for."""
    found = []
    for path, expected in _expected().items():
        is_so = machine.run("stat", "-c", "%U %G %a", path).stdout.strip()
        found += [f"{path} is {is_so}, not {expected}"] if is_so != expected else []
    found += [f"no {what}: {path}" for what, path in _THERE.items() if path not in but and not machine.has(path)]
    groups = machine.run("id", "-nG", USER).stdout.split()
    found += [f"user {USER} is in {groups}"] if "dialout" not in groups else []
    found += [
        f"anybody may write {path}"
        for path in machine.run("find", "/opt", "/etc/floorgate", "-perm", "/o+w", "!", "-type", "l").stdout.split()
    ]
    return found


@row("2", "`dpkg -i` without network on Debian 12 with systemd", runs=1, short=0)
def install(seen: Seen) -> None:
    with Machine(seen.folder) as machine:
        before = units(machine)
        done = machine.run("dpkg", "-i", inside(deb()))
        print(done.stdout, file=sys.stderr) if done.returncode else None
        seen.none("exit code of dpkg", done.returncode)
        listed(seen, "files, owners, modes and groups that are wrong", wrong(machine))
        listed(seen, "services enabled or running", running(machine) + sorted(units(machine) - before))
        seen.none(
            "Pythons on the machine",
            len(machine.run("find", "/usr/bin", "/usr/local/bin", "-name", "python*").stdout.split()),
        )
        says = machine.run("floorgate", "--version", user=USER)
        seen.none("`floorgate --version` says something else", says.stdout.split()[-1:] != [version()])
        seen.none("exit code of `floorgate check`", machine.run("floorgate", "check", SITE, user=USER).returncode)
        seen.none("packages that are not whole", len(machine.run("dpkg", "--audit").stdout.splitlines()))
        listed(seen, "files that dpkg finds changed", machine.run("dpkg", "--verify", "floorgate").stdout.splitlines())


@row("2", "the same in a chroot without systemd, as an image is built", runs=1, short=0)
def install_in_chroot(seen: Seen) -> None:
    with Machine(seen.folder, "bare", boots=False) as machine:
        done = machine.run("dpkg", "-i", inside(deb()))
        print(done.stdout, file=sys.stderr) if done.returncode else None
        seen.none("exit code of dpkg", done.returncode)
        listed(seen, "files, owners, modes and groups that are wrong", wrong(machine))
        seen.none("exit code of `floorgate check`", machine.run("floorgate", "check", SITE, user=USER).returncode)
        seen.none("exit code of `dpkg --purge`", machine.run("dpkg", "--purge", "floorgate").returncode)


@row("1", "the same on Debian 13", runs=1, short=0)
def install_on_trixie(seen: Seen) -> None:
    with Machine(seen.folder, "trixie") as machine:
        done = machine.run("dpkg", "-i", inside(deb()))
        print(done.stdout, file=sys.stderr) if done.returncode else None
        seen.none("exit code of dpkg", done.returncode)
        listed(seen, "files, owners, modes and groups that are wrong", wrong(machine))
        seen.none(
            "exit code of `floorgate demo`", machine.run("floorgate", "demo", "--seconds", "8", user=USER).returncode
        )


@row("1", "on Debian 11 (glibc 2.31) the package is refused", runs=1, short=0)
def refused_on_bullseye(seen: Seen) -> None:
    with Machine(seen.folder, "bullseye", boots=False) as machine:
        done = machine.run("dpkg", "-i", inside(deb()))
        seen.least("exit code of dpkg", done.returncode, 1)
        seen.least("times that it names libc6", done.stdout.count("libc6"), 1)
        seen.none("parts that are there", machine.has("/opt/floorgate/current"))


@row("3", "`floorgate demo --seconds 8` as the service user", runs=1, short=0)
def demo(seen: Seen) -> None:
    with Machine(seen.folder) as machine:
        installed(machine)
        done = machine.run("floorgate", "--lang", "en", "demo", "--seconds", "8", user=USER)
        print(done.stdout, file=sys.stderr) if done.returncode else None
        seen.none("exit code", done.returncode)
        ledger = re.search(r"^read ([\d,]+) = delivered \1 samples", done.stdout, re.MULTILINE)
        seen.least("samples read, all delivered", int(ledger[1].replace(",", "")) if ledger else 0, 100)


def running(machine: Machine) -> list[str]:
    told = [machine.run("systemctl", "is-enabled", SERVICE), machine.run("systemctl", "is-active", SERVICE)]
    return [done.stdout.strip() for done in told if done.returncode == 0]


def units(machine: Machine) -> set[str]:
    """Those that start with the machine."""
    return set(machine.run("find", "/etc/systemd/system", "-type", "l").stdout.split())
