"""The data directory: one that cannot be used, and one that an agent left behind when it was killed."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.model.clock import SYSTEM
from agent.status.server import FILE
from buffer.store import Store

SITE = "gateway: {id: gw}\ndevices:\n  - {name: s, driver: sim, tags: [{name: a}]}\n"


@contextmanager
def stranger(answer: bytes) -> Iterator[int]:
    """Whoever got the port after the agent was gone; it gives everybody this answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What is on disk after `kill -9`."""
    Store.open(tmp_path / "store.db", clock=SYSTEM, boot="b", keep=60.0, max_size=1 << 20, reserve=0).close()
    return tmp_path


def ledger(data: Path) -> Result:
    return CliRunner().invoke(main, ["ledger", "--data", str(data), "--json"])


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "site.yaml").write_text(SITE)
    arguments = ["run", "-c", str(tmp_path / "site.yaml"), "--data", str(tmp_path / "file" / "data")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert f"data directory {tmp_path / 'file' / 'data'}: Not a directory (name another one with --data)" in (
        result.output
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"\xde\xad\xbe\xef",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<htm>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_a_stranger_on_the_port_of_a_killed_agent_is_not_asked_twice(left: Path, answer: bytes) -> None:
    """The ledger is read from the file then."""
    with stranger(answer) as port:
        (left / FILE).write_text(json.dumps({"host": "127.0.0.1", "port": port, "token": "t"}))
        result = ledger(left)
    assert (result.exit_code, result.output) == (0, "[]\n")


@pytest.mark.parametrize(
    "facts",
    [b"", b"[]", b"null", b"\xff\xfe", b'{"host": 1, "port": "x", "token": 2}', b'{"host": "127.0.0.1", "port": 1}'],
)
def test_a_damaged_agent_json_does_not_hide_the_ledger(left: Path, facts: bytes) -> None:
    (left / FILE).write_bytes(facts)
    result = ledger(left)
    assert (result.exit_code, result.output) == (0, "[]\n")
