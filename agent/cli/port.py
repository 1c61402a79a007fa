"""A serial port that the running agent holds: an error that says so, instead of a bare refusal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.cli.ask import find
from agent.model.errors import StoreError, Unreachable

SERIAL = ("rtu://", "ascii://")


@contextmanager
def port_in_use(data: Path, endpoint: str) -> Iterator[None]:
    """While the block runs: Unreachable on a serial port says whether an agent runs that may have it."""
    try:
        yield
    except Unreachable as error:
        if endpoint.startswith(SERIAL) and _runs(data):
            hint = "an agent is running and holds the port while it reads it: stop the agent first"
            raise Unreachable(error.message, hint=hint) from error
        raise


def _runs(data: Path) -> bool:
    try:
        with find(data) as agent:
            return agent is not None
    except StoreError:
        return False
