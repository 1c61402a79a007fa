"""States of which the part is gone: a tag was taken out of the file, a device was renamed, or was never met again.

They are kept for a while, so that a total goes on when the tag is put back, and then they are forgotten. What counts is
how long the agent has run without anybody asking for them: a wall clock that jumps takes nothing away.
"""

from collections.abc import MutableMapping, Sequence

import msgspec

from agent.model.frame import Frame

HOUR = 3600 * 10**9  # ns
MOST = 30 * 24  # hours of running
_decode = msgspec.msgpack.Decoder(tuple[int, dict[str, int]]).decode
_VERSION = 1


class Leftovers:
    """Counts the hours of what is in `states`, and takes out what is too old; `gone` names it until somebody asks."""

    must = may = False

    def __init__(self, states: MutableMapping[str, bytes]) -> None:
        self._states = states
        self._hours: dict[str, int] = {}
        self._since: int | None = None
        self.gone: set[str] = set()

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        del wall
        if self._since is None:
            self._since = mono
        if mono - self._since >= HOUR:
            self._since = mono
            self._count()
        return ()

    def dump(self) -> bytes:
        return msgspec.msgpack.encode((_VERSION, self._hours))

    def load(self, kept: bytes) -> None:
        try:
            _, self._hours = _decode(kept)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._hours = {}

    def _count(self) -> None:
        before = self._hours
        hours = {key: before.get(key, 0) + 1 for key in self._states}
        self.gone |= {key for key, count in hours.items() if count > MOST}
        for key in self.gone & hours.keys():
            del self._states[key], hours[key]
        self._hours = hours
        self.may |= hours != before
