"""An MQTT broker as a sink: frames as JSON, QoS 1, confirmed one by one, with presence on a status topic."""

import time
from collections.abc import Sequence
from typing import cast

import msgspec

from agent import __version__
from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.frame import Entry
from agent.model.tag import Schema
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.broker import codes, packet
from agent.northbound.broker.client import Connection, HungUp, Will
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.outbox import ranges
from agent.northbound.broker.packet import Message
from agent.northbound.encode import Encoder
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.parts import cut
from agent.northbound.mqtt.topic import level, namer

_dump = msgspec.json.encode
_GOODBYE = 3.0  # seconds for the last message and the DISCONNECT
_SCHEMAS = 1024  # topics kept: after a reload the store hands out new schemas
_URGENCY = (Denied, Unavailable, Rejected)  # of several errors in a batch the first kind is raised: it loses nothing


def build(config: SinkConfig, gateway: Gateway) -> "MqttSink":
    return MqttSink(cast(Config, config), gateway)


class MqttSink:
    """Makes a fresh connection at each `open()`; what it learnt of the broker stays.

    `open` and `send` raise Denied (not authorised, or the broker takes no QoS 1) and Unavailable; `send` also Rejected,
    for messages that this broker will never take. Whatever is raised, `done` names what the broker has confirmed; a
    frame that went as parts is confirmed when all its parts are.
    """

    ordered = False

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.limit = config.batch
        self.window = -(-config.window // config.batch) + 1  # one more than fills the window: it never runs dry
        self._gateway = gateway.id
        self._where = config.where
        self._goodbye = min(_GOODBYE, config.timeout)
        self._encode = Encoder(gateway.id).encode
        self._topic = namer(config.topic, gateway.id, gateway.site)
        self._heads: dict[Schema, bytes] = {}
        self._status_topic = f"floorgate/{level(gateway.id)}/$status"
        self._last_words = _dump({"gateway": gateway.id, "state": "offline", "reason": "connection lost"})
        self._started = time.time_ns() // 1_000_000
        self._learnt = Learnt()
        self._dialler = Dialler(config, gateway, self._learnt)
        self._connection: Connection | None = None

    async def open(self) -> None:
        await self.close()
        if self._learnt.shut:
            raise self._shut(self._learnt.shut)
        connection = await self._dialler.connect(Will(self._status_topic, self._last_words, retain=True))
        greeted = False
        try:
            await self._greet(connection)
            greeted = True
        finally:
            if not greeted:
                connection.discard()
        self._connection = connection

    async def send(self, batch: Batch) -> None:
        connection = self._connection
        if connection is None:
            raise Unavailable(f"{self._where}: not connected")
        messages, owners, errors = self._written(connection, batch)
        results, failure = await connection.publisher.publish(messages)
        if failure is None and not errors and codes.CONFIRMED.issuperset(results):
            return
        confirmed = set(owners)
        for owner, message, code in zip(owners, messages, results, strict=True):
            if code not in codes.CONFIRMED:
                confirmed.discard(owner)
                errors += self._unconfirmed(batch[owner], message, code)
        raise _worst([*errors, *([failure] if failure else [])], [batch[owner].seq for owner in confirmed])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            failure = connection.failure
            if failure is not None:
                self._learnt.lost(connection.publisher.outbox.under_way(), hung_up=isinstance(failure, HungUp))
            await connection.finish(self._status(connection, "offline", reason="stopped"), self._goodbye)

    async def _greet(self, connection: Connection) -> None:
        if connection.limits.qos == 0:
            raise codes.refused(codes.NO_QOS, self._where)
        online = self._status(connection, "online", version=__version__, started=self._started)
        (code,), failure = await connection.publisher.publish([online])
        if failure is not None:
            raise failure
        if code not in codes.CONFIRMED:
            raise codes.unconfirmed(code, f"{self._where}: status to {self._status_topic}", self._status_topic)

    def _status(self, connection: Connection, state: str, **more: object) -> Message:
        status = {"gateway": self._gateway, "state": state, "ts": time.time_ns() // 1_000_000, **more}
        head = packet.topic_head(self._status_topic.encode())
        return head, _dump(status), connection.limits.retain

    def _head(self, schema: Schema) -> bytes:
        head = self._heads.get(schema)
        if head is None:
            if len(self._heads) >= _SCHEMAS:
                del self._heads[next(iter(self._heads))]
            head = self._heads[schema] = packet.topic_head(self._topic(schema))
        return head

    def _written(self, connection: Connection, batch: Batch) -> tuple[list[Message], Sequence[int], list[SinkError]]:
        """The messages, the position in the batch of each one's frame, and why a frame has none."""
        messages: list[Message] = [(self._head(entry.frame.schema), self._encode(entry), False) for entry in batch]
        limits = self._learnt.limits(connection.limits.packet)
        if limits[0] == packet.LARGEST or max(map(connection.size, messages), default=0) <= limits[0]:
            return messages, range(len(batch)), []
        whole, messages, owners, errors = messages, [], [], []
        for index, message in enumerate(whole):
            pieces = self._cut(connection, batch[index], message, *limits)
            messages += pieces
            owners += [index] * len(pieces)
            errors += [] if pieces else [self._too_large(connection, batch[index], limits[1])]
        return messages, owners, errors

    def _cut(self, connection: Connection, entry: Entry, message: Message, aim: int, most: int) -> list[Message]:
        """The message itself where it fits, else its parts; none when a single value does not fit."""
        if connection.size(message) <= aim:
            return [message]
        head, _, retain = message

        def fits(payload: bytes, alone: bool) -> bool:
            return connection.size((head, payload, retain)) <= (most if alone else aim)

        return [(head, payload, retain) for payload in cut(entry, self._encode, fits)]

    def _too_large(self, connection: Connection, entry: Entry, limit: int) -> SinkError:
        """Nothing of the frame is sent, for one of its values alone makes a packet that is larger than `limit`."""
        if self._learnt.only_guessed(limit + 1, connection.limits.packet):
            return self._shut(packet.topic((self._head(entry.frame.schema), b"", False)))
        return Rejected(
            f"{self._where}: frame {entry.seq} of {entry.frame.schema.device} holds a value that alone makes a packet"
            f" of more than the {limit:,} bytes that the broker takes",
            hint="raise the broker's maximum packet size",
        )

    def _shut(self, topic: str) -> SinkError:
        """Next time all is tried anew: only a change at the broker can help, and it may have come by then."""
        self._learnt.forget_hang_ups()
        return codes.shut(self._where, topic)

    def _unconfirmed(self, entry: Entry, message: Message, code: int) -> list[SinkError]:
        if code == codes.UNCONFIRMED:
            return []
        topic = packet.topic(message)
        return [codes.unconfirmed(code, f"{self._where}: frame {entry.seq} to {topic}", topic)]


def _worst(errors: Sequence[SinkError], done: Sequence[int]) -> SinkError:
    worst = min(errors, key=lambda error: [isinstance(error, kind) for kind in _URGENCY].index(True))
    return type(worst)(str(worst.args[0]), hint=worst.hint, done=ranges(done))
