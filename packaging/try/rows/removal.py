"""The package goes: what stays, what does not, and what is there when it comes again."""

from machine import SERVICE, USER, Machine
from plant import DATA, SITE, listed, plant, settle
from products import deb, inside
from rows.install import installed
from rows.upgrade import in_use
from tests.faults.table import Seen, row

# What an installation leaves after a purge: the user (Debian does not take users away), and what dpkg and systemd note.
_LEFT_BY_OTHERS = (
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/var/lib/dpkg/",
    "/var/log/",
    "/var/cache/",
    "/var/lib/systemd/",
    "/var/tmp/systemd-private-",  # noqa: S108
)


def left_over(machine: Machine, before: set[str]) -> list[str]:
    """What is on its disk and was not before, but for what others keep there."""
    now = set(machine.must("find", "/", "-xdev").splitlines())
    return [path for path in sorted(now - before) if not path.startswith(_LEFT_BY_OTHERS)]


@row("11", "removed with data that is not yet delivered, installed again", runs=1, short=0)
def remove(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        in_use(machine, site)
        site.broker.stop()
        machine.must("sleep", "3")
        done = machine.run("dpkg", "--remove", "floorgate")
        seen.none("exit code of `dpkg --remove`", done.returncode)
        seen.none("processes of it", len(machine.must("find", "/proc", "-maxdepth", "1", "-user", USER).split()))
        gone = ("/opt/floorgate", "/usr/bin/floorgate", "/usr/lib/systemd/system/floorgate.service")
        listed(seen, "parts of the program that stay", [path for path in gone if machine.has(path)])
        kept = (SITE, f"{DATA}/store.db")
        listed(seen, "parts of the site and its data that are gone", [path for path in kept if not machine.has(path)])
        listed(seen, "links to units that are gone", machine.must("find", "/etc/systemd", "-xtype", "l").splitlines())
        site.broker.start()
        site.platform.wait_for_session()
        installed(machine)
        seen.none("sites that were replaced", machine.must("cat", SITE) != site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        site.wait(20)
        settle(seen, machine, site, least=500)


@row("11", "purged, from at work and after a removal", runs=2, short=0)
def purge(seen: Seen) -> None:
    left = []
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        before = set(left_over(machine, set()))
        for steps in (["--purge"], ["--remove", "--purge"]):
            in_use(machine, site)
            for step in steps:
                done = machine.run("dpkg", step, "floorgate")
                seen.none(f"exit code of `dpkg {step}`", done.returncode)
            left += left_over(machine, before)
        seen.none("processes of it", len(machine.must("find", "/proc", "-maxdepth", "1", "-user", USER).split()))
        listed(seen, "files left", left)
        seen.none("exit code of dpkg, once more", machine.run("dpkg", "-i", inside(deb())).returncode)
