"""What the Dockerfile says, done by hand: no engine is needed, and none was used."""

import json
import re

from bundles import bundle, release
from machine import Machine
from plant import DATA, SITE, Plant, plant
from products import held, inside, one
from roots import ROOT
from tests.faults.plant import of, unbalanced
from tests.faults.table import Seen, row
from tests.sim.mosquitto import wait_until

_TEXT = (ROOT / "packaging/docker/Dockerfile").read_text("utf-8").replace("\\\n", "")
_SANDBOX = """\
set -eu
mount --make-rprivate /
mount -t tmpfs -o size=16m,mode=1777 tmp /tmp
mount --bind {data} {data}
mount -o remount,bind,ro /
exec setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""
_ENTER = ("unshare", "--mount", "sh", "/mnt/container.sh")


def steps() -> list[str]:
    """The RUN lines of both stages."""
    return re.findall(r"^RUN (.*)$", _TEXT, re.MULTILINE)


def words(instruction: str) -> list[str]:
    """Of an instruction that is a list."""
    return [str(word) for word in json.loads(re.findall(rf"^{instruction} (\[.*\])$", _TEXT, re.MULTILINE)[-1])]


@row("1", "the steps of the Dockerfile, then its command with a read-only root and no rights", runs=1, short=0)
def container(seen: Seen) -> None:
    """One root serves both stages. What an engine would add (layers, its own sandbox) is not looked at."""
    program, check = words("ENTRYPOINT"), words("HEALTHCHECK.*CMD")
    with plant(seen.folder) as site, Machine(seen.folder, "python", boots=False) as machine:
        machine.must("cp", inside(one("floorgate-*-offline-*.tar.gz")), "/tmp")  # noqa: S108  # of the image
        for line in steps():
            machine.must("sh", "-euc", line, VERSION=release(bundle("image")), timeout=300)
        machine.write(SITE, site.config)
        user = re.findall(r"^USER (\d+):\1$", _TEXT, re.MULTILINE)[-1]
        (held() / "container.sh").write_text(_SANDBOX.format(data=DATA, user=user), "utf-8")
        main = machine.start(*_ENTER, *program, *words("CMD"))
        try:
            _tried(seen, machine, site, check)
            facts = json.loads((machine.path / f"{DATA[1:]}/agent.json").read_text("utf-8"))
            machine.must("sh", "-c", f"kill -TERM {facts['pid']}")
            seen.none("exit code after SIGTERM", main.wait(60))
        finally:
            main.kill()
        accounts = json.loads(machine.must(*_ENTER, *program, "ledger", "--json", "--data", DATA))
        seen.least("samples delivered", of(accounts, "platform", "delivered"), 100)
        seen.none("accounts that do not balance", unbalanced(accounts))
        seen.least("exit code of its health check when nothing runs", machine.run(*_ENTER, *check).returncode, 1)


def _tried(seen: Seen, machine: Machine, site: Plant, check: list[str]) -> None:
    site.wait(20)
    wait_until(lambda: machine.run(*_ENTER, *check, "--ready").returncode == 0, "its readiness", 20)
    seen.none("exit code of its health check", machine.run(*_ENTER, *check).returncode)
    tried = machine.run(
        *_ENTER, "sh", "-c", "for d in / /etc /opt/floorgate /usr; do touch $d/try && echo can: $d; done"
    )
    seen.none("places that it can write to", tried.stdout.count("can: "))
