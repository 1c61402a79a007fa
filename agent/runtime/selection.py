"""Select before operate: a command is given twice, and the second time with what the first one was answered.

So that a single wrong or repeated message moves nothing: who operates has heard from this gateway, in this very moment,
which tag and which value it is about (IEC 61850-7-2 and IEC 60870-5-101 know the same two steps).
"""

import secrets
from dataclasses import dataclass

from agent.model.clock import Clock
from agent.northbound.house import Command
from agent.runtime.guard import Forbidden

WITHIN = 10  # seconds between the two
MOST = 16  # selections of a sink that wait for their second step
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Selected:
    """What was selected; `until` is monotonic ns."""

    meant: tuple[str, str, type, object, str]
    until: int


class Selections:
    """Those of one sink. A nonce is good once, for what it was given for, and for `WITHIN` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, _Selected] = {}

    def select(self, command: Command) -> str:
        """The nonce; of too many that wait the oldest is forgotten."""
        while len(self._waiting) >= MOST:
            del self._waiting[next(iter(self._waiting))]
        nonce = secrets.token_urlsafe(16)
        self._waiting[nonce] = _Selected(_meant(command), self._clock.mono() + WITHIN * _SECOND)
        return nonce

    def operate(self, command: Command) -> None:
        """Take the selection back. Raises Forbidden unless it is the very one, and in time; then it is gone too."""
        where = f"{command.device}, {command.tag}"
        again = f"select it first, `select: true`, and operate within {WITHIN} s with the nonce of the answer"
        if not command.nonce:
            raise Forbidden(f"{where}: it was not selected", hint=again)
        found = self._waiting.pop(command.nonce, None)
        if found is None:
            raise Forbidden(f"{where}: the nonce is none, or was used", hint=again)
        if found.until < self._clock.mono():
            raise Forbidden(f"{where}: it was selected more than {WITHIN} s ago", hint=again)
        if found.meant != _meant(command):
            raise Forbidden(f"{where}: something else was selected", hint=again)


def _meant(command: Command) -> tuple[str, str, type, object, str]:
    return command.device, command.tag, type(command.value), command.value, command.who
