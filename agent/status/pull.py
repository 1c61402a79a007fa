"""The pull API: what a consumer asks, judged and handed to who can answer it.

Frames are handed out again and again until they are acknowledged; what is on the disk is the consumer's debt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from agent.status.routes import SOMEBODY, Route
from agent.status.web import Answer, Caller, Refusal, Request, Stream, as_json

MOST_FRAMES = 1000  # of a page
MOST_MARKS = 100  # of an acknowledgement
MOST_NAMES = 20  # of devices, and of tags
LONGEST = 60.0  # seconds that a consumer may wait for something to come
CURSOR = "Floorgate-Cursor"
FORMATS, SHAPES = ("json", "ndjson", "csv"), ("envelope", "values", "tags", "flat", "columnar")
LARGEST = 2**63 - 1
_MS = 1_000_000
LATEST = LARGEST // _MS - 1  # ms: in the year 2262


class Style(NamedTuple):
    """How frames are written; `columnar` has no format."""

    format: str
    shape: str


@dataclass(frozen=True, slots=True)
class Page:
    """Frames as they are sent. `cursor` stands for the last of them, or for where the next page begins; empty: none."""

    pieces: Iterator[bytes]
    kind: str
    cursor: str
    done: Callable[[], None]


class Mark(NamedTuple):
    """Frames `first` to `last` of a run, or with 0 as the first all that were handed out up to the last."""

    epoch: str
    first: int
    last: int


class Unfit(Exception):
    """An acknowledgement of something that was not handed out; says why."""


class Crowded(Exception):
    """This consumer has too many questions open."""


class Tap(Protocol):
    """One consumer. Every call raises AgentError when the store does not answer."""

    @property
    def caller(self) -> Caller: ...
    @property
    def token(self) -> str: ...

    async def frames(self, limit: int, wait: float, style: Style, waits: Callable[[], bool]) -> Page:
        """What it is owed, from the oldest on; waits for so many seconds for the first, as long as anybody does. Raises
        Crowded."""
        ...

    async def ack(self, marks: Sequence[Mark]) -> int:
        """How many frames it is no longer owed. Raises Unfit, and then nothing has changed."""
        ...

    async def command(self, payload: bytes) -> tuple[bool, bytes]:
        """Whether it was a command at all, and the answer to it."""
        ...


class Span(NamedTuple):
    """A question for the past: from and to in ns UTC, both included; `cursor` is where the page before ended."""

    device: str
    tags: frozenset[str]
    first: int
    last: int
    cursor: int


class Window(Protocol):
    """What everybody sees."""

    def devices(self) -> dict[str, Any]: ...

    def values(self, devices: frozenset[str], tags: frozenset[str]) -> Iterator[bytes]:
        """The newest value of each tag as JSON; empty sets: of all."""
        ...

    async def history(self, span: Span, limit: int, style: Style) -> Page:
        """Frames that are still in the file. Raises AgentError."""
        ...


class Pull:
    """The handlers, and what a question may hold."""

    def __init__(self, taps: Sequence[Tap] = (), window: Window | None = None) -> None:
        self._window = window
        self._heard: Callable[[], None] = lambda: None
        self.renew(taps)

    def renew(self, taps: Sequence[Tap]) -> None:
        """These are the consumers from now on."""
        self._taps = {tap.caller.name: tap for tap in taps}
        self._heard()

    def hear(self, heard: Callable[[], None]) -> None:
        """Who is to be told that there are other consumers."""
        self._heard = heard

    def tokens(self) -> list[tuple[Caller, str]]:
        return [(tap.caller, tap.token) for tap in self._taps.values()]

    def routes(self) -> list[Route]:
        found = [
            Route("GET", "/api/v1/openapi.json", SOMEBODY, self.openapi),
            Route("GET", "/api/v1/frames", "frames", self.frames),
            Route("POST", "/api/v1/consumers/{name}/ack", "frames", self.ack),
            Route("POST", "/api/v1/commands", "commands", self.command),
        ]
        if self._window is not None:
            found += [
                Route("GET", "/api/v1/devices", "values", self.devices),
                Route("GET", "/api/v1/values", "values", self.values),
                Route("GET", "/api/v1/tags", "values", self.values),
                Route("GET", "/api/v1/history", "history", self.history),
            ]
        return found

    async def openapi(self, request: Request) -> Answer:
        from agent.status.openapi import document  # noqa: PLC0415  # nobody needs it but who asks for it

        _only(request)
        return as_json(document())

    async def frames(self, request: Request) -> Answer:
        """`consumer=NAME`, `limit=N`, `wait=SECONDS`, `format`, `shape`."""
        _only(request, "consumer", "limit", "wait", "format", "shape")
        tap = self._tap(request, request.get("consumer", request.caller.name))
        limit, wait = _whole(request, "limit", 1, MOST_FRAMES, MOST_FRAMES), _seconds(request, "wait")
        try:
            return _answer(await tap.frames(limit, wait, _style(request), request.waits))
        except Crowded as error:
            busy = (("Retry-After", "1"),)
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, str(error), "one after the other", busy) from None

    async def ack(self, request: Request) -> Answer:
        """`{"upto": {"epoch", "seq"}}`, or `{"frames": [{"epoch", "from", "to"}, …]}`."""
        _only(request)
        tap = self._tap(request, request.parts[0])
        marks = _marks(await _object(request))
        try:
            return as_json({"acknowledged": await tap.ack(marks)})
        except Unfit as error:
            raise Refusal(HTTPStatus.CONFLICT, str(error), "read again, and acknowledge what comes") from None

    async def command(self, request: Request) -> Answer:
        """A command as JSON; 200 with what became of it."""
        _only(request)
        known, answer = await self._taps[request.caller.name].command(await request.body())
        return Answer(answer, "application/json", HTTPStatus.OK if known else HTTPStatus.BAD_REQUEST)

    async def devices(self, request: Request) -> Answer:
        assert self._window is not None
        _only(request)
        return as_json(self._window.devices())

    async def values(self, request: Request) -> Answer:
        """`device=NAME`, `tag=NAME`, each as often as needed."""
        assert self._window is not None
        _only(request, several=("device", "tag"))
        found = self._window.values(_names(request, "device"), _names(request, "tag"))
        return Answer(Stream(found), "application/json")

    async def history(self, request: Request) -> Answer:
        """`device=NAME`, `from=TIME`, `to=TIME`, `tag=NAME`, `limit=N`, `cursor=TEXT`, `format`, `shape`."""
        assert self._window is not None
        _only(request, "device", "from", "to", "limit", "cursor", "format", "shape", several=("tag",))
        span = Span(
            request.get("device"),
            _names(request, "tag"),
            _time(request, "from", 0),
            _time(request, "to", LATEST) + _MS - 1,
            _whole(request, "cursor", 0, LARGEST, 0),
        )
        limit = _whole(request, "limit", 1, MOST_FRAMES, MOST_FRAMES)
        return _answer(await self._window.history(span, limit, _style(request)))

    def _tap(self, request: Request, name: str) -> Tap:
        if name != request.caller.name:
            raise Refusal(HTTPStatus.FORBIDDEN, f"this token is of consumer {request.caller.name}")
        return self._taps[name]


def _answer(page: Page) -> Answer:
    headers = ((CURSOR, page.cursor),) if page.cursor else ()
    return Answer(Stream(page.pieces, page.done), page.kind, headers=headers)


def _senseless(text: str, hint: str = "") -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, text, hint)


def _only(request: Request, *names: str, several: Sequence[str] = ()) -> None:
    """A name that is misspelt must not be passed over: more would be told than was asked for."""
    for name, values in request.query.items():
        if name not in (*names, *several):
            raise _senseless("there is no such parameter", f"there is {', '.join((*names, *several)) or 'none'}")
        if len(values) > (MOST_NAMES if name in several else 1):
            raise _senseless(f"{name}: there are too many of it", f"{MOST_NAMES if name in several else 1} at most")


def _names(request: Request, key: str) -> frozenset[str]:
    return frozenset(request.query.get(key, ()))


def _style(request: Request) -> Style:
    format_, shape = request.get("format", "json"), request.get("shape", "envelope")
    if format_ not in FORMATS or shape not in SHAPES:
        wrong, known = ("format", FORMATS) if format_ not in FORMATS else ("shape", SHAPES)
        raise _senseless(f"{wrong}: there is no such one", f"one of {', '.join(known)}")
    if "format" in request.query and shape == "columnar":
        raise _senseless("`shape=columnar` is bytes and has no `format`")
    if format_ == "csv" and shape != "envelope":
        raise _senseless("`format=csv` has a shape of its own", "leave `shape` out")
    return Style(format_, shape)


def _whole(request: Request, name: str, least: int, most: int, default: int) -> int:
    text = request.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and least <= int(text) <= most):
        raise _senseless(f"{name}: a whole number from {least} to {most} is needed")
    return int(text)


def _seconds(request: Request, name: str) -> float:
    try:
        seconds = float(request.get(name, "0"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST:
        raise _senseless(f"{name}: seconds from 0 to {LONGEST:g} are needed")
    return seconds


def _time(request: Request, name: str, default: int) -> int:
    """ns UTC, of ms or of a date in ISO 8601 (without a zone it is UTC)."""
    text = request.get(name, str(default))
    if text.isascii() and text.isdecimal():
        return _whole(request, name, 0, LATEST, default) * _MS
    try:
        when = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that was not escaped
    except ValueError:
        raise _senseless(f"{name}: milliseconds or a date are needed", "such as 2026-01-31T08:00:00Z") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0, round(when.timestamp() * 1000)), LATEST) * _MS


async def _object(request: Request) -> dict[str, Any]:
    found = await request.fields()
    if not isinstance(found, dict):
        raise _senseless("an object is needed")
    return found


def _marks(found: dict[str, Any]) -> list[Mark]:
    match found:
        case {"upto": {"epoch": str(epoch), "seq": seq, **more}, **rest} if _seq(seq) and not (more or rest):
            return [Mark(epoch, 0, seq)]
        case {"frames": [*ranges], **rest} if not rest and len(ranges) <= MOST_MARKS:
            return [_range(each) for each in ranges]
    hint = '{"upto": {"epoch": …, "seq": …}}, or {"frames": [{"epoch": …, "from": …, "to": …}]}'
    raise _senseless("this is no acknowledgement", f"{hint} with up to {MOST_MARKS} of them")


def _range(found: object) -> Mark:
    match found:
        case {"epoch": str(epoch), "from": first, "to": last, **more} if _seq(first) and _seq(last) and not more:
            if first <= last:
                return Mark(epoch, first, last)
    raise _senseless("this is no range of frames", '{"epoch": …, "from": …, "to": …}')


def _seq(found: object) -> bool:
    return type(found) is int and 0 < found <= LARGEST
