"""A gateway's devices without a broker: a session, and a strict host application that hears it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from agent.model.frame import Entry, Frame
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.northbound.broker.packet import Message
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.names import Names
from agent.northbound.sparkplug.session import Session
from agent.northbound.sparkplug.tree import Book, Tree
from agent.runtime.latest import Latest
from tests.sim.sparkplug_host import Host

NOW = 1_700_000_000_000_000_000
SECOND = 10**9


def schema(device: str, group: str, *tags: str, dtype: DType = "float64") -> Schema:
    return Schema(device, group, tuple(Tag(tag, dtype) for tag in tags))


class World:
    """A gateway's devices, its session, and a host that hears it."""

    def __init__(self, *schemas: Schema, old: bool = False, places: Mapping[str, str] = MappingProxyType({})) -> None:
        self.schemas = list(schemas)
        self.latest = Latest()
        self.tree = Tree(Book(), old=old)
        self.host = Host("G", "E", old=old)
        self.now = NOW
        self.bdseq, self.places = -1, places
        self.pending: list[Entry] = []
        self._seq = 0
        self.connect()

    def connect(self, *, fits: Any = lambda _: True) -> None:
        self.bdseq = (self.bdseq + 1) % 256
        self.tree.begin(self.schemas)
        about = [("Node Info/Product", codec.STRING, "Floorgate")]
        self.session = Session(Names("G", "E"), self.tree, self.bdseq, self.latest.get, fits, about, self.places)

    def hear(self, messages: Sequence[Message]) -> None:
        self.host.hear_all(messages)

    def read(self, of: Schema, *values: Any, quality: bytes = b"", history: bool = False, **more: Any) -> Entry:
        """A frame is read, a second later, and is on disk."""
        self.now += SECOND
        self._seq += 1
        frame = Frame(of, self.now, values, quality or bytes(len(values)), **more)
        if not history:
            self.latest.add([frame])
        return Entry("ab" * 8, self._seq, history, frame)

    def gone(self, of: Schema, **more: Any) -> Entry:
        return self.read(of, *[None] * len(of.tags), quality=bytes((Quality.BAD_COMM,)) * len(of.tags), **more)

    def send(self, *entries: Entry) -> list[Message]:
        self.tell()
        written = self.session.data(entries, self.now)
        assert written.refused == []
        self.hear(written.messages)
        return written.messages

    def birth(self) -> list[Message]:
        messages = self.session.birth(self.now)
        self.hear(messages)
        return messages + self.tell()

    def tell(self) -> list[Message]:
        """The births that are due."""
        messages: list[Message] = []
        while self.session.waiting:
            messages += self.session.more(self.now)
        self.hear(messages)
        return messages

    def verbs(self, since: int = 0) -> list[tuple[str, str]]:
        assert self.host.faults == []
        return self.host.verbs[since:]


METER, SLOW, PRESS = schema("meter", "1s", "u", "i"), schema("meter", "10s", "e"), schema("press", "1s", "u")
