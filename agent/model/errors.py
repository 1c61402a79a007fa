"""What can go wrong, as few words as the supervisor needs to decide what to do about it."""


class AgentError(Exception):
    """Says what failed and with what; `hint` is the next step for the person who reads it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(AgentError):
    """A file must be fixed; never retried (exit code 78)."""


class DeviceError(AgentError):
    """The field: the supervisor backs off."""


class Unreachable(DeviceError):
    """No connection, or no answer in time."""


class Garbled(DeviceError):
    """An answer that does not fit its request: checksum, length, function, unit."""


class Refused(DeviceError):
    """A well-formed "no": a Modbus exception, a bad node id."""


class SinkError(AgentError):
    """The platform. `done` holds the (first, last) sequence ranges of the batch that were confirmed all the same."""

    def __init__(self, message: str, *, hint: str = "", done: tuple[tuple[int, int], ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.done = done


class Unavailable(SinkError):
    """The same batch again, later."""


class Rejected(SinkError):
    """This batch will never be taken: it is set aside and counted, and the rest goes on."""


class Denied(SinkError):
    """Not authorised: the sink is blocked until a person has looked, its data stays."""


class StoreError(AgentError):
    """The store: the file is in use, or it is another program's; a person has to look."""


class DiskFailed(StoreError):
    """The disk does not do what it is asked, or has no room: tried again, and meanwhile memory serves."""


class Damaged(StoreError):
    """What stands in the file makes no sense: it is set aside, and what can be read of it is carried over."""


class Newer(StoreError):
    """A file of the data directory that a newer version has written: it is left as it is, and no restart helps."""


class Forbidden(StoreError):
    """The data directory is not this user's to use: a person has to change that, and no restart helps."""
