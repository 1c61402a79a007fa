"""The loopback server tells nothing without its token, and says where it is only to the owner of the data directory."""

import asyncio
import http.client
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from agent.health import Health
from agent.model.errors import AgentError, StoreError
from agent.status.pull import Pull
from agent.status.routes import JSON, PARCEL, Route
from agent.status.server import FILE, Place, serve


class Clerk:
    """Answers what the store would; `error` is raised instead."""

    error: AgentError | None = None

    async def ledger(self) -> list[dict[str, Any]]:
        return [{"sink": "platform", "device": "meter", "read": 7}]

    async def since(self, at: int) -> dict[str, Any]:
        return {"since_ts": at}

    async def stats(self) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {"frames": 7}

    async def frames(self, cursor: int, *, back: bool, sink: str, device: str, aside: bool, until: int) -> bytes:
        return json.dumps([cursor, back, sink, device, aside, until]).encode()

    async def schemas(self, ids: Sequence[int]) -> bytes:
        return json.dumps(ids).encode()

    async def check(self, table: str) -> list[str]:
        if table != "meta":
            raise LookupError(table)
        return ["a fault"]

    async def put(self, parcel: bytes) -> int:
        if parcel != b"frames":
            raise ValueError("not a parcel")
        return 7

    async def retry(self, sink: str, seqs: Sequence[tuple[int, int]] | None) -> int:
        assert (sink, seqs) in (("a", None), ("a", [(1, 2)]))
        return 1

    async def forget(self, sink: str) -> int:
        return len(sink)


CLERK = Clerk()
ENDLESS = 2**63 - 1


@asynccontextmanager
async def serving(
    folder: Path, health: Health, clerk: Clerk, pull: Pull | None = None, routes: Sequence[Route] = ()
) -> AsyncIterator[dict[str, Any]]:
    task = asyncio.create_task(serve(Place("127.0.0.1:0"), folder, health, clerk, pull, more=routes))
    path = folder / FILE
    async with asyncio.timeout(5):
        while not path.exists():
            await asyncio.sleep(0.01)
    assert path.stat().st_mode & 0o777 == 0o600
    yield json.loads(path.read_text())
    task.cancel()
    await asyncio.wait([task])
    assert not path.exists()


@pytest.fixture
async def facts(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    health = Health()
    health.part("device", "meter").up()
    async with serving(tmp_path, health, CLERK) as found:
        yield found


def _fetch(facts: dict[str, Any], path: str, token: str | None, body: bytes | None) -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = PARCEL if path.endswith("import") else JSON
    connection = http.client.HTTPConnection(facts["host"], facts["port"], timeout=10)
    with closing(connection):
        connection.request("GET" if body is None else "POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers.get_content_type(), response.read()


async def fetch(
    facts: dict[str, Any], path: str, token: str | None = None, body: bytes | None = None
) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    return await asyncio.to_thread(_fetch, facts, path, token, body)


async def ask(facts: dict[str, Any], path: str, token: str | None = None, body: bytes | None = None) -> tuple[int, Any]:
    status, _, found = await fetch(facts, path, token, body)
    return status, json.loads(found) if status == 200 else json.loads(found)["error"]


async def test_it_listens_on_loopback_and_says_that_the_process_lives(facts: dict[str, Any]) -> None:
    assert facts["host"] == "127.0.0.1"
    assert await ask(facts, "/healthz") == (200, {"status": "ok"})


async def test_nothing_else_is_told_without_the_token(facts: dict[str, Any]) -> None:
    for path in ("/api/v1/ledger", "/api/v1/store/stats", "/api/v1/health", "/nowhere"):
        assert (await ask(facts, path))[0] == 401
        assert (await ask(facts, path, "wrong"))[0] == 401


async def test_with_the_token_it_gives_the_ledger_and_the_parts(facts: dict[str, Any]) -> None:
    assert await ask(facts, "/api/v1/ledger", facts["token"]) == (200, await CLERK.ledger())
    assert await ask(facts, "/api/v1/ledger?since=7", facts["token"]) == (200, {"since_ts": 7})
    assert (await ask(facts, "/api/v1/ledger?since=x", facts["token"]))[0] == 400
    assert await ask(facts, "/api/v1/store/stats", facts["token"]) == (200, {"frames": 7})
    _, parts = await ask(facts, "/api/v1/health", facts["token"])
    assert [(part["kind"], part["name"], part["state"]) for part in parts] == [
        ("device", "meter", "up"),
        ("status", "127.0.0.1:0", "up"),
    ]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("frames", [0, False, "", "", False, ENDLESS]),
        ("frames?after=7&until=9", [7, False, "", "", False, 9]),
        ("frames?before=7&sink=a%20b&aside=1&device=c", [7, True, "a b", "c", True, ENDLESS]),
        (f"frames?after=-1&until={2**70}", [0, False, "", "", False, ENDLESS]),
        ("schemas?id=1&id=2", [1, 2]),
        ("check?table=meta", ["a fault"]),
    ],
)
async def test_frames_are_asked_for_by_number(facts: dict[str, Any], query: str, asked: list[object]) -> None:
    assert await ask(facts, f"/api/v1/store/{query}", facts["token"]) == (200, asked)


@pytest.mark.parametrize("query", ["frames?after=x", "frames?until=", "schemas?id=x", "check", "check?table=frame"])
async def test_a_question_that_makes_no_sense_is_refused(facts: dict[str, Any], query: str) -> None:
    assert (await ask(facts, f"/api/v1/store/{query}", facts["token"]))[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        ("import", b"frames", 200, {"frames": 7}),
        ("import", b"junk", 400, "not a parcel"),
        ("retry", b'{"sink": "a", "seqs": null}', 200, {"frames": 1}),
        ("retry", b'{"sink": "a", "seqs": [[1, 2]]}', 200, {"frames": 1}),
        ("retry", b'{"sink": "a", "seqs": [[2, 1]]}', 400, "sink and seqs are needed"),
        ("retry", b'{"sink": "a", "seqs": [1]}', 400, "sink and seqs are needed"),
        ("retry", b'{"sink": 1, "seqs": null}', 400, "sink and seqs are needed"),
        ("forget", b'{"sink": "four"}', 200, {"frames": 4}),
        ("forget", b"[]", 400, "sink is needed"),
        ("forget", b"{", 400, "this is no JSON"),
        ("forget", b"\xff", 400, "this is no JSON"),
    ],
)
async def test_the_store_can_be_changed(
    facts: dict[str, Any], path: str, body: bytes, status: int, answer: object
) -> None:
    found = await ask(facts, f"/api/v1/store/{path}", facts["token"], body)
    assert found == (status, answer)


async def test_a_body_that_is_too_large_is_refused(facts: dict[str, Any]) -> None:
    assert (await ask(facts, "/api/v1/store/import", facts["token"], bytes(9 << 20)))[0] == 413


@pytest.mark.parametrize("path", ["import", "retry", "forget"])
async def test_nothing_is_changed_without_the_token(facts: dict[str, Any], path: str) -> None:
    assert (await ask(facts, f"/api/v1/store/{path}", None, b"frames"))[0] == 401


async def test_an_error_of_the_store_is_answered_in_words(tmp_path: Path) -> None:
    clerk = Clerk()
    clerk.error = StoreError("the disk is full", hint="free some space")
    async with serving(tmp_path, Health(), clerk) as facts:
        status, _, body = await fetch(facts, "/api/v1/store/stats", facts["token"])
    assert (status, json.loads(body)) == (
        409,
        {"kind": "StoreError", "error": "the disk is full", "hint": "free some space"},
    )


async def test_a_port_that_is_taken_is_named_and_the_command_line_is_answered_elsewhere(tmp_path: Path) -> None:
    health, file = Health(), tmp_path / "agent.json"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        part = health.part("status", f"127.0.0.1:{port}")
        task = asyncio.create_task(serve(Place(f"127.0.0.1:{port}"), tmp_path, health, CLERK))
        async with asyncio.timeout(5):
            while part.state != "down":
                await asyncio.sleep(0.01)
        assert part.error.startswith(f"cannot listen on 127.0.0.1:{port}: Address already in use (")
        assert f"(pid {os.getpid()}) has the port: end it" in part.error
        said = json.loads(file.read_text())
        assert (said["host"], said["port"] != port) == ("127.0.0.1", True)
        assert await ask(said, "/healthz") == (200, {"status": "ok"})
    task.cancel()
    await asyncio.wait([task])
    assert not file.exists()


async def test_an_address_that_is_not_ours_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"cannot listen on 192\.0\.2\.1:0: .*is this an address of this machine"):
        await serve(Place("192.0.2.1:0"), tmp_path, Health(), CLERK)


async def test_a_data_directory_that_cannot_be_written_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match=r"cannot write .*agent\.json: No such file or directory \(is the disk full"):
        await serve(Place("127.0.0.1:0"), tmp_path / "gone", Health(), CLERK)


async def test_a_place_that_takes_no_file_at_all_is_the_same_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AgentError, match=r"cannot write .*agent\.json: Not a directory"):
        await serve(Place("127.0.0.1:0"), tmp_path / "file", Health(), CLERK)


async def test_a_server_that_listens_at_last_is_up(tmp_path: Path) -> None:
    health = Health()
    part = health.part("status", "127.0.0.1:0")
    part.down(AgentError("the port is taken"))
    task = asyncio.create_task(serve(Place("127.0.0.1:0"), tmp_path, health, CLERK))
    async with asyncio.timeout(5):
        while part.state != "up":
            await asyncio.sleep(0.01)
    assert json.loads((tmp_path / "agent.json").read_text())["port"]
    task.cancel()
    await asyncio.wait([task])
