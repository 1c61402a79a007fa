"""An MQTT broker as a sink: frames as JSON, QoS 1, confirmed one by one, with presence on a status topic."""

import time
from collections.abc import Sequence
from typing import cast

import msgspec

from agent import __version__
from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.tag import Schema
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.encode import Encoder
from agent.northbound.mqtt import codes, packet
from agent.northbound.mqtt.client import Connection
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.dial import Dialler
from agent.northbound.mqtt.outbox import Message, ranges
from agent.northbound.mqtt.topic import level, namer

_GOODBYE = 3.0  # seconds for the last message and the DISCONNECT
_SCHEMAS = 1024  # topics kept: after a reload the store hands out new schemas
_URGENCY = (Denied, Unavailable, Rejected)  # of several errors in a batch the first kind is raised: it loses nothing


def build(config: SinkConfig, gateway: Gateway) -> "MqttSink":
    return MqttSink(cast(Config, config), gateway)


class MqttSink:
    """Makes a fresh connection at each `open()`; what it learnt of the broker stays.

    `open` and `send` raise Denied (not authorised, or the broker takes no QoS 1) and Unavailable; `send` also Rejected,
    for messages that this broker will never take. Whatever is raised, `done` names what the broker has confirmed.
    """

    ordered = False

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.limit = config.batch
        self.window = -(-config.window // config.batch) + 1  # one more than fills the window: it never runs dry
        self._gateway = gateway.id
        self._where = f"mqtt {config.host}:{config.port}"
        self._goodbye = min(_GOODBYE, config.timeout)
        self._encode = Encoder(gateway.id).encode
        self._topic = namer(config.topic, gateway.id, gateway.site)
        self._heads: dict[Schema, bytes] = {}
        self._status_topic = f"floorgate/{level(gateway.id)}/$status"
        self._started = time.time_ns() // 1_000_000
        self._dialler = Dialler(config, self._where, gateway.id, self._status_topic)
        self._connection: Connection | None = None
        self._too_large: int | None = None  # bytes of a packet that the broker closed a connection over

    async def open(self) -> None:
        await self.close()
        connection = await self._dialler.connect()
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
        messages: list[Message] = [(self._head(entry.frame.schema), self._encode(entry), False) for entry in batch]
        errors = self._oversize(connection, batch, messages)
        fitting = [index for index in range(len(batch)) if index not in errors] if errors else range(len(batch))
        results, failure = await connection.publisher.publish([messages[index] for index in fitting])
        if failure is None and not errors and codes.CONFIRMED.issuperset(results):
            self._dialler.succeeded()
            return
        self._too_large = connection.too_large or self._too_large
        done = []
        for index, code in zip(fitting, results, strict=True):
            if code in codes.CONFIRMED:
                done.append(batch[index].seq)
            elif code != codes.UNCONFIRMED:
                topic = messages[index][0][2:].decode()
                errors[index] = codes.unconfirmed(code, f"{self._where}: frame {batch[index].seq} to {topic}", topic)
        raise _worst([*errors.values(), *([failure] if failure else [])], done)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.publisher.failure is not None and len(connection.publisher.outbox):
                self._dialler.failed()
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
        return head, msgspec.json.encode(status), connection.limits.retain

    def _head(self, schema: Schema) -> bytes:
        head = self._heads.get(schema)
        if head is None:
            if len(self._heads) >= _SCHEMAS:
                del self._heads[next(iter(self._heads))]
            head = self._heads[schema] = packet.topic_head(self._topic(schema))
        return head

    def _oversize(self, connection: Connection, batch: Batch, messages: Sequence[Message]) -> dict[int, SinkError]:
        """What the broker will not take for its size, by position in the batch."""
        known = [connection.limits.packet, self._too_large - 1 if self._too_large else None]
        limit = min((size for size in known if size is not None), default=None)
        if limit is None:
            return {}
        sizes = (packet.publish_size(head, payload, connection.properties) for head, payload, _ in messages)
        return {
            index: Rejected(
                f"{self._where}: frame {batch[index].seq} of {batch[index].frame.schema.device} makes a packet of"
                f" {size:,} bytes, the broker takes {limit:,}",
                hint="raise the broker's maximum packet size, or put fewer tags into the scan group",
            )
            for index, size in enumerate(sizes)
            if size > limit
        }


def _worst(errors: Sequence[SinkError], done: Sequence[int]) -> SinkError:
    worst = min(errors, key=lambda error: [isinstance(error, kind) for kind in _URGENCY].index(True))
    return type(worst)(str(worst.args[0]), hint=worst.hint, done=ranges(done))
