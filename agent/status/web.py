"""Questions and answers as the handlers of the status server see them; the protocol is `connection.py`'s."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, unquote

MOST_BODY = 1 << 20  # bytes
MOST_FIELDS = 64  # of a query
Headers = tuple[tuple[str, str], ...]


def _done() -> None:
    """Nobody has to be told."""


class Stream:
    """A body that is made piece by piece, as fast as it is taken; `done` is called once at the end, whatever it is."""

    def __init__(self, pieces: Iterator[bytes], done: Callable[[], None] = _done) -> None:
        self._pieces, self._done = pieces, done

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)  # between two pieces others have their turn
        piece = next(self._pieces, None)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        done, self._done = self._done, _done
        done()


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; `kind` is its content type."""

    body: bytes | Stream = b""
    kind: str = "text/plain; charset=utf-8"
    status: int = HTTPStatus.OK
    headers: Headers = ()


def as_json(found: object, status: int = HTTPStatus.OK, headers: Headers = ()) -> Answer:
    return Answer(json.dumps(found).encode(), "application/json", status, headers)


def refused(status: HTTPStatus, text: str = "", hint: str = "", headers: Headers = ()) -> Answer:
    """`{"error", "hint"}`: words for a person, never a place in a file or in the code."""
    return as_json({"error": text or status.phrase, "hint": hint}, status, headers)


class Refusal(Exception):
    """The request is answered with this status instead."""

    def __init__(self, status: HTTPStatus, text: str = "", hint: str = "", headers: Headers = ()) -> None:
        super().__init__(status, text)
        self.answer = refused(status, text, hint, headers)


class Gone(Exception):
    """Nobody is there any more, or in time, to be answered."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as its token says; without one it has no name and no scope."""

    name: str = ""
    scopes: frozenset[str] = frozenset()


def _always() -> bool:
    return True


async def _nothing(most: int) -> bytes:
    del most
    return b""


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `headers` are by their names in lower case, `query` has each value of a name, `parts` is what the
    path has in the place of its placeholders; `read` gives the body up to so many bytes, `waits` says whether anybody
    is still there for an answer that takes long."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    remote: str = ""
    read: Callable[[int], Awaitable[bytes]] = _nothing
    waits: Callable[[], bool] = _always
    parts: tuple[str, ...] = ()
    caller: Caller = Caller()

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name` in the query."""
        return self.query.get(name, [default])[0]

    async def body(self, most: int = MOST_BODY) -> bytes:
        """All of it, once. Raises Refusal and Gone."""
        return await self.read(most)

    async def fields(self) -> Any:
        """The body as JSON. Raises Refusal and Gone."""
        try:
            return json.loads(await self.body())
        except (ValueError, RecursionError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "this is no JSON") from None

    def takes_none(self) -> None:
        """Raises Refusal for a query: a name that is passed over would do something else than was asked for."""
        if self.query:
            raise Refusal(HTTPStatus.BAD_REQUEST, "there is no such parameter", "there is none")


Handler = Callable[[Request], Awaitable[Answer]]


def target(raw: str) -> tuple[str, str, dict[str, list[str]]]:
    """The host (of an absolute URI only), path and query of a request target (RFC 9112, 3.2). Raises Refusal."""
    host = ""
    if raw[:7].lower() == "http://" or raw[:8].lower() == "https://":
        host, slash, rest = raw.partition("//")[2].partition("/")
        raw = slash + rest
    if not raw.startswith("/"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "this is no path")
    path, _, query = raw.partition("?")
    try:
        return host, unquote(path), parse_qs(query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "this is no query", f"{MOST_FIELDS} fields at most") from None
