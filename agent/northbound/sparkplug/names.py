"""What an edge node is called, and its topics (specification 3.0, chapter 4); no I/O happens here."""

import re
from functools import cached_property

from agent.northbound.broker import packet

NAMESPACE = "spBv1.0"
_UNSAFE = re.compile(r"[/+#\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST = 1000  # bytes of an id: with the longest device name a topic stays below MQTT's 65,535


def check(text: str) -> str:
    """An id as it may stand in a topic. Raises ValueError naming what is wrong with it."""
    if not text.strip() or _UNSAFE.search(text):
        raise ValueError(f"{text!r} is no Sparkplug id: some text without /, +, # and control characters")
    if len(text.encode()) > _LONGEST:
        raise ValueError(f"a Sparkplug id may have at most {_LONGEST:,} bytes")
    return text


def clean(text: str) -> str:
    """A name from elsewhere as an id: what cannot stand there becomes `_`."""
    return _UNSAFE.sub("_", text) or "_"


class Names:
    """Topics of one edge node. A head is a topic as a PUBLISH has it."""

    def __init__(self, group: str, edge: str) -> None:
        self.group, self.edge = group, edge
        self._heads: dict[tuple[str, str], bytes] = {}

    def topic(self, verb: str, device: str = "") -> str:
        """`spBv1.0/GROUP/VERB/EDGE`, and `/DEVICE` for a verb of a device."""
        return f"{NAMESPACE}/{self.group}/{verb}/{self.edge}" + (f"/{clean(device)}" if device else "")

    def head(self, verb: str, device: str = "") -> bytes:
        found = self._heads.get((verb, device))
        if found is None:
            found = self._heads[verb, device] = packet.topic_head(self.topic(verb, device).encode())
        return found

    @cached_property
    def node_commands(self) -> str:
        return self.topic("NCMD")

    @cached_property
    def device_commands(self) -> str:
        """A filter for those of all devices."""
        return self.topic("DCMD") + "/+"

    def commanded(self, topic: str) -> str | None:
        """The device that a DCMD to this topic is for, as its name stands there; None when it is no such topic."""
        head, _, device = topic.rpartition("/")
        return device if head == self.topic("DCMD") else None
