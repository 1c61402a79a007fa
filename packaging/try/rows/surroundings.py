"""What stands around the service is wrong: files it may not read, a site of a newer version, a port, the clock."""

import shutil
import socket
import time

from machine import SERVICE, USER, Machine
from plant import DATA, SITE, Plant, listed, plant, settle
from products import MNT, held
from rows.install import installed
from tests.faults.inject import WallClock
from tests.faults.table import Seen, row

_DAY = 86_400
_CONFIG = 78  # EX_CONFIG


def started(machine: Machine, site: Plant, config: str = "") -> None:
    installed(machine)
    machine.write(SITE, config or site.config)
    machine.must("systemctl", "start", SERVICE)
    site.wait()


def ends_with(machine: Machine, words: list[str], seconds: float = 10) -> list[str]:
    """What is not as it should be of a service that cannot start: code 78, not again and again, and a message."""
    began = machine.must("date", "+@%s").strip()
    machine.run("systemctl", "restart", SERVICE)
    time.sleep(1)
    found, until = [], time.monotonic() + seconds
    while machine.property("ActiveState") != "failed" and time.monotonic() < until:
        time.sleep(0.2)
    if machine.property("ActiveState") != "failed":
        found.append(f"the service is {machine.property('ActiveState')}: {machine.journal()[-1500:]}")
    code = machine.property("ExecMainStatus")
    found += [f"its exit code is {code}"] if code != str(_CONFIG) else []
    said = machine.run("journalctl", "-q", "-o", "cat", "-u", SERVICE, "--since", began).stdout
    return found + [f"the journal has no {word!r}: {said}" for word in words if word not in said]


def repaired(machine: Machine, site: Plant) -> None:
    machine.must("systemctl", "reset-failed", SERVICE)
    machine.must("systemctl", "start", SERVICE)
    site.wait()


@row("10", "/etc/floorgate and the site, unreadable for the service", runs=2, short=0)
def unreadable(seen: Seen) -> None:
    found = []
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        started(machine, site)
        for path, mode in (("/etc/floorgate", "750"), (SITE, "640")):
            machine.must("chown", "root:root", path)
            pid = machine.pid()
            machine.run("systemctl", "reload", SERVICE)
            site.wait()
            found += ["a reload ended the service"] if machine.pid() != pid else []
            found += ends_with(machine, [SITE])
            machine.must("chown", "root:floorgate", path)
            machine.must("chmod", mode, path)
            repaired(machine, site)
        listed(seen, "not a clear end with 78", found)
        settle(seen, machine, site)


@row("10", "a site with keys of a newer version", runs=1, short=0)
def newer_site(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        started(machine, site)
        newer = site.config.replace("{id: gw-try}", "{id: gw-try, twin: gw-2}")
        machine.write(SITE, newer)
        pid = machine.pid()
        machine.run("systemctl", "reload", SERVICE)
        site.wait()
        seen.none("services ended by a reload of it", machine.pid() != pid)
        check = machine.run("floorgate", "--lang", "en", "check", SITE, user=USER)
        seen.none("exit codes of `check` other than 78", check.returncode != _CONFIG)
        seen.least("times that it names the key and its line", check.stdout.count(f"{SITE}:1:"), 1)
        listed(seen, "not a clear end with 78", ends_with(machine, ["twin"]))
        machine.write(SITE, site.config)
        repaired(machine, site)
        settle(seen, machine, site)


@row("10", "a store of a newer version", runs=1, short=0)
def newer_store(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        started(machine, site)
        machine.must("systemctl", "stop", SERVICE)
        store = _set_version(machine, seen, 99)
        listed(seen, "not a clear end with 78", ends_with(machine, ["in format 99", "floorgate restore"]))
        seen.none("stores set aside or changed", machine.must("sha256sum", f"{DATA}/store.db").split()[0] != store)
        _set_version(machine, seen, 0)
        repaired(machine, site)
        settle(seen, machine, site)


def _set_version(machine: Machine, seen: Seen, number: int) -> str:
    """Have the store say that this version made it (0: the version it was made by); its SHA-256 then."""
    path, kept = machine.path / DATA.lstrip("/") / "store.db", seen.folder / "store.db"
    if number:
        shutil.copy2(path, kept)
        with path.open("r+b") as file:  # the user version of the header (SQLite file format, 1.3)
            file.seek(60)
            file.write(number.to_bytes(4, "big"))
    else:
        with kept.open("rb") as source, path.open("r+b") as file:
            shutil.copyfileobj(source, file)
    return machine.must("sha256sum", f"{DATA}/store.db").split()[0]


@row("10", "the port of the status server is taken", runs=1, short=0)
def port_taken(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        installed(machine)
        machine.write(SITE, f"{site.config}status: {{listen: '127.0.0.1:{port}'}}\n")
        seen.none("exit code of the start", machine.run("systemctl", "start", SERVICE).returncode)
        site.wait(10)
        seen.least("times that the journal names it", machine.journal().count(f"127.0.0.1:{port}"), 1)
        health = machine.run("floorgate", "health", "--ready", "--data", DATA, user=USER)
        seen.none("exit code of `floorgate health --ready`", health.returncode)
        settle(seen, machine, site)


@row("10", "the clock stands at 1970, and is set right 5 s later", runs=1, short=0)
def clock_of_1970(seen: Seen) -> None:
    folder = held() / "clock"
    folder.mkdir()
    clock = WallClock(folder)
    clock.set(_DAY - time.time())
    preload = "".join(
        f"Environment={key}={value.replace(str(held()), str(MNT))}\n" for key, value in clock.environ.items()
    )
    with (
        plant(seen.folder) as site,
        Machine(seen.folder) as machine,
        machine.drop_in(f"[Service]\n{preload}Environment=LANG=C.UTF-8\n"),
    ):
        started(machine, site)
        time.sleep(5)
        early = [frame["ts"] for frame in site.platform.taken().values()]
        clock.set(0)
        site.wait(30)
        seen.least("frames while it was 1970", sum(ts < 10 * _DAY * 1000 for ts in early), 10)
        seen.none("restarts", int(machine.property("NRestarts")))
        settle(seen, machine, site)


@row("10", "the data belongs to root, as after a copy by hand", runs=1, short=0)
def data_of_root(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        started(machine, site)
        machine.must("systemctl", "stop", SERVICE)
        machine.must("chown", "-R", "root:root", DATA)
        machine.must("chmod", "755", DATA)
        done = machine.run("systemctl", "start", SERVICE)
        seen.none("exit code", done.returncode)
        site.wait()
        settle(seen, machine, site)
