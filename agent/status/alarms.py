"""Alarms over HTTP: how they stand, and those that are shelved for a while."""

from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json

LONGEST = 7 * 24 * 3600  # seconds for which an alarm is shelved at most


class Alarms(Protocol):
    """Who answers."""

    def standings(self, *, normal: bool) -> list[dict[str, Any]]:
        """Those that are active, chattering or shelved; with `normal` all of them."""
        ...

    def counts(self) -> list[tuple[str, int, int]]:
        """Device, how many are active, how many are shelved."""
        ...

    def shelve(self, device: str, name: str, seconds: float) -> dict[str, Any]:
        """How it stands then. Raises AgentError for an alarm that is not there."""
        ...

    def unshelve(self, device: str, name: str) -> dict[str, Any]: ...


class Board:
    """The handlers, and what a question may hold."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/alarms", "values", self.standings),
            Route("POST", "/api/v1/alarms/{device}/{name}/shelve", OWNER, self.shelve),
            Route("POST", "/api/v1/alarms/{device}/{name}/unshelve", OWNER, self.unshelve),
        ]

    async def standings(self, request: Request) -> Answer:
        """`all=1`"""
        if set(request.query) - {"all"} or request.get("all", "0") not in ("0", "1"):
            raise Refusal(HTTPStatus.BAD_REQUEST, "there is no such parameter", "there is all=0 and all=1")
        return as_json({"alarms": self._alarms.standings(normal=request.get("all") == "1")})

    async def shelve(self, request: Request) -> Answer:
        """`{"seconds": N}`"""
        match await _fields(request):
            case {"seconds": int(seconds) | float(seconds), **more} if _is_time(seconds) and not more:
                device, name = request.parts
                return as_json(self._alarms.shelve(device, name, seconds))
        raise Refusal(HTTPStatus.BAD_REQUEST, f"seconds are needed, more than 0 and {LONGEST:,} at most")

    async def unshelve(self, request: Request) -> Answer:
        """`{}`"""
        if await _fields(request) != {}:
            raise Refusal(HTTPStatus.BAD_REQUEST, "an empty object is needed", "{}")
        device, name = request.parts
        return as_json(self._alarms.unshelve(device, name))


def _is_time(seconds: float) -> bool:
    return not isinstance(seconds, bool) and 0 < seconds <= LONGEST


async def _fields(request: Request) -> Any:
    request.takes_none()
    return await request.fields()
