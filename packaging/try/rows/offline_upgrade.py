"""The offline bundle over a version that is at work: upgraded, gone back, killed, refused by the service, elsewhere."""

import time

from bundles import bundle, flip, release, seal
from bundles import seen as installer
from machine import SERVICE, USER, Machine
from plant import DATA, SITE, listed, plant, settle
from tests.faults.table import Seen, row
from tests.sim.mosquitto import wait_until

_HOME = "/opt/floorgate"
_AGAIN = f"{_HOME}/current/share/install.sh"
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


@row("14", "the offline bundle: the next version under load, the way back, taken away", runs=1, short=0)
def offline_upgrade(seen: Seen) -> None:
    old, new = bundle("before"), bundle("after", newer=True)
    with plant(seen.folder) as site, Machine(seen.folder, "python") as machine:
        machine.must("sh", installer(old))
        listed(seen, "what is wrong after the installation", wrong(machine, release(old)))
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        site.wait(20)
        first = machine.pid()
        machine.must("sh", installer(new))
        site.wait(20)
        listed(seen, "what is wrong after the upgrade", wrong(machine, release(new)))
        seen.none("processes that are not new", int(machine.pid() == first))
        machine.must("sh", _AGAIN, "--back")
        site.wait(20)
        seen.none("versions that are not the one before", int(current(machine) != release(old)))
        settle(seen, machine, site, least=1000)
        machine.must("sh", _AGAIN, "--uninstall")
        seen.none("parts of the program that are left", int(machine.has(_HOME)))
        gone = [path for path in (SITE, f"{DATA}/store.db") if not machine.has(path)]
        listed(seen, "parts of the site and its data that are gone", gone)


@row("14", "its installer killed at any moment of an upgrade; a version that does not start", runs=4, short=0)
def offline_killed(seen: Seen) -> None:
    """What ran goes on, or comes back by itself; the installer, called again, does its work."""
    old, new, unsound = bundle("old"), bundle("new", newer=True), bundle("unsound", newer=True)
    launcher = unsound / "floorgate.sh"
    launcher.write_text(launcher.read_text("utf-8").replace("exec ", '[ "$1" != run ] || exit 1\nexec '), "utf-8")
    seal(unsound)
    with plant(seen.folder) as site, Machine(seen.folder, "python") as machine:
        began = time.monotonic()
        machine.must("sh", installer(old))
        took = time.monotonic() - began
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        site.wait()
        done = machine.run("sh", installer(unsound))
        seen.least("exit code where it does not start", done.returncode, 1)
        seen.least("times that it says what is in use", done.stdout.count(f"{release(old)} is in use again"), 1)
        wait_until(lambda: machine.property("ActiveState") == "active", "the service", 30)
        site.wait()
        broken = [f"unsound: {current(machine)}"] if current(machine) != release(old) else []
        for run in range(seen.runs):
            seconds = f"{0.2 + took * (run + 0.5) / seen.runs:.2f}"
            machine.run("timeout", "-s", "KILL", seconds, "sh", installer(new))
            broken += [] if machine.run("floorgate", "version").returncode == 0 else [f"{run}: {current(machine)}"]
            site.wait()
        listed(seen, "times that there was no version that starts", broken)
        machine.must("sh", installer(new))
        site.wait()
        seen.none("versions that are not the new one", int(current(machine) != release(new)))
        settle(seen, machine, site, least=100)


@row("14", "a wheel changed together with the sums; another glibc; a user without rights", runs=1, short=0)
def offline_elsewhere(seen: Seen) -> None:
    folder, sealed = bundle("elsewhere"), bundle("sealed")
    flip(next(sealed.glob("wheels/click-*.whl")))
    seal(sealed)
    with Machine(seen.folder, "bullseye", boots=False) as machine:
        done = machine.run("sh", installer(folder))
        seen.least("times that Debian 11 is told of its glibc", done.stdout.count("has glibc 2.31"), 1)
        seen.none("parts that are there", int(machine.has(_HOME)))
    with Machine(seen.folder, "python", boots=False) as machine:
        done = machine.run("sh", installer(sealed))
        seen.least("times that pip names the hash", done.stdout.count("DO NOT MATCH THE HASHES"), 1)
        seen.none("parts of it", int(machine.has(f"{_HOME}/current")) + int(machine.has("/etc/floorgate")))
        machine.must("useradd", "--create-home", "walter")
        machine.must("sh", installer(folder), "--prefix", "/home/walter/floorgate", user="walter", HOME="/home/walter")
        said = machine.run("/home/walter/floorgate/current/floorgate", "version", user="walter").stdout
        seen.none("versions that are not this one", int(said.strip() != f"floorgate {release(folder)}"))
        refused = machine.run("sh", installer(folder), user="walter", HOME="/home/walter")
        seen.least("times that a user is told that a service takes root", refused.stdout.count("takes root"), 1)
