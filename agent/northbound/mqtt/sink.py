"""An MQTT broker as a sink: frames as JSON, QoS 1, confirmed one by one, with presence on a status topic."""

import time
from typing import cast

import msgspec

from agent import __version__
from agent.model.errors import Rejected, SinkError, Unavailable
from agent.model.frame import Entry
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.broker import codes, packet
from agent.northbound.broker.client import Connection, Will
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.packet import Message
from agent.northbound.broker.refusal import HungUp
from agent.northbound.broker.verdict import Written, judged, worst
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.letters import Letters, Room
from agent.northbound.mqtt.orders import Orders
from agent.northbound.mqtt.topic import level

_dump = msgspec.json.encode
_GOODBYE = 3.0  # seconds for the last message and the DISCONNECT


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
        self._letters = Letters(config, gateway)
        self._status_topic = f"floorgate/{level(gateway.id)}/$status"
        self._last_words = _dump({"gateway": gateway.id, "state": "offline", "reason": "connection lost"})
        self._started = time.time_ns() // 1_000_000
        self._learnt = Learnt()
        self._dialler = Dialler(config, gateway, self._learnt)
        self._connection: Connection | None = None
        self._commanded = gateway if config.commands else None
        self._orders: Orders | None = None

    async def open(self) -> None:
        await self.close()
        if self._learnt.shut:
            raise self._shut(self._learnt.shut)
        connection = await self._dialler.connect(Will(self._status_topic, self._last_words, retain=True))
        greeted = False
        self._letters.begin(retain=connection.limits.retain)
        try:
            await self._greet(connection)
            if self._commanded:
                self._orders = Orders(self._commanded, connection)
                await self._orders.open()
            greeted = True
        finally:
            if not greeted:
                connection.discard()
        self._connection = connection

    async def send(self, batch: Batch) -> None:
        connection = self._connection
        if connection is None:
            raise Unavailable(f"{self._where}: not connected")
        written, errors = self._written(connection, batch)
        messages = written.messages
        results, failure = await connection.publisher.publish(messages)
        if failure is None and not errors and codes.CONFIRMED.issuperset(results):
            self._letters.confirmed(messages)
            return
        confirmed, refused = judged(batch, written, results, self._where)
        errors += refused
        raise worst([*errors, *([failure] if failure else [])], [batch[index].seq for index in confirmed])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if self._orders is not None:
            self._orders.close()
            self._orders = None
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

    def _written(self, connection: Connection, batch: Batch) -> tuple[Written, list[SinkError]]:
        """The messages, and why a frame has none."""
        aim, most = self._learnt.limits(connection.limits.packet)
        written = self._letters.write(batch, Room(connection.size, aim, most))
        return written, [self._too_large(connection, batch[index], most) for index in written.too_large]

    def _too_large(self, connection: Connection, entry: Entry, limit: int) -> SinkError:
        """Nothing of the frame is sent, for one of its values alone makes a packet that is larger than `limit`."""
        if self._learnt.only_guessed(limit + 1, connection.limits.packet):
            return self._shut(packet.topic((self._letters.head(entry.frame.schema), b"", False)))
        return Rejected(
            f"{self._where}: frame {entry.seq} of {entry.frame.schema.device} holds a value that alone makes a packet"
            f" of more than the {limit:,} bytes that the broker takes",
            hint="raise the broker's maximum packet size",
        )

    def _shut(self, topic: str) -> SinkError:
        """Next time all is tried anew: only a change at the broker can help, and it may have come by then."""
        self._learnt.forget_hang_ups()
        return codes.shut(self._where, topic)
