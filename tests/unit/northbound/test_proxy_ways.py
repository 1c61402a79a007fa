"""Sinks behind real proxies: MQTT over TCP, TLS and WebSocket, HTTP with aiohttp; and behind proxies that misbehave."""

import asyncio
import inspect
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agent.model.errors import Denied, Unavailable
from agent.model.text import Referenced
from agent.northbound.proxy.config import Proxy
from agent.northbound.proxy.tunnel import straight, through
from agent.northbound.proxy.web import connector
from tests.sim.mosquitto import Mosquitto
from tests.sim.ports import free_port
from tests.sim.proxies import microsocks, tinyproxy
from tests.unit.northbound.certificates import Authority
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened

LOGIN = ("gw", "s3cret")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def told(url: str, login: tuple[str, str] | None = LOGIN) -> dict[str, Any]:
    return {"proxy": url} | ({"proxy_user": login[0], "proxy_password": Referenced(login[1])} if login else {})


def split(url: str, login: tuple[str, str] = ("", "")) -> Proxy:
    scheme, _, place = url.partition("://")
    return Proxy("http" if scheme == "http" else "socks5", place.split(":")[0], int(place.split(":")[1]), *login)


async def works(broker: Mosquitto, **options: Any) -> None:
    async with opened(mqtt(broker, **options)) as sink:
        await asyncio.gather(*(sink.send(entries(100, first=first)) for first in range(1, 500, 100)))


@pytest.mark.parametrize("login", [None, LOGIN])
async def test_mqtt_goes_through_an_http_proxy(
    tmp_path: Path, broker: Mosquitto, login: tuple[str, str] | None
) -> None:
    with tinyproxy(tmp_path, ports=[broker.port], login=login) as url:
        await works(broker, **told(url, login))
    assert f"CONNECT 127.0.0.1:{broker.port}" in (tmp_path / "tinyproxy.log").read_text()


@pytest.mark.parametrize("login", [None, LOGIN])
async def test_mqtt_goes_through_a_socks5_proxy(broker: Mosquitto, login: tuple[str, str] | None) -> None:
    with microsocks(login=login) as url:
        await works(broker, **told(url, login))


@pytest.mark.parametrize("websockets", [False, True])
async def test_tls_and_websocket_go_through_a_proxy_and_prove_who_is_there(tmp_path: Path, websockets: bool) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    with Mosquitto(tmp_path, websockets=websockets, tls={"certfile": pair.cert, "keyfile": pair.key}) as broker:
        with microsocks(login=LOGIN) as url:
            await works(broker, ca=str(authority.ca), **told(url))
            with pytest.raises(Unavailable, match="certificate verify failed"):
                await mqtt(broker, **told(url)).open()
        with tinyproxy(tmp_path, ports=[broker.ws_port or broker.port], login=LOGIN) as url:
            await works(broker, ca=str(authority.ca), **told(url))


async def test_a_wrong_password_and_a_closed_door_need_a_person(tmp_path: Path, broker: Mosquitto) -> None:
    with microsocks(login=LOGIN) as socks, tinyproxy(tmp_path, ports=[1], login=LOGIN) as http:
        for url in (socks, http):
            with pytest.raises(Denied, match="check `proxy_user` and `proxy_password`") as error:
                await mqtt(broker, **told(url, ("gw", "wr0ng"))).open()
            assert "wr0ng" not in str(error.value)
        with pytest.raises(Denied, match=f"HTTP 403 .*allow CONNECT to port {broker.port}"):
            await mqtt(broker, **told(http)).open()
    await no_tasks_left()


async def test_a_broker_that_the_proxy_does_not_reach_is_tried_again(tmp_path: Path, broker: Mosquitto) -> None:
    nowhere = free_port()
    with microsocks() as socks, tinyproxy(tmp_path, ports=[nowhere]) as http:
        for url in (socks, http):
            with pytest.raises(Unavailable, match=rf"mqtt 127.0.0.1:{nowhere} through the proxy 127.0.0.1:\d+: "):
                await mqtt(broker, url=f"mqtt://127.0.0.1:{nowhere}", **told(url, None)).open()
    with pytest.raises(Unavailable, match="is the proxy there"):
        await mqtt(broker, **told(f"http://127.0.0.1:{nowhere}", None)).open()


@asynccontextmanager
async def fake(serve: Serve) -> AsyncIterator[str]:
    writers = []

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
        await asyncio.sleep(0.02)


async def test_the_name_of_a_broker_is_looked_up_by_the_proxy(broker: Mosquitto) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"CONNECT broker.invalid:1883 ")
        back, there = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"via: x\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while piece := await source.read(65536):
                sink.write(piece)
            sink.close()

        await asyncio.gather(pump(reader, there), pump(back, writer))

    async with fake(serve) as url:
        await works(broker, url="mqtt://broker.invalid", **told(url, None))


async def test_a_proxy_that_is_slow_or_silent_does_not_hold_us_longer_than_timeout(broker: Mosquitto) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for serve in (drip, mute):
        async with fake(serve) as url:
            with pytest.raises(Unavailable, match="no answer in time"):
                await asyncio.to_thread(through, split(url), "b", 1, time.monotonic() + 0.3, "here")
            async with asyncio.timeout(2):
                with pytest.raises(Unavailable):
                    await mqtt(broker, timeout="300ms", **told(url, None)).open()


async def test_a_proxy_that_hangs_up_is_named(broker: Mosquitto) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with fake(serve) as url:
        for way in (url, url.replace("http", "socks5")):
            with pytest.raises(Unavailable, match=r"closed the connection instead of answering|reset by peer"):
                await mqtt(broker, **told(way, None)).open()


async def test_a_dead_address_of_a_name_leaves_time_for_the_next(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port whose queue is full stands for an address into the void: nobody answers the SYN."""
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(3)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(full.getsockname())
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
        for address in (full.getsockname(), ("127.0.0.1", broker.port))
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found)
    with await asyncio.to_thread(straight, "two.example", 1, time.monotonic() + 0.6) as sock:
        assert sock.getpeername() == ("127.0.0.1", broker.port)
    for each in (*waiting, full):
        each.close()


@asynccontextmanager
async def site(tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.path} for {request.host}: {await request.text()}")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{port}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("kind", ["none", "http", "socks5"])
async def test_http_goes_through_any_proxy(tmp_path: Path, kind: str, secure: bool) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    ours = ssl.create_default_context(cafile=str(authority.ca))
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(pair.cert, pair.key)
    async with site(theirs if secure else None) as url:
        port = int(url.rsplit(":", 1)[1])
        with microsocks(login=LOGIN) as socks, tinyproxy(tmp_path, ports=[port], login=LOGIN) as http:
            way = {"none": None, "http": split(http, LOGIN), "socks5": split(socks, LOGIN)}[kind]
            made, more = connector(way, tls=secure, timeout=2.0, where="http here", ssl=ours)
            async with aiohttp.ClientSession(connector=made) as session:
                for _ in range(3):
                    async with session.post(f"{url}/x", data=b"hello", **more) as response:
                        assert await response.text() == f"POST /x for localhost:{port}: hello"
    assert ((tmp_path / "tinyproxy.log").read_text().count("Request") > 0) == (kind == "http")


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_http_that_a_proxy_refuses_says_why(tmp_path: Path, kind: str) -> None:
    with microsocks(login=LOGIN) as socks, tinyproxy(tmp_path, ports=[1], login=LOGIN) as http:
        way = split({"http": http, "socks5": socks}[kind], ("gw", "wr0ng"))
        made, more = connector(way, tls=True, timeout=2.0, where="http here")
        async with aiohttp.ClientSession(connector=made) as session:
            with pytest.raises(Denied, match=r"http here through the proxy .*check `proxy_user`"):
                await session.post("https://platform.invalid/", **more)


async def test_http_that_gives_up_while_a_proxy_thinks_leaves_nothing_open() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        assert await reader.read() == b"", "closed without a byte"

    async with fake(serve) as url:
        made, more = connector(split(url), tls=True, timeout=2.0, where="http here")
        async with aiohttp.ClientSession(connector=made) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await session.post("https://platform.invalid/", **more)
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("method", ["_wrap_create_connection", "_wrap_existing_connection"])
def test_aiohttp_still_has_what_we_override_or_call(method: str) -> None:
    parameters = inspect.signature(getattr(aiohttp.TCPConnector, method)).parameters
    assert {"self", "args", "req", "timeout", "client_error", "kwargs"} <= set(parameters)
