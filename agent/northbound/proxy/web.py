"""HTTP through a proxy, for aiohttp, which knows HTTP proxies only and says of theirs what it pleases."""

import asyncio
import socket
import time
from typing import Any

from aiohttp import ClientTimeout, TCPConnector, encode_basic_auth
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from agent.northbound.proxy.config import Proxy
from agent.northbound.proxy.tunnel import through


def connector(
    proxy: Proxy | None, *, tls: bool, timeout: float, where: str, **options: Any
) -> tuple[TCPConnector, dict[str, Any]]:
    """A connector for a session whose requests go to one place, and what each request has to say besides.

    `tls`: the place is https. A connection that a proxy refuses raises Denied or Unavailable out of the request. An
    HTTP proxy that is asked for something in clear answers itself: 407 and 403 may be its own. Other `options` are
    those of `aiohttp.TCPConnector`. `timeout` is for the proxy, in seconds.
    """
    if proxy is None:
        return TCPConnector(**options), {}
    if proxy.scheme == "http" and not tls:
        login = {"Authorization": encode_basic_auth(proxy.user, proxy.password)} if proxy.user else {}
        url = URL.build(scheme="http", host=proxy.host, port=proxy.port)
        options.pop("keepalive_timeout", None)  # says nothing then, and is refused
        made = TCPConnector(force_close=True, **options)  # tinyproxy closes after each answer, without a word
        return made, {"proxy": url, "proxy_headers": login}  # aiohttp makes Proxy-Authorization of it
    return _Tunnels(proxy, timeout, where, options), {}


class _Tunnels(TCPConnector):
    """Private names that this rests on, held by a test: `_wrap_create_connection`, `_wrap_existing_connection`."""

    def __init__(self, proxy: Proxy, timeout: float, where: str, options: dict[str, Any]) -> None:
        super().__init__(**options, resolver=_Names())
        self._way = proxy, timeout, where

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: Any, req: Any, timeout: ClientTimeout, **kwargs: Any
    ) -> Any:
        proxy, patience, where = self._way
        host, port = addr_infos[0][4][:2]
        sock = await dial(proxy, host, port, patience, where)
        return await self._wrap_existing_connection(*args, req=req, timeout=timeout, sock=sock, **kwargs)


async def dial(proxy: Proxy, host: str, port: int, timeout: float, where: str) -> socket.socket:
    """A tunnel through the proxy, for the loop. Raises Denied and Unavailable."""
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(None, through, proxy, host, port, time.monotonic() + timeout, where)
    try:
        sock = await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(_close)
        raise
    sock.setblocking(False)
    return sock


def _close(work: asyncio.Future[socket.socket]) -> None:
    if not work.cancelled() and work.exception() is None:
        work.result().close()


class _Names(AbstractResolver):
    """Leaves a name as it is, for the proxy to look up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None: ...
