"""OPC UA servers in processes of their own, as context managers: asyncua's, and an independent one on node-opcua."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

HERE = Path(__file__).parent
NAMESPACE = "urn:floorgate:plant"
PRESS = "urn:floorgate:press"
MACHINE = "urn:floorgate:machine"


class Counted(NamedTuple):
    """What a server has: `nodes` are those that its items watch, `made` the sessions since its start."""

    sessions: int
    subscriptions: int
    items: int
    nodes: int
    made: int


@dataclass(slots=True)
class OpcuaServer:
    """A running server. `set` changes a node of the asyncua one; `freeze` stops it without closing its sockets."""

    process: "subprocess.Popen[bytes]"
    port: int = 0
    path: str = ""
    _text: bytes = field(default=b"", repr=False)

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}{self.path}"

    def set(self, node: str, value: object, **how: object) -> None:
        """A new value, with `status=` (a code), `stamp=` (seconds), `type=` (a variant type's name) if wanted."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"node": node, "value": value, **how}).encode() + b"\n")
        self.process.stdin.flush()
        self.line("ok", 10)

    def count(self) -> "Counted":
        """What it has (the one on node-opcua)."""
        _, *numbers = self._ask("count").split()
        return Counted(*map(int, numbers))

    def channels(self) -> int:
        """How many secure channels are open (the one on node-opcua)."""
        return int(self._ask("channels").split()[1])

    def lose(self, items: int) -> None:
        """Let it forget so many monitored items without a word (the one on node-opcua)."""
        assert self._ask(f"lose {items}", "lost") == f"lost {items}"

    def trust(self, certificate: Path) -> None:
        """What its administrator does: it takes the client with this certificate (DER) from now on (node-opcua)."""
        self._ask(f"trust {certificate}", "trusted")

    def _ask(self, line: str, answer: str = "") -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.line(answer or line, 10)

    def writes(self) -> int:
        """How many values clients have sent it to be written (the one of `opcua_plant.js`)."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"writes\n")
        self.process.stdin.flush()
        return int(self.line("writes", 10).split()[1])

    def tell(self, **order: object) -> None:
        """Any other order that the server knows."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        self.line("ok", 10)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, without a goodbye to anybody."""
        self.process.kill()
        self.process.wait(10)

    def line(self, start: str, seconds: float) -> str:
        """The next line of its output that starts like this."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while True:
            line, found, rest = self._text.partition(b"\n")
            if found:
                self._text = rest
                if line.startswith(start.encode()):
                    return line.decode().strip()
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError(f"no {start!r} from process {self.process.pid} in {seconds:g} s")
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                raise EOFError(f"process {self.process.pid} ended with {self.process.wait(10)}")
            self._text += piece


@contextlib.contextmanager
def asyncua_server(
    *, port: int = 0, values: int = 10, interval: float = 0.0, fillers: int = 0
) -> Iterator[OpcuaServer]:
    """The server of `opcua_server.py`; its nodes lie in the namespace `NAMESPACE`."""
    options = {"--port": port, "--values": values, "--interval": interval, "--fillers": fillers}
    command = [sys.executable, str(HERE / "opcua_server.py"), *_flags(options)]
    with _running(command, "/floorgate") as server:
        yield server


@contextlib.contextmanager
def node_opcua_server(
    *,
    port: int = 0,
    tags: int = 50,
    interval: int = 200,
    max_read: int = 20,
    max_monitored: int = 10,
    small: bool = False,
    home: Path | None = None,
    environ: Mapping[str, str] | None = None,
    **options: object,
) -> Iterator[OpcuaServer]:
    """The server of `node/opcua_server.js`; Value0 … lie in `PRESS` and grow by one each `interval` ms.

    Other options are those of the program. With `small` it has few of the standard nodes, starts in half the time,
    and is good for polling. What it keeps lies in `home`, or in a folder that goes with it; `environ` is added to its
    environment.
    """
    node = shutil.which("node")
    if node is None or not (HERE / "node" / "node_modules").is_dir():
        raise FileNotFoundError("node, or tests/sim/node/node_modules: run `make test`, which installs them")
    with tempfile.TemporaryDirectory(prefix="node-opcua-") as folder:
        _keys(Path(home or folder))
        given = {
            "--port": port,
            "--tags": tags,
            "--interval": interval,
            "--max-read": max_read,
            "--max-monitored": max_monitored,
            "--home": home or folder,
            "--small": small,
            **{f"--{name.replace('_', '-')}": value for name, value in options.items()},
        }
        with _running([node, str(HERE / "node" / "opcua_server.js"), *_flags(given)], "", environ) as server:
            yield server


@contextlib.contextmanager
def machine_server(*, port: int = 0, max_browse: int = 5, children: int = 300) -> Iterator[OpcuaServer]:
    """The server of `node/opcua_plant.js`: all that can be browsed, written, called and told by events."""
    node = shutil.which("node")
    if node is None or not (HERE / "node" / "node_modules").is_dir():
        raise FileNotFoundError("node, or tests/sim/node/node_modules: run `make test`, which installs them")
    with tempfile.TemporaryDirectory(prefix="node-opcua-") as home:
        _keys(Path(home))
        options = {"--port": port, "--max-browse": max_browse, "--children": children, "--home": home}
        with _running([node, str(HERE / "node" / "opcua_plant.js"), *_flags(options)], "") as server:
            yield server


@contextlib.contextmanager
def instance_server(cases: Sequence[Path]) -> Iterator[OpcuaServer]:
    """The server of `opcua_instance.py`, with an instance for each of these files."""
    with _running([sys.executable, str(HERE / "opcua_instance.py"), *map(str, cases)], "/floorgate") as server:
        yield server


def _keys(home: Path) -> None:
    """The keys that a node-opcua server makes for each of its stores otherwise, which takes a fifth of its start."""
    for store in ("pki", "users"):
        path = home / store / "own" / "private" / "private_key.pem"
        if not path.exists():
            path.parent.mkdir(parents=True)
            path.write_bytes(_key())


@cache
def _key() -> bytes:
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return rsa.generate_private_key(65537, 2048).private_bytes(*pem)


def _flags(options: Mapping[str, object]) -> list[str]:
    """`True` is an option that takes no value, `False` one that is not there."""
    given = {name: value for name, value in options.items() if value is not False}
    return [text for name, value in given.items() for text in ((name,) if value is True else (name, str(value)))]


@contextlib.contextmanager
def _running(command: Sequence[str], path: str, environ: Mapping[str, str] | None = None) -> Iterator[OpcuaServer]:
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **(environ or {})}, **pipes) as process:
        server = OpcuaServer(process, path=path)
        try:
            server.port = int(server.line("ready", 60).split()[1])
            yield server
        finally:
            process.kill()
            process.wait(10)
