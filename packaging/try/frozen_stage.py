"""What the tries of a bundle need around it: the program as a process, a broker, a plant, another /etc."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
STORES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")
ZSTD = "28b52ffd"  # what a frame of zstd begins with (RFC 8878, 3.1.1)
PATIENCE = 30.0  # seconds
SITE = """\
gateway: {{id: gw}}
devices:
  - {{name: meter, driver: modbus, endpoint: "tcp://192.168.1.32", map: schneider-pm5000, interval: 1s}}
  - name: press
    driver: opcua
    endpoint: opc.tcp://192.168.1.31:4840
    interval: 500ms
    tags: [{{name: force, node: "nsu=urn:press;s=Force", unit: kN}}, {{name: parts, node: "ns=2;s=N", type: int64}}]
sinks:
  - {{name: up, type: mqtt, url: "mqtt://127.0.0.1:{port}", topic: "try/{{device}}", compress: zstd}}
"""
# As /etc is on another distribution: nothing but what a name look-up needs, and the certificates in one place.
ELSEWHERE = """\
set -eu
mkdir "$1/etc"
for file in hosts passwd group nsswitch.conf ld.so.cache; do [ ! -e /etc/$file ] || cp /etc/$file "$1/etc"; done
mount -t tmpfs tmpfs /etc
cp "$1"/etc/* /etc
rm -r "$1/etc"
[ ! -d /usr/lib/ssl ] || mount -t tmpfs tmpfs /usr/lib/ssl
if [ -n "$2" ]; then mkdir -p "$(dirname "$2")"; cp "$3" "$2"; fi
shift 3
exec "$@"
"""


class Wrong(Exception):
    """Something is not as it has to be."""


def hold(true: bool, otherwise: str) -> None:
    """Raises Wrong with what is to be said otherwise."""
    if not true:
        raise Wrong(otherwise)


def tried(each: Callable[[T], str], what: T) -> bool:
    """Whether it went well; a line is printed."""
    began = time.monotonic()
    try:
        state, said = "ok", each(what)
    except Wrong as error:
        state, said = "WRONG", str(error)
    print(f"{state:<6}{each.__name__:<10}{time.monotonic() - began:6.1f} s  {said}", flush=True)
    return state == "ok"


@dataclass(frozen=True)
class Program:
    """What is tried, and the folder in which it works."""

    path: Path
    folder: Path

    @property
    def is_folder(self) -> bool:
        return (self.path.parent / "_internal").is_dir()

    def run(self, *words: str | Path, ends: int = 0, seconds: float = 60, **environ: str) -> str:
        """What it prints, both streams. Raises Wrong when it does not end as it should."""
        return ended([self.path, *words], ends, seconds, clean(environ), self.folder)

    def start(self, *words: str | Path, out: int | None = None, err: int | None = None) -> "subprocess.Popen[str]":
        command = [*map(str, (self.path, *words))]
        null = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, env=clean({}), stdin=null, stdout=out, stderr=err, text=True)


def clean(extra: dict[str, str]) -> dict[str, str]:
    """The environment, without what would help a bundle that lacks something."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSL_", "LC_", "FLOORGATE"))
    }
    return {**kept, "LANG": "C.UTF-8", **extra}


def ended(command: Sequence[str | Path], ends: int, seconds: float, environ: dict[str, str], folder: Path) -> str:
    words = [*map(str, command)]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Wrong(f"{' '.join(words)} has not ended in {seconds:g} s") from error
    hold(done.returncode == ends, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@dataclass(frozen=True)
class Broker:
    """A mosquitto; with TLS, its authority's certificate is in `authority`."""

    port: int
    authority: Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def broker(folder: Path, *, tls: bool = False) -> Iterator[Broker]:
    folder.mkdir()
    port = free_port()
    lines = ["allow_anonymous true", f"listener {port} 127.0.0.1", *(["user root"] if os.geteuid() == 0 else [])]
    authority, cert, key = _certificates(folder) if tls else (folder, folder, folder)
    lines += [f"certfile {cert}", f"keyfile {key}"] if tls else []
    (folder / "conf").write_text("\n".join([*lines, ""]), "utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["mosquitto", "-c", folder / "conf"], stdout=log, stderr=log)
    try:
        until_open(port)
        yield Broker(port, authority)
    finally:
        process.kill()
        process.wait()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and what it has signed for localhost, with its key."""
    authority, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    request: list[str | Path] = [*make, "-subj", "/CN=authority", "-keyout", folder / "ca.key", "-out", authority]
    ended(request, 0, PATIENCE, dict(os.environ), folder)
    names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    signed: list[str | Path] = [*make, "-CA", authority, "-CAkey", folder / "ca.key", "-subj", "/CN=localhost", *names]
    ended([*signed, "-keyout", key, "-out", cert], 0, PATIENCE, dict(os.environ), folder)
    return authority, cert, key


def until_open(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        hold(time.monotonic() < end, f"nothing listens on port {port}")
        time.sleep(0.05)


def answer(port: int, path: str) -> int:
    """The code of an HTTP answer, 0 where there is none."""
    asked = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with suppress(OSError, HTTPException):
        asked.request("GET", path)
        return asked.getresponse().status
    return 0


@contextmanager
def simulated(program: Program, broker: Broker) -> Iterator[Path]:
    """The plant of SITE; the data directory beside it trusts its OPC UA server."""
    site = program.folder / "plant.yaml"
    site.write_text(SITE.format(port=broker.port), "utf-8")
    with program.start("simulate", "-c", site, "--json", out=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            hold(bool(select.select([process.stdout], [], [], PATIENCE)[0]), "the simulated plant said nothing")
            told = json.loads(process.stdout.readline())
            papers = sorted(program.folder.glob("plant.simulated.pki/*.der"))
            hold(bool(papers), "the simulated OPC UA server does not encrypt")
            for certificate in papers:
                program.run("pki", "trust", certificate, "--data", program.folder / "data")
            yield Path(told["site"])
            process.send_signal(signal.SIGTERM)
            hold(process.wait(PATIENCE) == 0, "the simulated plant did not end well")
        finally:
            process.kill()


def delivered(program: Program, site: Path, broker: Broker) -> tuple[int, float]:
    """How many frames of both devices came as zstd, and the seconds until the first. The agent ends well on SIGTERM."""
    listen = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "try/#", "-F", "%t %x"]
    with subprocess.Popen([*listen, "-W", f"{PATIENCE:.0f}"], stdout=subprocess.PIPE, text=True) as witness:
        assert witness.stdout is not None
        began, first, count, seen = time.monotonic(), 0.0, 0, set[str]()
        with program.start("run", "-c", site, "--data", program.folder / "data", err=subprocess.PIPE) as agent:
            try:
                for line in witness.stdout:
                    topic, _, payload = line.strip().partition(" ")
                    first = first or time.monotonic() - began
                    count += payload.lower().startswith(ZSTD)
                    seen.add(topic)
                    if len(seen) > 1:
                        break
                agent.send_signal(signal.SIGTERM)
                _, log = agent.communicate(timeout=PATIENCE)
            finally:
                agent.kill()
                witness.kill()
    hold(len(seen) == 2, f"frames came of {sorted(seen)} only; the agent said:\n{log}")
    hold(agent.returncode == 0, f"the agent ended with {agent.returncode}; it said:\n{log}")
    return count, first


def elsewhere(program: Program, authority: Path, place: str, *words: str | Path, ends: int = 0) -> None:
    """Run it where the trusted certificates are at `place` and nowhere else; empty: there are none."""
    script: list[str | Path] = ["sh", "-c", ELSEWHERE, "sh", program.folder, place, authority]
    command = ["unshare", "--mount", "--propagation", "private", *script, program.path, *words]
    ended(command, ends, PATIENCE, clean({}), program.folder)
