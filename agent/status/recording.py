"""Recordings of the wires over HTTP: begun, looked at and ended by the owner of the data directory."""

from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json


class Recordings(Protocol):
    """Who answers. All raise AgentError."""

    def start(self, size: int, seconds: float) -> dict[str, Any]: ...
    def status(self) -> dict[str, Any]: ...
    def stop(self) -> dict[str, Any]: ...


class Reel:
    """The handlers, and what a question may hold."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/recording", OWNER, self.status),
            Route("POST", "/api/v1/recording/start", OWNER, self.start),
            Route("POST", "/api/v1/recording/stop", OWNER, self.stop),
        ]

    async def status(self, request: Request) -> Answer:
        request.takes_none()
        return as_json(self._recordings.status())

    async def start(self, request: Request) -> Answer:
        """`{"size": BYTES, "seconds": SECONDS}`"""
        match await request.fields():
            case {"size": int(size), "seconds": int(seconds) | float(seconds), **more} if not more:
                return as_json(self._recordings.start(size, seconds))
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "size in bytes and seconds are needed", '{"size": 67108864, "seconds": 600}'
        )

    async def stop(self, request: Request) -> Answer:
        """`{}`"""
        if await request.fields() != {}:
            raise Refusal(HTTPStatus.BAD_REQUEST, "an empty object is needed", "{}")
        return as_json(self._recordings.stop())
