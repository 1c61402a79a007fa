"""The primary host application, as far as it says whether it is there (specification 3.0, 4.2.3 and 5.4); no I/O.

A STATE whose time is before that of the one before it says nothing: it is of a session that is over. Each broker has
its own, for the messages of one may be older than those of another.
"""

from dataclasses import dataclass

import msgspec

from agent.northbound.sparkplug.names import NAMESPACE


class _State(msgspec.Struct):
    online: bool
    timestamp: int


@dataclass
class Host:
    """`topic` is where it says so; `online` is None while it has said nothing on this connection."""

    topic: str
    old: bool  # Sparkplug 2.2: ONLINE and OFFLINE, without a time
    online: bool | None = None
    _newest: int = -1

    def hear(self, payload: bytes) -> bool:
        """Note what it says; False for what is no STATE, or an outdated one."""
        if self.old:
            if payload not in {b"ONLINE", b"OFFLINE"}:
                return False
            self.online = payload == b"ONLINE"
            return True
        try:
            state = msgspec.json.decode(payload, type=_State)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if state.timestamp < self._newest:
            return False
        self.online, self._newest = state.online, state.timestamp
        return True

    def forget(self) -> None:
        """A new connection: what it said on the one before may not be so any more."""
        self.online = None


def host(name: str, *, old: bool) -> Host:
    return Host(f"STATE/{name}" if old else f"{NAMESPACE}/STATE/{name}", old)
