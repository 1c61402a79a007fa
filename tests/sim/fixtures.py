"""Counterparts as context managers: `with libmodbus_server() as port: …`"""

import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.sim.build import compiled

START = 10.0  # seconds


@contextmanager
def libmodbus_server(port: int = 0) -> Iterator[int]:
    """The C server of `modbus_server.c` in a process of its own; yields its port on 127.0.0.1."""
    program = compiled("modbus_server", "modbus")
    with subprocess.Popen([program, str(port)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], START)
            line = process.stdout.readline() if ready else ""
            assert line.startswith("ready "), f"modbus_server did not start on port {port}: {line!r}"
            yield int(line.split()[1])
        finally:
            process.kill()
