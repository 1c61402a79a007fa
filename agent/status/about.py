"""What the agent is and what it has said, over HTTP, for the owner: its inventory, and the last lines of its log."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json

MOST = 2000  # lines


class Teller(Protocol):
    """Who knows."""

    async def inventory(self) -> dict[str, Any]:
        """As `agent.runtime.inventory`."""
        ...

    def log(self, count: int) -> Sequence[str]:
        """The last lines, the oldest of them first."""
        ...


class About:
    """The handlers, and what a question may hold."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/inventory", OWNER, self.inventory),
            Route("GET", "/api/v1/log/lines", OWNER, self.lines),
        ]

    async def inventory(self, request: Request) -> Answer:
        request.takes_none()
        return as_json(await self._teller.inventory())

    async def lines(self, request: Request) -> Answer:
        """`limit=N`"""
        text = request.get("limit", str(MOST))
        if set(request.query) - {"limit"} or not (text.isascii() and text.isdecimal() and len(text) < 6):
            raise Refusal(HTTPStatus.BAD_REQUEST, "limit: a number is needed", f"from 1 to {MOST}")
        return as_json({"lines": list(self._teller.log(min(int(text), MOST)))})
