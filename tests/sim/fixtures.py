"""Counterparts as context managers: `with libmodbus_server() as port: …`"""

import asyncio
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.sim.build import compiled
from tests.sim.ports import free_port

START = 10.0  # seconds
NODE = Path(__file__).parent / "node" / "modbus_server.js"


@contextmanager
def libmodbus_server(port: int = 0) -> Iterator[int]:
    """The C server of `modbus_server.c` in a process of its own; yields its port on 127.0.0.1."""
    with _serving(str(port)) as line:
        yield int(line.split()[1])


@contextmanager
def libmodbus_line(folder: Path, unit: int = 1) -> Iterator[Path]:
    """The same as one unit of a serial line; yields our end of it."""
    with serial_pair(folder) as (ours, theirs), _serving(str(theirs), str(unit)):
        yield ours


@contextmanager
def serial_pair(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two pseudo-terminals that socat joins: what is written into one is read from the other."""
    ends = folder / "ours", folder / "theirs"
    with subprocess.Popen(["socat", *(f"pty,raw,echo=0,link={end}" for end in ends)]) as process:
        try:
            until = time.monotonic() + START
            while not all(end.exists() for end in ends):
                assert time.monotonic() < until and process.poll() is None, "socat did not make a pair of ports"
                select.select([], [], [], 0.01)
            yield ends
        finally:
            process.kill()


async def listening(port: int) -> None:
    """Wait for it without connecting: a program that serves one connection must not get another."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    async with asyncio.timeout(5):
        while wanted not in Path("/proc/net/tcp").read_text():
            await asyncio.sleep(0.02)


@contextmanager
def modbus_serial_server() -> Iterator[int]:
    """The server of `node/modbus_server.js`; yields its port on 127.0.0.1."""
    port = free_port()
    with _ready("node", str(NODE), str(port)):
        yield port


@contextmanager
def modbus_serial_line(folder: Path, unit: int = 1) -> Iterator[Path]:
    """The same as one unit of a serial line; yields our end of it."""
    with serial_pair(folder) as (ours, theirs), _ready("node", str(NODE), str(theirs), str(unit)):
        yield ours


def _serving(*arguments: str) -> AbstractContextManager[str]:
    return _ready(str(compiled("modbus_server", "modbus")), *arguments)


@contextmanager
def _ready(*command: str) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], START)
            line = process.stdout.readline() if ready else ""
            assert line.startswith("ready "), f"{' '.join(command)} did not start: {line!r}"
            yield line
        finally:
            process.kill()
