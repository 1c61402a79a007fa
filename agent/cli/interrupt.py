"""Ctrl-C while something is on its way to a device: nothing says that nothing was done."""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.model.errors import AgentError


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises AgentError for a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        hint = "`floorgate audit` has an entry of it if it was sent"
        raise AgentError("interrupted: it is not known whether the device did it", hint=hint) from None
