"""The border to aiohttp: connections that are kept, requests with a deadline, and answers of which little is read."""

import asyncio
import io
import ssl
from types import SimpleNamespace

import aiohttp

from agent.model.errors import Unavailable
from agent.model.text import plain
from agent.northbound import trust
from agent.northbound.http.answer import Answer
from agent.northbound.http.bodies import Body
from agent.northbound.http.config import Config
from agent.northbound.proxy import web
from agent.northbound.proxy.config import Proxy

CONNECT = 10.0  # seconds for connecting, TLS included
MOST = 1 << 20  # bytes of an answer that are read: beyond that the connection is closed
KEPT = 1024  # bytes of an answer that are kept
IDLE = 4.0  # seconds that a connection is kept: many servers close theirs after 5, and then a request is lost
_HEADER = 8190  # bytes of a header, and of the status line
_CHUNK = 1 << 16


class Client:
    """One set of connections to one platform; `close()` ends them."""

    def __init__(self, config: Config, headers: dict[str, str], way: Proxy | None, tls: ssl.SSLContext | None) -> None:
        self._url, self._where, self._timeout = config.url, config.where, config.timeout
        self._host, self._port, self._tls, self._proxy = config.host, config.port, tls, way
        self._connect = min(CONNECT, config.timeout)
        connector, self._by_proxy = web.connector(
            self._proxy,
            tls=tls is not None,
            timeout=self._connect,
            where=self._where,
            limit=0,
            keepalive_timeout=IDLE,
            ssl=True if tls is None else tls,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
            trace_configs=[_noting_what_was_kept()],
            auto_decompress=False,  # what comes is not unpacked: no bomb goes off
            trust_env=False,
            max_line_size=_HEADER,
            max_field_size=_HEADER,
        )

    async def reach(self) -> trust.Ends | None:
        """Connect once, and let the platform prove who it is: when its certificate expires. Nothing is asked of it.

        Raises Unavailable; Denied when a proxy does not let us.
        """
        try:
            async with asyncio.timeout(self._connect):
                writer = await self._dial()
        except TimeoutError:
            raise self._no_connection() from None
        except OSError as error:
            raise self._failed(error) from error
        shown = trust.shown(writer.get_extra_info("ssl_object"), self._where)
        writer.transport.abort()
        return shown

    async def _dial(self) -> asyncio.StreamWriter:
        proxy, tls = self._proxy, self._tls
        if proxy is None:
            return (await asyncio.open_connection(self._host, self._port, ssl=tls))[1]
        if proxy.scheme == "http" and tls is None:  # it is asked for each request then, and for no tunnel
            return (await asyncio.open_connection(proxy.host, proxy.port))[1]
        sock = await web.dial(proxy, self._host, self._port, self._connect, self._where)
        name = None if tls is None else self._host
        return (await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name))[1]

    async def post(self, body: Body) -> Answer:
        """The platform's answer, whatever it says. Raises Unavailable when there is none, or none that is whole."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post_again(body)
        except aiohttp.ConnectionTimeoutError:
            raise self._no_connection() from None
        except TimeoutError:
            raise Late(
                f"{self._where}: no whole answer within {self._timeout:g} s",
                hint="is the platform overloaded, or the line slower than `timeout` allows?",
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._failed(error) from error

    async def close(self) -> None:
        await self._session.close()

    async def _post_again(self, body: Body) -> Answer:
        """Once more where a connection that was kept turns out to be closed (RFC 9112 §9.3.1); the key tells them."""
        kept: list[bool] = []
        try:
            return await self._post(body, kept)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not kept:
                raise
            return await self._post(body, [])

    async def _post(self, body: Body, kept: list[bool]) -> Answer:
        data = io.BytesIO(body.data)  # goes in pieces, so that the loop is not held up
        async with self._session.post(
            self._url,
            data=data,
            headers={"Idempotency-Key": body.key},
            allow_redirects=False,
            trace_request_ctx=kept,
            **self._by_proxy,
        ) as response:
            told = response.headers
            answer = Answer(
                status=response.status,
                reason=response.reason or "",
                body=await _beginning(response),
                retry_after=told.get("Retry-After", ""),
                date=told.get("Date", ""),
                location=told.get("Location", ""),
            )
            whole = data.tell() == len(body.data)
            if not answer.delivered or not whole:
                response.close()  # it may not have read all that we send
            if answer.delivered and not whole:
                what = f"{self._where}: {answer.status} came before all of the request had gone"
                raise Unavailable(what, hint="does something else than the platform answer there?")
            return answer

    def _no_connection(self) -> Unavailable:
        return Unavailable(f"{self._where}: no connection within {self._connect:g} s")

    def _failed(self, error: Exception) -> Unavailable:
        text = _text(error)
        hint = _hint(text)
        if not hint and self._tls is not None and isinstance(error, aiohttp.ServerDisconnectedError):
            hint = "does it want a client certificate (`cert`, `key`), or another one?"
        return Unavailable(f"{self._where}: {plain(' '.join(text.split())[:300])}", hint=hint)


class Late(Unavailable):
    """There was no answer in time."""


def _noting_what_was_kept() -> aiohttp.TraceConfig:
    """Puts something into the list of a request that goes over a connection that others went over before."""

    async def note(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.append(True)

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(note)
    return trace


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of the body. The rest is read as well, so that the connection serves again, up to a limit."""
    kept, seen = b"", 0
    while chunk := await response.content.read(_CHUNK):
        seen += len(chunk)
        if len(kept) < KEPT:
            kept += chunk[: KEPT - len(kept)]
        if seen > MOST:
            response.close()
            break
    return kept


def _text(error: Exception) -> str:
    """What happened, without the url: it may hold a secret."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"what came is not HTTP as it should be: {error.message}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError) or not isinstance(error, aiohttp.ClientError):
        return str(getattr(error, "os_error", error)) or type(error).__name__
    why = getattr(error, "strerror", None) or ""
    return "the connection was lost" + (f": {why}" if why and "://" not in why else "")


def _hint(text: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "is `ca` the authority of this platform, does `url` use the name in its certificate, is our clock right?"
    if "SSL" in text or "ssl" in text:
        return "does this port speak TLS, and does it want a client certificate (`cert`, `key`)?"
    if "refused" in text or "Connect call failed" in text:
        return "is the platform running, and is this its port?"
    return ""
