"""The processes of a bench run: a farm of devices, a broker, the agent; each ends with its `with` block."""

import mmap
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLOORGATE = Path(sys.executable).parent / "floorgate"
TICK = os.sysconf("SC_CLK_TCK")
COUNTS = struct.Struct("6Q")  # farm.c: born, hush, requests, registers, refused, broken
HUSH = 8  # offset
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
persistence false
"""


@contextmanager
def folder() -> Iterator[Path]:
    """A place on a real disk: /tmp may be memory, where a sync costs nothing. BENCH_DIR names another one."""
    with tempfile.TemporaryDirectory(prefix="floorgate-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")) as path:
        yield Path(path)


@contextmanager
def running(
    command: list[str], log: Path, deadline: float = 20.0, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end, and made to after `deadline` s."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=log.parent, env=environ)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_port(port: int, process: subprocess.Popen[bytes], deadline: float = 20.0) -> None:
    end = time.monotonic() + deadline
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r}: nothing listens on port {port}")


def stolen() -> float:
    """CPU seconds, all cores, in which this machine wanted to run and its host did not let it (proc(5), steal)."""
    return int(Path("/proc/stat").read_text("ascii").split()[8]) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


@contextmanager
def broker(place: Path) -> Iterator[int]:
    """A mosquitto of our own; gives its port."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    port = free_port()
    (place / "mosquitto.conf").write_text(BROKER.format(port=port), "utf-8")
    with running([program, "-c", str(place / "mosquitto.conf")], place / "mosquitto.log") as process:
        await_port(port, process)
        yield port


@contextmanager
def taker(place: Path) -> Iterator[int]:
    """An HTTP platform; gives its port."""
    port = free_port()
    with running([sys.executable, str(HERE / "taker.py"), str(port)], place / "taker.log") as process:
        await_port(port, process)
        yield port


class Farm:
    """Reads the page that farm.c writes."""

    def __init__(self, page: mmap.mmap, devices: int) -> None:
        self._page = page
        self.ports = struct.unpack_from(f"{devices}I", page, COUNTS.size)
        self._born = COUNTS.unpack_from(page)[0] / 1e9

    def age(self) -> float:
        return time.monotonic() - self._born

    def hush(self) -> None:
        """Begin no scan any more, and let those end that have begun."""
        struct.pack_into("Q", self._page, HUSH, 1)
        time.sleep(0.5)

    @property
    def requests(self) -> int:
        return int(COUNTS.unpack_from(self._page)[2])

    @property
    def samples(self) -> int:
        return int(COUNTS.unpack_from(self._page)[3]) // 2

    @property
    def refused(self) -> int:
        return sum(COUNTS.unpack_from(self._page)[4:6])


@contextmanager
def farm(place: Path, devices: int, tags: int) -> Iterator[Farm]:
    """`devices` Modbus TCP devices with `tags` float32 each, from address 0 on."""
    program, page, log = place / "farm", place / "farm.page", place / "farm.log"
    subprocess.run(["gcc", "-O2", "-o", program, HERE / "farm.c"], check=True)
    with running([str(program), str(page), str(devices), str(2 * tags)], log) as process:
        end = time.monotonic() + 10
        while b"ready" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the farm does not start: {log.read_text()}")
            time.sleep(0.02)
        with page.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            yield Farm(memory, devices)


class Agent:
    """A running `floorgate run`, and what it costs."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raises RuntimeError, with the last words of the log, when the agent has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the agent ended with {self._process.returncode}: {self._log.read_text()[-2000:]}")

    def cpu(self) -> float:
        """Seconds of processor time, user and system, of all its threads."""
        self.check()
        fields = Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def peak(self) -> float:
        """The most memory it had, in MB of 10^6 bytes."""
        self.check()
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6

    def memory(self) -> float:
        """The memory it has now, in MB of 10^6 bytes."""
        self.check()
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(30)


@contextmanager
def agent(
    place: Path, *options: str, program: str = str(FLOORGATE), environ: dict[str, str] | None = None
) -> Iterator[Agent]:
    """The agent with `site.yaml` of this folder."""
    log = place / "agent.log"
    command = [program, "run", "-c", str(place / "site.yaml"), "--data", str(place / "data"), *options]
    with running(command, log, environ=environ) as process:
        yield Agent(process, log)


def floorgate(*arguments: str) -> str:
    """What a command prints."""
    return subprocess.run([FLOORGATE, *arguments], check=True, capture_output=True, text=True, timeout=300).stdout


def write_site(
    place: Path, ports: tuple[int, ...], tags: int, interval: str, broker_port: int, more: str = "", sink: str = ""
) -> None:
    """One device per port, all with the same map, and one MQTT sink, with `more` options, or this `sink` instead."""
    rows = [f"  - {{name: t{i:03d}, register: holding, address: {2 * i}, type: float32}}" for i in range(tags)]
    head = ["device: {vendor: bench, model: farm}", "driver: modbus", "tags:"]
    (place / "farm.yaml").write_text("\n".join([*head, *rows, ""]), "utf-8")
    devices = [
        f"  - {{name: d{i:03d}, driver: modbus, endpoint: 'tcp://127.0.0.1:{port}', unit: 1, map: ./farm.yaml, "
        f"interval: {interval}}}"
        for i, port in enumerate(ports)
    ]
    sink = sink or f"{{name: platform, type: mqtt, url: 'mqtt://127.0.0.1:{broker_port}'{more}}}"
    site = ["gateway: {id: bench, site: [bench]}", "devices:", *devices, "sinks:", f"  - {sink}", "buffer: {keep: 7d}"]
    (place / "site.yaml").write_text("\n".join([*site, ""]), "utf-8")
