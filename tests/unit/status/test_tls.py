"""S1, S9, S10: beyond this machine all is encrypted, with TLS 1.2 or newer, and a new certificate needs no restart."""

import asyncio
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agent.cli.ask import find
from agent.health import Health
from agent.model.errors import AgentError
from agent.status.server import FILE, Place, serve
from agent.status.tls import Certificate
from tests.unit.northbound.certificates import Authority, Pair
from tests.unit.status.test_server import CLERK

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def serving(folder: Path, pair: Pair, health: Health | None = None) -> AsyncIterator[dict[str, Any]]:
    place = Place("127.0.0.1:0", cert=str(pair.cert), key=str(pair.key))
    task = asyncio.ensure_future(serve(place, folder, health or Health(), CLERK))
    async with asyncio.timeout(5):
        while not (folder / FILE).exists():
            await asyncio.sleep(0.01)
    yield json.loads((folder / FILE).read_text())
    task.cancel()
    await asyncio.wait([task])


async def asked(facts: dict[str, Any], context: ssl.SSLContext) -> tuple[bytes, bytes]:
    """The status line, and the certificate that was shown."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            facts["host"], facts["port"], ssl=context, server_hostname="localhost"
        )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(ASK % facts["port"])
        found = await reader.read()
        writer.close()
    return found.split(b"\r\n")[0], shown


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_s9_it_answers_over_tls_on_either_loop(tmp_path: Path, authority: Authority, loop: Any) -> None:
    """Many at once: what a client says before we have looked must reach TLS."""

    async def many() -> list[bytes]:
        async with serving(tmp_path, authority.issue()) as facts:
            return [line for line, _ in await asyncio.gather(*(asked(facts, trusting(authority)) for _ in range(30)))]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(many()) == [b"HTTP/1.1 200 OK"] * 30


async def test_s9_older_versions_are_not_spoken(tmp_path: Path, authority: Authority) -> None:
    old = trusting(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(tmp_path, authority.issue()) as facts:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asked(facts, old)
        new = trusting(authority)
        new.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await asked(facts, new))[0] == b"HTTP/1.1 200 OK"


async def test_s9_one_that_speaks_no_tls_gets_nothing(tmp_path: Path, authority: Authority) -> None:
    async with serving(tmp_path, authority.issue()) as facts:
        for sent in (ASK % facts["port"], b"\x16\x03\x01\x00\x05junk!", b""):
            reader, writer = await asyncio.open_connection(facts["host"], facts["port"])
            writer.write(sent)
            writer.write_eof()
            async with asyncio.timeout(5):
                assert b"HTTP/" not in await reader.read()
            writer.close()
        assert (await asked(facts, trusting(authority)))[0] == b"HTTP/1.1 200 OK"


async def test_s10_a_new_certificate_is_shown_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    pair, new = authority.issue(), authority.issue(days=20)
    async with serving(tmp_path, pair) as facts:
        _, before = await asked(facts, trusting(authority))
        for source, goal in ((new.cert, pair.cert), (new.key, pair.key)):
            shutil.copy(source, goal)
        line, after = await asked(facts, trusting(authority))
    assert (line, before != after) == (b"HTTP/1.1 200 OK", True)


def test_s10_files_that_cannot_be_used_leave_the_old_certificate(tmp_path: Path, authority: Authority) -> None:
    pair, said = authority.issue(), list[str]()
    certificate = Certificate(pair.cert, pair.key, said.append)
    first = certificate()
    pair.cert.write_text("junk")
    assert [certificate() for _ in range(3)] == [first] * 3
    assert len(said) == 1
    assert "the old one stays" in said[0]
    pair.key.unlink()
    assert certificate() is first


@pytest.mark.parametrize("spoil", ["cert", "key"])
def test_s1_without_a_usable_certificate_nothing_is_served(tmp_path: Path, authority: Authority, spoil: str) -> None:
    pair = authority.issue()
    getattr(pair, spoil).write_text("junk")
    with pytest.raises(AgentError, match="look at"):
        Certificate(pair.cert, pair.key, print)


async def test_the_command_line_asks_over_tls_too(tmp_path: Path, authority: Authority) -> None:
    async with serving(tmp_path, authority.issue("gw.example")):

        def ledger() -> Any:
            with find(tmp_path) as agent:
                assert agent is not None
                return agent.get("/api/v1/ledger")

        assert await asyncio.to_thread(ledger) == await CLERK.ledger()


async def test_s1_it_listens_on_loopback_alone(tmp_path: Path, authority: Authority) -> None:
    async with serving(tmp_path, authority.issue()) as facts:
        rows = Path("/proc/net/tcp").read_text().splitlines()
        ours = {row.split()[1] for row in rows if row.split()[1].endswith(f":{facts['port']:04X}") and " 0A " in row}
        assert ours == {f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'):08X}:{facts['port']:04X}"}
