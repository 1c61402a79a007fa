"""What became of a batch whose frames went as messages, each for one or more of them; no I/O happens here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.northbound.api import Batch
from agent.northbound.broker import codes, packet
from agent.northbound.broker.outbox import ranges
from agent.northbound.broker.packet import Message

_URGENCY = (Denied, Unavailable, Rejected)  # of several errors in a batch the first kind is raised: it loses nothing
Owners = tuple[int, ...]  # positions in a batch


@dataclass(slots=True)
class Written:
    """Messages, whose frames each carries, and the frames of which nothing can be sent because of their size."""

    messages: list[Message] = field(default_factory=list)
    owners: list[Owners] = field(default_factory=list)
    too_large: list[int] = field(default_factory=list)

    def add(self, head: bytes, payload: bytes, owners: Owners) -> None:
        self.messages.append((head, payload, False))
        self.owners.append(owners)


def judged(batch: Batch, written: Written, results: Sequence[int], where: str) -> tuple[set[int], list[SinkError]]:
    """The positions of the frames of which every message was confirmed, and why the broker refused others.

    `results` are the reason codes of the messages. One without an answer is not confirmed, and no error of its own: why
    there is none is the connection's to say.
    """
    confirmed, errors = set(range(len(batch))).difference(written.too_large), []
    for owners, message, code in zip(written.owners, written.messages, results, strict=True):
        if code in codes.CONFIRMED:
            continue
        confirmed.difference_update(owners)
        if code != codes.UNCONFIRMED:
            topic, what = packet.topic(message), f"frame {batch[owners[0]].seq}" if owners else "a message"
            errors.append(codes.unconfirmed(code, f"{where}: {what} to {topic}", topic))
    return confirmed, errors


def worst(errors: Sequence[SinkError], done: Sequence[int]) -> SinkError:
    """The first of the most urgent kind, with the `seq` of what was confirmed all the same."""
    found = min(errors, key=lambda error: [isinstance(error, kind) for kind in _URGENCY].index(True))
    return type(found)(str(found.args[0]), hint=found.hint, done=ranges(done))
