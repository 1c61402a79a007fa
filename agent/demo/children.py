"""The demo's own processes: how they are started, and that none of them outlives it."""

import asyncio
import os
import random
import socket
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, STDOUT

from agent.model import host
from agent.model.errors import AgentError

PATIENCE = 3.0  # seconds between asking a process to end and ending it
LOOK = 0.05  # seconds between two looks
STARTUP = 20.0  # seconds until a server must answer
_QUIET_PORTS = range(20_000, 32_000)  # below the ports that Linux gives to outgoing connections


def floorgate() -> list[str]:
    """The command line of this program: the frozen executable, or the package in this interpreter."""
    return [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "agent"]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, and that no outgoing connection will take by chance."""
    found: list[int] = []
    for port in random.sample(_QUIET_PORTS, len(_QUIET_PORTS)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise AgentError("no free port on 127.0.0.1", hint="stop some programs and try again")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def end_with_parent(parent: int) -> None:
    """In a child: be killed when the process `parent` ends, however it ends (Linux)."""
    if host.end_with_parent() and os.getppid() != parent:
        sys.exit(f"the demo ({parent}) is gone")


class Child:
    """One process of the demo: `floorgate demo --part NAME`. What it prints goes to NAME.log in `folder`."""

    def __init__(self, name: str, folder: Path, *, port: int = 0) -> None:
        self.name = name
        self.port = port
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; with a port, return when something answers there. Raises AgentError."""
        arguments = ["demo", "--part", self.name, "--parent", str(os.getpid()), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *floorgate(),
                *arguments,
                cwd=self._folder,
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its children
            )
        if self.port:
            await self._answers()

    async def _answers(self) -> None:
        deadline = time.monotonic() + STARTUP
        while not await _listens(self.port):
            if not self.alive:
                raise self.failure("has ended")
            if time.monotonic() > deadline:
                raise self.failure(f"does not answer on port {self.port}")
            await asyncio.sleep(LOOK)

    async def wait(self, seconds: float | None) -> int | None:
        """Its exit code, or None when it has not ended in time."""
        assert self._process is not None
        try:
            async with asyncio.timeout(seconds):
                return await self._process.wait()
        except TimeoutError:
            return None

    def ask_to_end(self) -> None:
        if self.alive:
            assert self._process is not None
            self._process.terminate()

    async def kill(self) -> None:
        """As a power cut would: no last word."""
        if self._process is not None and self.alive:
            host.kill_group(self._process.pid)
            await self.wait(PATIENCE)

    async def end(self, patience: float = PATIENCE) -> None:
        """Ask, wait that many seconds, insist. Twice is fine."""
        self.ask_to_end()
        if self.alive and await self.wait(patience) is None:
            await self.kill()

    def failure(self, what: str) -> AgentError:
        """An error that says what happened to this part, and what it said itself."""
        words = self.last_words()
        return AgentError(f"the {self.name} {what}" + (f"; it said:\n{words}" if words else ""))

    def last_words(self, lines: int = 5) -> str:
        """The end of what it printed."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
