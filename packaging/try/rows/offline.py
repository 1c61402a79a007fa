"""The offline bundle on a Debian with a Python: installed, upgraded under load, killed, gone back, taken away."""

import sys
import time

from bundles import bundle, flip, release, seal
from bundles import seen as installer
from machine import SERVICE, USER, Machine
from plant import DATA, SITE, listed, plant, settle
from products import after
from tests.faults.table import Seen, row
from tests.sim.mosquitto import wait_until

_HOME = "/opt/floorgate"
_THERE = {  # path: owner, group, mode
    "/etc/floorgate": "root floorgate 750",
    "/etc/floorgate/credentials": "root root 700",
    SITE: "root floorgate 640",
    "/usr/local/bin/floorgate": "root root 755",
    "/usr/local/lib/systemd/system/floorgate.service": "root root 644",
    "/usr/local/share/man/man1/floorgate.1": "root root 644",
    "/usr/local/share/bash-completion/completions/floorgate": "root root 644",
}


def current(machine: Machine) -> str:
    return machine.run("readlink", f"{_HOME}/current").stdout.strip()


def wrong(machine: Machine, version: str) -> list[str]:
    """What is not as the README says of an installation."""
    found = []
    for path, expected in _THERE.items():
        is_so = machine.run("stat", "-c", "%U %G %a", path).stdout.strip()
        found += [f"{path} is {is_so}, not {expected}"] if is_so != expected else []
    found += [f"current is {current(machine)}"] if current(machine) != version else []
    found += ["floorgate is not in dialout"] if "dialout" not in machine.run("id", "-nG", USER).stdout.split() else []
    said = machine.run("floorgate", "version", user=USER).stdout.strip()
    return [*found, *([f"it says {said}"] if said != f"floorgate {version}" else [])]


@row("2", "the offline bundle: installed, upgraded under load, gone back, taken away", runs=1, short=0)
def offline(seen: Seen) -> None:
    old, new = bundle(), bundle("newer", newer=True)
    with plant(seen.folder) as field, Machine(seen.folder, "python") as machine:
        before = set(machine.must("find", "/usr/local", "/etc", "-type", "f").split())
        began = time.monotonic()
        machine.must("sh", installer(old))
        seen.most("s to install", time.monotonic() - began, 120)
        listed(seen, "files, owners, modes and groups that are wrong", wrong(machine, release(old)))
        done = machine.run("floorgate", "check", SITE, user=USER, HOME=DATA)
        print(done.stdout, file=sys.stderr) if done.returncode else None
        seen.none("exit code of `floorgate check`", done.returncode)
        machine.write(SITE, field.site)
        machine.must("systemctl", "enable", "--now", SERVICE)
        field.wait(20)
        first = machine.pid()
        machine.must("sh", installer(new))
        field.wait(20)
        listed(seen, "what is wrong after the upgrade", wrong(machine, after(release(old))))
        seen.none("processes that are not new", int(machine.pid() == first))
        machine.must("sh", f"{_HOME}/current/share/install.sh", "--back")
        field.wait(20)
        seen.none("versions that are not the one before", int(current(machine) != release(old)))
        settle(seen, machine, field, least=1000)
        machine.must("sh", f"{_HOME}/current/share/install.sh", "--uninstall")
        seen.none("parts of the program that are left", int(machine.has(_HOME)))
        listed(
            seen, "data and sites that are gone", [path for path in (SITE, f"{DATA}/store.db") if not machine.has(path)]
        )
        machine.must("sh", installer(old))
        machine.must("sh", f"{_HOME}/current/share/install.sh", "--uninstall", "--purge")
        left = set(machine.must("find", "/usr/local", "/etc", "-type", "f").split()) - before
        listed(seen, "files that are left", [path for path in left if not path.startswith(_ACCOUNTS)])


_ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock")


@row("45", "its installer killed at any moment of an upgrade; a version that does not start", runs=4, short=0)
def offline_killed(seen: Seen) -> None:
    """What ran goes on, or comes back by itself; the installer, called again, does its work."""
    old, new, unsound = bundle("old"), bundle("new", newer=True), bundle("unsound", newer=True)
    launcher = unsound / "floorgate.sh"
    launcher.write_text(launcher.read_text("utf-8").replace("exec ", '[ "$1" != run ] || exit 1\nexec '), "utf-8")
    seal(unsound)
    with plant(seen.folder) as field, Machine(seen.folder, "python") as machine:
        began = time.monotonic()
        machine.must("sh", installer(old))
        took = time.monotonic() - began
        machine.write(SITE, field.site)
        machine.must("systemctl", "enable", "--now", SERVICE)
        field.wait(5)
        done = machine.run("sh", installer(unsound))
        seen.least("exit code where it does not start", done.returncode, 1)
        seen.least("times that it says what is in use", done.stdout.count(f"{release(old)} is in use again"), 1)
        wait_until(lambda: machine.property("ActiveState") == "active", "the service", 30)
        field.wait(5)
        broken = [f"unsound: {current(machine)}"] if current(machine) != release(old) else []
        for run in range(seen.runs):
            seconds = f"{0.2 + took * (run + 0.5) / seen.runs:.2f}"
            machine.run("timeout", "-s", "KILL", seconds, "sh", installer(new))
            broken += [] if machine.run("floorgate", "version").returncode == 0 else [f"{run}: {current(machine)}"]
            field.wait(5)
        listed(seen, "times that there was no version that starts", broken)
        machine.must("sh", installer(new))
        field.wait(5)
        seen.none("versions that are not the new one", int(current(machine) != release(new)))
        settle(seen, machine, field, least=100)


@row("1", "the offline bundle with a bit flipped in a wheel, and with sums that fit it", runs=1, short=0)
def offline_tampered(seen: Seen) -> None:
    plain, sealed = bundle("plain"), bundle("sealed")
    for folder in (plain, sealed):
        flip(next(folder.glob("wheels/click-*.whl")))
    seal(sealed)  # as somebody does it who knows of SHA256SUMS
    with Machine(seen.folder, "python") as machine:
        for folder, word in ((plain, "FAILED"), (sealed, "DO NOT MATCH THE HASHES")):
            done = machine.run("sh", installer(folder))
            seen.least("exit code", done.returncode, 1)
            seen.least(f"times that it says {word}", done.stdout.count(word), 1)
            seen.none("parts that are there", int(machine.has(f"{_HOME}/current")) + int(machine.has("/etc/floorgate")))


@row("1", "the offline bundle on Debian without Python, on one with another glibc, as a user", runs=1, short=0)
def offline_elsewhere(seen: Seen) -> None:
    folder = bundle("elsewhere")
    for suite, word in (("bookworm", "there is no python3 here"), ("bullseye", "has glibc 2.31")):
        with Machine(seen.folder, suite, boots=False) as machine:
            done = machine.run("sh", installer(folder))
            seen.least(f"times that {suite} is told: {word}", done.stdout.count(word), 1)
            seen.none("parts that are there", int(machine.has(_HOME)))
    with Machine(seen.folder, "python") as machine:
        machine.must("useradd", "--create-home", "walter")
        machine.must("sh", installer(folder), "--prefix", "/home/walter/floorgate", user="walter", HOME="/home/walter")
        said = machine.run("/home/walter/floorgate/current/floorgate", "version", user="walter").stdout
        seen.none("versions that are not this one", int(said.strip() != f"floorgate {release(folder)}"))
        refused = machine.run("sh", installer(folder), user="walter", HOME="/home/walter")
        seen.least("times that a user is told that a service takes root", refused.stdout.count("takes root"), 1)
