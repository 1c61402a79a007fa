"""Real proxies on free loopback ports: tinyproxy for HTTP CONNECT, microsocks for SOCKS5."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.sim.mosquitto import listens, wait_until
from tests.sim.ports import free_port


@contextmanager
def tinyproxy(folder: Path, *, ports: Sequence[int], login: tuple[str, str] | None = None) -> Iterator[str]:
    """Its address; it lets through to these ports only. Its log is `tinyproxy.log`."""
    port = free_port()
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 50", f'LogFile "{folder}/tinyproxy.log"']
    lines += [f"ConnectPort {allowed}" for allowed in ports]
    lines += [f"BasicAuth {login[0]} {login[1]}"] if login else []
    (folder / "tinyproxy.conf").write_text("\n".join([*lines, ""]))
    with _running(["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")], port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def microsocks(*, login: tuple[str, str] | None = None) -> Iterator[str]:
    """Its address."""
    port = free_port()
    who = ["-u", login[0], "-P", login[1]] if login else []
    with _running(["microsocks", "-i", "127.0.0.1", "-p", str(port), *who], port):
        yield f"socks5://127.0.0.1:{port}"


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: listens(port), f"{command[0]} on port {port}", 5.0)
            yield
        finally:
            process.kill()  # tinyproxy would wait for connections that nobody uses any more
