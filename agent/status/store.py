"""The store over HTTP: what `floorgate ledger` and `floorgate store` ask of a running agent."""

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

ENDLESS = 2**63 - 1


class Desk(Protocol):
    """Who answers; raises AgentError."""

    async def ledger(self) -> list[dict[str, Any]]: ...
    async def since(self, at: int) -> dict[str, Any]: ...
    async def stats(self) -> dict[str, Any]: ...
    async def frames(self, cursor: int, *, back: bool, sink: str, device: str, aside: bool, until: int) -> bytes: ...
    async def schemas(self, ids: Sequence[int]) -> bytes: ...

    async def check(self, table: str) -> list[str]:
        """Raises LookupError for a table that it does not know."""
        ...

    async def put(self, parcel: bytes) -> int:
        """Raises ValueError for what is no parcel."""
        ...

    async def retry(self, sink: str, seqs: Sequence[tuple[int, int]] | None) -> int: ...
    async def forget(self, sink: str) -> int: ...


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
            web.post("/api/v1/store/import", self.put),
            web.post("/api/v1/store/retry", self.retry),
            web.post("/api/v1/store/forget", self.forget),
        ]

    async def ledger(self, request: web.Request) -> web.Response:
        """All that was ever counted, or with `since=TIME` (ns UTC) what was counted since then."""
        if "since" in request.query:
            return web.json_response(await self._desk.since(_number(request, "since", 0)))
        return web.json_response(await self._desk.ledger())

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response(await self._desk.stats())

    async def frames(self, request: web.Request) -> web.Response:
        """`after=SEQ` or `before=SEQ`; `until=SEQ`, `sink=NAME`, `aside=1`, `device=NAME`."""
        query, back = request.query, "before" in request.query
        cursor, until = _number(request, "before" if back else "after", 0), _number(request, "until", ENDLESS)
        sink, device, aside = query.get("sink", ""), query.get("device", ""), "aside" in query
        found = await self._desk.frames(cursor, back=back, sink=sink, device=device, aside=aside, until=until)
        return _packed(found)

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

    async def put(self, request: web.Request) -> web.Response:
        """The body is a parcel (`buffer/parcel.py`)."""
        try:
            return web.json_response({"frames": await self._desk.put(await request.read())})
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None

    async def retry(self, request: web.Request) -> web.Response:
        """`{"sink": NAME, "seqs": [[FIRST, LAST], …]}`; `null` for all."""
        match await _fields(request):
            case {"sink": str(sink), "seqs": [*pairs]} if all(map(_is_range, pairs)):
                seqs = [(first, last) for first, last in pairs]
                return web.json_response({"frames": await self._desk.retry(sink, seqs)})
            case {"sink": str(sink), "seqs": None}:
                return web.json_response({"frames": await self._desk.retry(sink, None)})
        raise web.HTTPBadRequest(text="sink and seqs are needed")

    async def forget(self, request: web.Request) -> web.Response:
        """`{"sink": NAME}`, to be asked again until it was 0 frames."""
        match await _fields(request):
            case {"sink": str(sink)}:
                return web.json_response({"frames": await self._desk.forget(sink)})
        raise web.HTTPBadRequest(text="sink is needed")


async def _fields(request: web.Request) -> object:
    try:
        return await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="this is no JSON") from None


def _is_range(pair: object) -> bool:
    match pair:
        case [int(first), int(last)]:
            return 0 < first <= last <= ENDLESS
    return False


def _number(request: web.Request, name: str, default: int) -> int:
    try:
        number = int(request.query.get(name, default))
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name}: a number is needed") from None
    return max(0, min(number, ENDLESS))


def _packed(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/msgpack")
