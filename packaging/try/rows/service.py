"""The service under a systemd that runs: started, watched, killed, cut off from power, one of two."""

import re
import time

from machine import SERVICE, USER, Machine
from plant import DATA, SITE, Plant, listed, plant, settle
from rows.install import installed
from tests.faults.table import Seen, row
from tests.sim.mosquitto import wait_until

_OTHER = "floorgate@two.service"


@row("4", "`systemctl start floorgate`: libmodbus, mosquitto, the sandbox", runs=1, short=0)
def service(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        installed(machine)
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", SERVICE)
        ready, first = zip(*(_start(machine, site) for _ in range(3)), strict=True)
        seen.most("s until systemd has READY=1, the quickest of 3", min(ready), 2.5)
        seen.most("s to the first message at the platform", min(first), 2.5)
        listed(seen, "parts of the sandbox that are not there", open_to(machine))
        time.sleep(5)
        machine.must("systemctl", "reload", SERVICE)
        site.wait(20)
        seen.none("restarts", int(machine.property("NRestarts")))
        settle(seen, machine, site, least=1000)
        seen.none("exit code after SIGTERM", int(machine.property("ExecMainStatus")))
        listed(seen, "warnings in the journal", warnings(machine))


def _start(machine: Machine, site: Plant) -> tuple[float, float]:
    """Seconds until systemd knows that it serves, and until the platform has a frame; other work here adds to them."""
    machine.must("systemctl", "stop", SERVICE)
    before, began = site.arrived(), time.time()
    machine.must("systemctl", "start", SERVICE)
    ready = time.time() - began
    wait_until(lambda: site.arrived() > before, "a frame at the platform")
    return ready, site.platform.arrivals[before][0] - began


def open_to(machine: Machine) -> list[str]:
    """What the service could do although its unit forbids it."""
    pid, canary = machine.pid(), "/tmp/canary"  # noqa: S108  # of a machine that is gone soon
    status = dict(line.split(":", 1) for line in machine.must("cat", f"/proc/{pid}/status").splitlines())
    expected = {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapBnd": "0" * 16}
    found = [f"{key}: {status[key].strip()}" for key, text in expected.items() if status[key].strip() != text]
    user = machine.must("id", "-u", USER).strip()
    found += [f"it runs as {status['Uid']}"] if status["Uid"].split() != 4 * [user] else []
    enter = ["nsenter", "-t", str(pid), "-m", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
    for place in ("/etc/floorgate", "/opt/floorgate", "/usr", "/root", "/home", "/var", "/srv"):
        done = machine.run(*enter, "touch", f"{place}/try")
        found += [f"it can write to {place}"] if done.returncode == 0 else []
    machine.must("touch", canary)
    found += ["it sees /tmp of others"] if machine.run(*enter, "test", "-e", canary).returncode == 0 else []
    done = machine.run(*enter, "touch", f"{DATA}/try")
    found += [f"it cannot write to {DATA}"] if done.returncode else []
    return found


def warnings(machine: Machine) -> list[str]:
    """Lines of the service, or of systemd about it, that should not be in a healthy run."""
    return machine.run(
        "journalctl", "-q", "--no-pager", "-o", "cat", "-p", "warning", "-u", SERVICE
    ).stdout.splitlines()


@row("4", "a password by `LoadCredential=`, and the journal by its fields", runs=1, short=0)
def credential(seen: Seen) -> None:
    """The broker takes nobody without a password, which only root may read on the disk."""
    path = "/etc/floorgate/credentials/mqtt-password"
    unit = f"[Service]\nLoadCredential=mqtt-password:{path}\n"
    word = "canary-4711"
    users = {"platform": "elsewhere", "gw": word}
    with plant(seen.folder, users) as site, Machine(seen.folder) as machine, machine.drop_in(unit):
        installed(machine)
        machine.must("sh", "-c", f"umask 077; echo {word} >{path}")
        machine.write(SITE, site.config)
        seen.none("exit code of the start", machine.run("systemctl", "start", SERVICE).returncode)
        site.wait()
        owner = machine.must("stat", "-c", "%U %a", path).strip()
        seen.none("passwords that others can read", owner != "root 600")
        site.modbus.shut()
        wait_until(
            lambda: "meter" in _field(machine, "FLOORGATE_DEVICE=meter"), "a word on the device that is away", 30
        )
        site.modbus.open()
        seen.least("lines of the device in the journal", len(_field(machine, "FLOORGATE_DEVICE=meter").splitlines()), 1)
        seen.none("passwords in the journal", machine.run("journalctl", "--no-pager").stdout.count(word))
        site.wait()
        settle(seen, machine, site)


def _field(machine: Machine, field: str) -> str:
    return machine.run("journalctl", "-q", "--no-pager", "-o", "cat", "-u", SERVICE, field).stdout


@row("4", "a process that hangs (SIGSTOP), `WatchdogSec=4`", runs=2, short=0)
def hangs(seen: Seen) -> None:
    quick = "[Service]\nWatchdogSec=4\nTimeoutAbortSec=2\nRestartSec=1\n"
    slowest = 0.0
    with plant(seen.folder) as site, Machine(seen.folder) as machine, machine.drop_in(quick):
        installed(machine)
        machine.write(SITE, site.config)
        machine.must("systemctl", "start", SERVICE)
        site.wait()
        fed = machine.property("WatchdogTimestampMonotonic")
        time.sleep(5)
        seen.least("times that the watchdog was fed", fed != machine.property("WatchdogTimestampMonotonic"), 1)
        seen.none("restarts before", int(machine.property("NRestarts")))
        for _ in range(seen.runs):
            machine.signal("STOP")
            time.sleep(0.5)  # what was on its way arrives
            slowest = max(slowest, site.wait())
        seen.most("s until frames arrive again, the slowest", slowest, 15)
        seen.least("restarts by the watchdog", int(machine.property("NRestarts")), seen.runs)
        seen.most("restarts", int(machine.property("NRestarts")), seen.runs)
        settle(seen, machine, site)


@row("4", "killed (SIGKILL), with the unit's own `RestartSec`", runs=2, short=0)
def killed(seen: Seen) -> None:
    slowest = 0.0
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        installed(machine)
        machine.write(SITE, site.config)
        machine.must("systemctl", "start", SERVICE)
        for _ in range(seen.runs):
            site.wait()
            machine.signal("KILL")
            time.sleep(0.5)
            slowest = max(slowest, site.wait(1))
        seen.most("s until frames arrive again, the slowest", slowest, 15)
        settle(seen, machine, site)


@row("4", "the power goes, and comes back: nobody logs in", runs=2, short=0)
def power(seen: Seen) -> None:
    slowest = 0.0
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        installed(machine)
        machine.write(SITE, site.config)
        machine.must("systemctl", "enable", "--now", SERVICE)
        for _ in range(seen.runs):
            site.wait(20)
            machine.power_off()
            time.sleep(0.5)
            began = time.monotonic()
            machine.boot()
            site.wait(1)
            slowest = max(slowest, time.monotonic() - began)
        seen.most("s from the boot to the first message, the slowest", slowest, 6)
        settle(seen, machine, site)


@row("4", "a second site beside it: `floorgate@two`", runs=1, short=0)
def two(seen: Seen) -> None:
    with plant(seen.folder) as site, Machine(seen.folder) as machine:
        installed(machine)
        machine.write(SITE, site.config)
        machine.write("/etc/floorgate/two.yaml", site.config.replace("gw-try", "gw-two"))
        machine.must("chown", "root:floorgate", "/etc/floorgate/two.yaml")
        done = machine.run("systemctl", "enable", "--now", SERVICE, _OTHER)
        print(done.stdout) if done.returncode else None
        seen.none("exit code", done.returncode)

        def gateways() -> set[str]:
            return {gateway for gateway, _, _ in site.platform.taken()}

        wait_until(lambda: gateways() == {"gw-try", "gw-two"}, "both gateways at the platform")
        seen.least("gateways at the platform", len(gateways()), 2)
        owners = machine.must("stat", "-c", "%U %a", DATA, f"{DATA}-two").splitlines()
        seen.none("data folders that others can see", sum(owner != f"{USER} 700" for owner in owners))
        machine.must("systemctl", "restart", _OTHER)
        seen.none("restarts of the first", int(machine.property("NRestarts")))
        machine.must("systemctl", "stop", _OTHER, SERVICE)
        seen.none("failed units", len(re.findall("failed", machine.must("systemctl", "--failed", "--no-legend"))))
