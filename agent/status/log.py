"""How much the agent logs, over HTTP: looked at and changed for a while by the owner of the data directory."""

from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json

LEVELS = ("debug", "info", "warning", "error")
LONGEST = 7 * 86400.0  # seconds for which one is asked for


class Level(Protocol):
    """Who answers. `ask` raises AgentError."""

    def ask(self, level: str, seconds: float) -> dict[str, Any]: ...
    def file(self) -> dict[str, Any]: ...
    def status(self) -> dict[str, Any]: ...


class Volume:
    """The handlers, and what a question may hold."""

    def __init__(self, level: Level) -> None:
        self._level = level

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/log", OWNER, self.status),
            Route("POST", "/api/v1/log", OWNER, self.change),
        ]

    async def status(self, request: Request) -> Answer:
        request.takes_none()
        return as_json(self._level.status())

    async def change(self, request: Request) -> Answer:
        """`{"level": LEVEL, "seconds": SECONDS}`, or `{}` for what the file says"""
        match await request.fields():
            case {"level": str(level), "seconds": int(seconds) | float(seconds), **more} if not more:
                return as_json(self._level.ask(level, seconds))
            case {**more} if not more:
                return as_json(self._level.file())
        raise Refusal(HTTPStatus.BAD_REQUEST, "a level and seconds are needed", '{"level": "debug", "seconds": 600}')
