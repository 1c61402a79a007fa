"""The configuration over HTTP: which one runs, going over to another, trials, and the way back."""

from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json

SHORTEST, LONGEST = 10, 7 * 24 * 3600  # seconds of a trial
MOST_WHO = 128  # characters of a name


class Steward(Protocol):
    """Who answers. Each raises AgentError, and ConfigError with every problem of the file."""

    def standing(self) -> dict[str, Any]: ...
    async def apply(self, confirm: float | None, who: str, digest: str) -> dict[str, Any]: ...
    async def confirm(self) -> dict[str, Any]: ...
    async def rollback(self, n: int | None, who: str) -> dict[str, Any]: ...


class Pages:
    """The handlers, and what a question may hold."""

    def __init__(self, steward: Steward) -> None:
        self._steward = steward

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/config", OWNER, self.standing),
            Route("POST", "/api/v1/config/apply", OWNER, self.apply),
            Route("POST", "/api/v1/config/confirm", OWNER, self.confirm),
            Route("POST", "/api/v1/config/rollback", OWNER, self.rollback),
        ]

    async def standing(self, request: Request) -> Answer:
        return as_json(self._steward.standing())

    async def apply(self, request: Request) -> Answer:
        """`{"confirm": SECONDS or null, "who": NAME, "digest": TEXT}`; without a digest it is the file as it is"""
        match {"digest": "", **found} if isinstance(found := await _fields(request), dict) else None:
            case {"confirm": confirm, "who": str(who), "digest": str(digest), **more} if (
                _is_time(confirm) and not more and len(who) <= MOST_WHO
            ):
                return as_json(await self._steward.apply(confirm, who, digest))
        raise _senseless(f"confirm is needed, {SHORTEST} to {LONGEST:,} seconds or null, and who; a digest may come")

    async def confirm(self, request: Request) -> Answer:
        """`{}`"""
        if await _fields(request) != {}:
            raise _senseless("an empty object is needed")
        return as_json(await self._steward.confirm())

    async def rollback(self, request: Request) -> Answer:
        """`{"version": NUMBER or null, "who": NAME}`; null: the one before"""
        match await _fields(request):
            case {"version": n, "who": str(who), **more} if _is_number(n) and not more and len(who) <= MOST_WHO:
                return as_json(await self._steward.rollback(n, who))
        raise _senseless("version is needed, a number or null, and who")


def _is_time(seconds: object) -> bool:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return seconds is None or (is_number and SHORTEST <= seconds <= LONGEST)  # type: ignore[operator]  # a number


def _is_number(n: object) -> bool:
    return n is None or (type(n) is int and 0 < n < 1 << 53)


async def _fields(request: Request) -> Any:
    request.takes_none()
    return await request.fields()


def _senseless(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, text)
