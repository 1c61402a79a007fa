"""What a person at the gateway asks: why there is (no) data of a tag, and how all of it looks just now."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, Route
from agent.status.web import Answer, Refusal, Request, as_json

MOST_ROWS = 500  # tags of an answer
MOST_MATCHES = 50  # patterns of a question
LONGEST = 300  # characters of a name or a pattern
FAR = 10_000_000


class Explainer(Protocol):
    """Who knows why."""

    async def explain(self, device: str, tag: str) -> dict[str, Any]:
        """As `agent.runtime.why.stages.Explanation.as_row`. Raises AgentError."""
        ...


class Watcher(Protocol):
    """Who sees all of it."""

    async def look(self, matches: Sequence[str], *, bad: bool, limit: int, offset: int) -> dict[str, Any]:
        """Tags by patterns (`DEVICE` or `DEVICE/TAG`), those of them that are not good with `bad`; lines and sinks.
        Raises AgentError."""
        ...


class People:
    """The handlers, and what a question may hold."""

    def __init__(self, explainer: Explainer, watcher: Watcher) -> None:
        self._explainer, self._watcher = explainer, watcher

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/explain", OWNER, self.explain),
            Route("GET", "/api/v1/watch", OWNER, self.watch),
        ]

    async def explain(self, request: Request) -> Answer:
        """`device=NAME`, `tag=NAME`"""
        _only(request, "device", "tag")
        device, tag = request.get("device"), request.get("tag")
        if not (device and tag) or max(len(device), len(tag)) > LONGEST:
            raise Refusal(HTTPStatus.BAD_REQUEST, "a device and a tag are needed", "device=NAME&tag=NAME")
        return as_json(await self._explainer.explain(device, tag))

    async def watch(self, request: Request) -> Answer:
        """`match=PATTERN` as often as needed, `bad=1`, `limit=N`, `offset=N`"""
        _only(request, "match", "bad", "limit", "offset")
        matches = request.query.get("match", [])
        if len(matches) > MOST_MATCHES or any(len(each) > LONGEST for each in matches):
            said = f"at most {MOST_MATCHES} patterns of {LONGEST} characters"
            raise Refusal(HTTPStatus.BAD_REQUEST, "too many or too long patterns", said)
        limit, offset = _number(request, "limit", MOST_ROWS, MOST_ROWS), _number(request, "offset", 0, FAR)
        bad = request.get("bad") == "1"
        return as_json(await self._watcher.look(matches, bad=bad, limit=limit, offset=offset))


def _only(request: Request, *names: str) -> None:
    if set(request.query) - set(names):
        raise Refusal(HTTPStatus.BAD_REQUEST, "there is no such parameter", f"there is {', '.join(names)}")


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(FAR)) + 1):
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{name}: a number is needed", f"from 0 to {most}")
    return min(int(text), most)
