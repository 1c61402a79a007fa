"""Of several things that went wrong with a batch, the one that is raised."""

from collections.abc import Sequence

from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.northbound.broker.outbox import ranges

_URGENCY = (Denied, Unavailable, Rejected)  # of several errors in a batch the first kind is raised: it loses nothing


def worst(errors: Sequence[SinkError], done: Sequence[int]) -> SinkError:
    """The first of the most urgent kind, with the `seq` of what was confirmed all the same."""
    found = min(errors, key=lambda error: [isinstance(error, kind) for kind in _URGENCY].index(True))
    return type(found)(str(found.args[0]), hint=found.hint, done=ranges(done))
