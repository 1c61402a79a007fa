"""The store over HTTP: what `floorgate ledger` and `floorgate store` ask of a running agent."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Protocol

from agent.status.routes import OWNER, PARCEL, Route
from agent.status.web import Answer, Refusal, Request, as_json

ENDLESS = 2**63 - 1
MOST_PARCEL = 8 << 20  # bytes


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

    async def copy(self, cursor: int) -> bytes: ...

    async def put(self, parcel: bytes) -> int:
        """Raises ValueError for what is no parcel."""
        ...

    async def retry(self, sink: str, seqs: Sequence[tuple[int, int]] | None) -> int: ...
    async def forget(self, sink: str) -> int: ...


class Pages:
    """The handlers, and what a question may hold."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/api/v1/ledger", OWNER, self.ledger),
            Route("GET", "/api/v1/store/stats", OWNER, self.stats),
            Route("GET", "/api/v1/store/frames", OWNER, self.frames),
            Route("GET", "/api/v1/store/schemas", OWNER, self.schemas),
            Route("GET", "/api/v1/store/check", OWNER, self.check),
            Route("GET", "/api/v1/store/copy", OWNER, self.copy),
            Route("POST", "/api/v1/store/import", OWNER, self.put, kind=PARCEL),
            Route("POST", "/api/v1/store/retry", OWNER, self.retry),
            Route("POST", "/api/v1/store/forget", OWNER, self.forget),
        ]

    async def ledger(self, request: Request) -> Answer:
        """All that was ever counted, or with `since=TIME` (ns UTC) what was counted since then."""
        if "since" in request.query:
            return as_json(await self._desk.since(_number(request, "since", 0)))
        return as_json(await self._desk.ledger())

    async def stats(self, request: Request) -> Answer:
        return as_json(await self._desk.stats())

    async def frames(self, request: Request) -> Answer:
        """`after=SEQ` or `before=SEQ`; `until=SEQ`, `sink=NAME`, `aside=1`, `device=NAME`."""
        query, back = request.query, "before" in request.query
        cursor, until = _number(request, "before" if back else "after", 0), _number(request, "until", ENDLESS)
        sink, device, aside = request.get("sink"), request.get("device"), "aside" in query
        found = await self._desk.frames(cursor, back=back, sink=sink, device=device, aside=aside, until=until)
        return _packed(found)

    async def schemas(self, request: Request) -> Answer:
        """`id=NUMBER`, as often as needed."""
        try:
            ids = [int(text) for text in request.query.get("id", [])]
        except ValueError:
            raise _senseless("id: a number is needed") from None
        return _packed(await self._desk.schemas(ids))

    async def check(self, request: Request) -> Answer:
        """`table=NAME`"""
        try:
            return as_json(await self._desk.check(request.get("table")))
        except LookupError:
            raise _senseless("table: none by this name") from None

    async def copy(self, request: Request) -> Answer:
        """`after=SEQ`"""
        return _packed(await self._desk.copy(_number(request, "after", 0)))

    async def put(self, request: Request) -> Answer:
        """The body is a parcel (`buffer/parcel.py`)."""
        try:
            return as_json({"frames": await self._desk.put(await request.body(MOST_PARCEL))})
        except ValueError as error:
            raise _senseless(str(error)) from None

    async def retry(self, request: Request) -> Answer:
        """`{"sink": NAME, "seqs": [[FIRST, LAST], …]}`; `null` for all."""
        match await request.fields():
            case {"sink": str(sink), "seqs": [*pairs]} if all(map(_is_range, pairs)):
                seqs = [(first, last) for first, last in pairs]
                return as_json({"frames": await self._desk.retry(sink, seqs)})
            case {"sink": str(sink), "seqs": None}:
                return as_json({"frames": await self._desk.retry(sink, None)})
        raise _senseless("sink and seqs are needed")

    async def forget(self, request: Request) -> Answer:
        """`{"sink": NAME}`, to be asked again until it was 0 frames."""
        match await request.fields():
            case {"sink": str(sink)}:
                return as_json({"frames": await self._desk.forget(sink)})
        raise _senseless("sink is needed")


def _is_range(pair: object) -> bool:
    match pair:
        case [int(first), int(last)]:
            return 0 < first <= last <= ENDLESS
    return False


def _number(request: Request, name: str, default: int) -> int:
    try:
        number = int(request.get(name, str(default)))
    except ValueError:
        raise _senseless(f"{name}: a number is needed") from None
    return max(0, min(number, ENDLESS))


def _packed(body: bytes) -> Answer:
    return Answer(body, "application/msgpack")


def _senseless(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, text)
