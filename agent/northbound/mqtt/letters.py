"""What frames become: messages with their topics, one a frame, a tag, or one for many frames; no I/O happens here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.model.frame import Entry, Frame
from agent.model.tag import Schema
from agent.northbound.api import Batch, Gateway
from agent.northbound.broker import packet
from agent.northbound.broker.packet import Message
from agent.northbound.broker.verdict import Owners, Written
from agent.northbound.encode import as_part
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.parts import cut
from agent.northbound.mqtt.retained import Newest
from agent.northbound.mqtt.shares import Shares, divided
from agent.northbound.mqtt.topic import level, namer
from agent.northbound.shapes import batched, encoder
from agent.northbound.shapes.columnar import Columnar
from agent.northbound.shapes.compress import compressor
from agent.northbound.shapes.single import Single, singles

_SCHEMAS = 1024  # topics kept: after a reload the store hands out new schemas
Part = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Room:
    """What a broker takes: `aim` bytes of a packet, `most` for one that holds a single value; `size` weighs one."""

    size: Callable[[Message], int]
    aim: int
    most: int

    @property
    def any_size(self) -> bool:
        return self.aim == packet.LARGEST


class Letters:
    """Writes for one sink. `begin` is called with each connection, for what the broker has then to be told anew."""

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self._config, self._gateway, self._house = config, gateway.id, gateway.house
        self._topic = namer(config.topic, gateway.id, gateway.site, gateway.places)
        self._compress = compressor(config.compress)
        self._described = f"floorgate/{level(gateway.id)}/$schema/"
        self._heads: dict[tuple[Schema, str], bytes] = {}
        self._columnar, self._shares = Columnar(gateway.id), Shares()
        self._told: set[bytes] | None = None  # schemas that the broker has; None: each message describes its own
        self._settled: set[Schema] = set()  # of which the broker knows all
        self._newest: Newest | None = None  # None: nothing is retained
        if config.shape != "columnar":
            self._encode = encoder(config.shape, gateway.id)
            self._pack = self._as_json
        else:
            self._pack = self._as_columns
        if config.per == "tag":
            shape: Single = config.shape  # type: ignore[assignment]  # the configuration has no other
            self._singles = singles(shape, gateway.id)
        self._write = {"frame": self._frames, "batch": self._batches, "tag": self._tags}[config.per]

    def begin(self, *, retain: bool) -> None:
        """A new connection, to a broker that keeps retained messages or not."""
        self._newest = Newest(self._house) if retain and self._config.retained else None
        self._told = set() if retain else None
        self._settled = set()
        self._columnar = Columnar(self._gateway, inline=not retain)

    def write(self, batch: Batch, room: Room) -> Written:
        """The messages in the order of the frames, cut where the broker wants them smaller."""
        if self._config.shape != "columnar" or self._told is None:
            return self._written(batch, room)
        if self._settled.issuperset(entry.frame.schema for entry in batch):
            return self._written(batch, room)

        def fits(schema: Schema) -> bool:
            return room.size(self._description(schema)[1]) <= (room.aim if len(schema.tags) > 1 else room.most)

        schemas = dict.fromkeys(entry.frame.schema for entry in batch)
        shares = {schema: self._shares.of(schema, fits) for schema in schemas}
        done = self._descriptions(batch, shares)
        whole = [index for index, entry in enumerate(batch) if len(shares[entry.frame.schema]) == 1]
        rest = self._written([batch[index] for index in whole], room)
        done.messages += rest.messages
        done.owners += [tuple(whole[index] for index in each) for each in rest.owners]
        done.too_large += [whole[index] for index in rest.too_large]
        for index, entry in enumerate(batch):
            if len(several := shares[entry.frame.schema]) > 1:
                message = self.head(entry.frame.schema), b"", False
                pieces = self._apart(entry, divided(entry.frame, several), message, room)
                done.messages += pieces
                done.owners += [(index,)] * len(pieces)
                done.too_large += [] if pieces else [index]
        return done

    def _written(self, batch: Batch, room: Room) -> Written:
        written = self._write(batch)
        if room.any_size or max(map(room.size, written.messages), default=0) <= room.aim:
            return written
        return self._fitting(batch, written, room)

    def head(self, schema: Schema, tag: str = "") -> bytes:
        """The topic as a packet has it."""
        found = self._heads.get((schema, tag))
        if found is None:
            if len(self._heads) >= _SCHEMAS * (100 if tag else 1):
                del self._heads[next(iter(self._heads))]
            found = self._heads[schema, tag] = packet.topic_head(self._topic(schema, tag))
        return found

    def _as_json(self, entries: Sequence[Entry], part: Part | None = None) -> bytes:
        objects = [self._encode(entry) for entry in entries]
        if self._config.per == "batch":
            return self._compress(batched([as_part(objects[0], *part)] if part else objects))
        return self._compress(as_part(objects[0], *part) if part else objects[0])

    def _as_columns(self, entries: Sequence[Entry], part: Part | None = None) -> bytes:
        return self._compress(self._columnar.encode(entries, part))

    def _frames(self, batch: Batch) -> Written:
        head, pack = self.head, self._pack
        kept = [newest.frame() for newest in self._newest.of(batch)] if self._newest else [False] * len(batch)
        messages = [(head(entry.frame.schema), pack((entry,)), keep) for entry, keep in zip(batch, kept, strict=True)]
        return Written(messages, [(index,) for index in range(len(batch))])

    def _batches(self, batch: Batch) -> Written:
        topics: dict[bytes, list[int]] = {}
        for index, entry in enumerate(batch):
            topics.setdefault(self.head(entry.frame.schema), []).append(index)
        messages = [(head, self._pack([batch[index] for index in owners]), False) for head, owners in topics.items()]
        return Written(messages, [tuple(owners) for owners in topics.values()])

    def _tags(self, batch: Batch) -> Written:
        messages: list[Message] = []
        owners: list[Owners] = []
        newest = self._newest.of(batch) if self._newest else None
        for index, entry in enumerate(batch):
            schema = entry.frame.schema
            for place, (name, payload) in enumerate(self._singles(entry)):
                retain = newest is not None and newest[index].column(place)
                messages.append((self.head(schema, name), self._compress(payload), retain))
                owners.append((index,))
        return Written(messages, owners)

    def _fitting(self, batch: Batch, whole: Written, room: Room) -> Written:
        """Fewer frames in a message, then parts of a frame, down to a single value."""
        messages: list[Message] = []
        owners: list[Owners] = []
        too_large: list[int] = []
        for message, members in zip(whole.messages, whole.owners, strict=True):
            pieces = (
                [(message, members)] if room.size(message) <= room.aim else self._split(batch, message, members, room)
            )
            messages += [piece for piece, _ in pieces]
            owners += [each for _, each in pieces]
            too_large += [index for index in members if all(index not in each for _, each in pieces)]
        return Written(messages, owners, too_large)

    def _split(self, batch: Batch, message: Message, members: Owners, room: Room) -> list[tuple[Message, Owners]]:
        head, _, retain = message
        if len(members) > 1:
            found: list[tuple[Message, Owners]] = []
            for half in (members[: len(members) // 2], members[len(members) // 2 :]):
                smaller = (head, self._pack([batch[index] for index in half]), retain)
                small = room.size(smaller) <= room.aim
                found += [(smaller, half)] if small else self._split(batch, smaller, half, room)
            return found
        if self._config.per == "tag":
            return [(message, members)] if room.size(message) <= room.most else []
        return [(piece, members) for piece in self._apart(batch[members[0]], (), message, room)]

    def _apart(self, entry: Entry, frames: Sequence[Frame], message: Message, room: Room) -> list[Message]:
        """The parts of a frame; none when one of its values alone is too large."""
        head, _, retain = message

        def fits(payload: bytes, alone: bool) -> bool:
            return room.size((head, payload, retain)) <= (room.most if alone else room.aim)

        if len(frames) == 1 and fits(payload := self._pack((entry._replace(frame=frames[0]),)), False):
            return [(head, payload, retain)]
        pieces = cut(entry, lambda part, which: self._pack((part,), which), fits, frames)
        return [(head, payload, retain) for payload in pieces]

    def _descriptions(self, batch: Batch, shares: Mapping[Schema, Sequence[Schema]]) -> Written:
        """What the tags are of the schemas that the broker does not know yet."""
        users: dict[Schema, list[int]] = {}
        for index, entry in enumerate(batch):
            users.setdefault(entry.frame.schema, []).append(index)
        written = Written()
        for schema, indices in users.items():
            if not shares[schema]:
                written.too_large += indices
            for each in shares[schema]:
                key, message = self._description(each)
                if key not in (self._told or ()):
                    written.messages.append(message)
                    written.owners.append(tuple(indices))
                elif each is schema and len(self._settled) < _SCHEMAS:
                    self._settled.add(schema)
        return written

    def _description(self, schema: Schema) -> tuple[bytes, Message]:
        """The id of a schema, and the message that describes it."""
        key, description = self._columnar.schema(schema)
        return key, (packet.topic_head(f"{self._described}{key.hex()}".encode()), description, True)

    def confirmed(self, messages: Iterable[Message]) -> None:
        """The broker has these: schemas among them need not be told again."""
        if self._config.shape == "columnar" and self._told is not None:
            topics = (packet.topic(message) for message in messages)
            keys = (topic.removeprefix(self._described) for topic in topics if topic.startswith(self._described))
            self._told.update(map(bytes.fromhex, keys))
