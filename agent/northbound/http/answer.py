"""What a platform's answer means: delivered, later, never, a person is needed, or in smaller pieces; pure."""

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.text import plain

LONGEST_PAUSE = 300.0  # seconds: how long a platform may have us wait
TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_SAID = 200  # characters of an answer that are repeated
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_NEVER = {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 422, TOO_LARGE}
_HINTS = {
    401: "check `token`, or `username` and `password`",
    403: "may we post there? check `token`, or `username` and `password`",
    404: "is `url` the place where it takes frames?",
    405: "does `url` take POST?",
    407: "the proxy wants to know who we are",
    409: "it says that this contradicts what it has; what it has already it should answer with 2xx",
    410: "is `url` the place where it takes frames?",
    413: "raise the size of a request that the platform takes",
    415: "does it take this `format`, `shape` and `compress`?",
    429: "it limits how much it takes; a larger `batch` makes fewer requests",
}
_DENIED = {401, 403, 407}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and reason, the first bytes of the body, and the headers that matter here (empty: not there)."""

    status: int
    reason: str = ""
    body: bytes = b""
    retry_after: str = ""
    date: str = ""
    location: str = ""

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300


def verdict(answer: Answer, where: str) -> SinkError:
    """Why nothing was delivered, as the error that says what to do about it."""
    status = answer.status
    text = f"{where}: {_said(answer)}"
    if 300 <= status < 400:
        place = plain(answer.location[:_SAID]) or "no place"
        return Unavailable(f"{text}: it points to {place}", hint="redirects are not followed: change `url`")
    hint = _HINTS.get(status, "")
    if status in _DENIED:
        return Denied(text, hint=hint)
    if status in _NEVER and not (status == HTTPStatus.CONFLICT and answer.retry_after):
        return Rejected(text, hint=hint)
    if status in _LATER or status >= 500 or status == HTTPStatus.CONFLICT:
        return Unavailable(text, hint=hint)
    return Unavailable(text, hint=hint or "is `url` right, and is it a platform that answers there?")


def pause(answer: Answer, now: float) -> float:
    """For how many seconds it wants to be left alone (RFC 9110 §10.2.3), 0 to 300; `now` is our clock (s UTC).

    A date is compared with the platform's own, where it tells it: one of the two clocks may be wrong.
    """
    text = answer.retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_PAUSE)
    until = _date(text)
    if until is None:
        return 0.0
    since = _date(answer.date)
    return min(max(until - (now if since is None else since), 0.0), LONGEST_PAUSE)


def _date(text: str) -> float | None:
    if not text or len(text) > 64:
        return None
    try:
        found = parsedate_to_datetime(text)  # one without a zone (asctime) means GMT too: RFC 9110 §5.6.7
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _said(answer: Answer) -> str:
    """`503 Service Unavailable: the database is away`, of one line and safe to show."""
    body = plain(" ".join(answer.body[: 4 * _SAID].decode("utf-8", "replace").split())[:_SAID])
    head = f"{answer.status} {plain(answer.reason[:_SAID])}".strip()
    return f"{head}: {body}" if body else head
