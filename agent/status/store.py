"""The store over HTTP: what `floorgate ledger` and `floorgate store` ask of a running agent."""

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

ENDLESS = 2**63 - 1


class Desk(Protocol):
    """Who answers; raises AgentError."""

    async def ledger(self) -> list[dict[str, Any]]: ...
    async def stats(self) -> dict[str, Any]: ...
    async def frames(self, cursor: int, *, back: bool, sink: str, aside: bool, until: int) -> bytes: ...
    async def schemas(self, ids: Sequence[int]) -> bytes: ...

    async def check(self, table: str) -> list[str]:
        """Raises LookupError for a table that it does not know."""
        ...


class Pages:
    """The handlers, and what a question may hold."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/ledger", self.ledger),
            web.get("/api/v1/store/stats", self.stats),
            web.get("/api/v1/store/frames", self.frames),
            web.get("/api/v1/store/schemas", self.schemas),
            web.get("/api/v1/store/check", self.check),
        ]

    async def ledger(self, request: web.Request) -> web.Response:
        return web.json_response(await self._desk.ledger())

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response(await self._desk.stats())

    async def frames(self, request: web.Request) -> web.Response:
        """`after=SEQ` or `before=SEQ`; `until=SEQ`, `sink=NAME`, `aside=1`."""
        query, back = request.query, "before" in request.query
        cursor, until = _number(request, "before" if back else "after", 0), _number(request, "until", ENDLESS)
        sink, aside = query.get("sink", ""), "aside" in query
        return _packed(await self._desk.frames(cursor, back=back, sink=sink, aside=aside, until=until))

    async def schemas(self, request: web.Request) -> web.Response:
        """`id=NUMBER`, as often as needed."""
        try:
            ids = [int(text) for text in request.query.getall("id", [])]
        except ValueError:
            raise web.HTTPBadRequest(text="id: a number is needed") from None
        return _packed(await self._desk.schemas(ids))

    async def check(self, request: web.Request) -> web.Response:
        """`table=NAME`"""
        try:
            return web.json_response(await self._desk.check(request.query.get("table", "")))
        except LookupError:
            raise web.HTTPBadRequest(text="table: none by this name") from None


def _number(request: web.Request, name: str, default: int) -> int:
    try:
        number = int(request.query.get(name, default))
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name}: a number is needed") from None
    return max(0, min(number, ENDLESS))


def _packed(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/msgpack")
