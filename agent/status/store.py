"""The store over HTTP: what `floorgate ledger` and `floorgate store` ask of a running agent."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """Who answers; raises AgentError."""

    async def ledger(self) -> list[dict[str, Any]]: ...
    async def stats(self) -> dict[str, Any]: ...


def routes(desk: Desk) -> list[web.RouteDef]:
    async def ledger(request: web.Request) -> web.Response:
        return web.json_response(await desk.ledger())

    async def stats(request: web.Request) -> web.Response:
        return web.json_response(await desk.stats())

    return [
        web.get("/api/v1/ledger", ledger),
        web.get("/api/v1/store/stats", stats),
    ]
