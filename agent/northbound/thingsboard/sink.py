"""ThingsBoard as a sink: we are a gateway device there, our devices are behind it, telemetry goes with QoS 1."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import cast

from agent import __version__
from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.model.frame import Entry
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.broker import codes, packet
from agent.northbound.broker.client import Connection, Target, Will
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.refusal import HungUp
from agent.northbound.broker.verdict import Written, judged, worst
from agent.northbound.encode import as_json
from agent.northbound.thingsboard.config import Config
from agent.northbound.thingsboard.letters import OWN_ATTRIBUTES, TELEMETRY, Letters, Room
from agent.northbound.thingsboard.names import Names
from agent.northbound.thingsboard.rpc import Rpc

_GOODBYE = 2.0  # seconds for the disconnects of the devices, and again for our own


def build(config: SinkConfig, gateway: Gateway) -> "ThingsBoardSink":
    return ThingsBoardSink(cast(Config, config), gateway)


class _Dialler(Dialler):
    """The access token is the user name (gateway API, "Basic MQTT connection")."""

    def __init__(self, config: Config, gateway: Gateway, learnt: Learnt) -> None:
        super().__init__(config, gateway, learnt)
        self._token = config.token

    async def _target(self, will: Will | None) -> Target:
        target = await super()._target(will)
        return target if self._token is None else replace(target, username=await self._fresh(self._token, "token"))


class ThingsBoardSink:
    """Makes a fresh connection at each `open()`; what it learnt of the platform stays.

    `open` and `send` raise Denied and Unavailable; `send` also Rejected, for what the platform will never take.
    Whatever is raised, `done` names the frames of which everything was confirmed.
    """

    ordered = False

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.limit = config.batch
        self.window = -(-config.window // config.batch) + 1
        self._config, self._gateway, self._where = config, gateway, config.where
        self._names = Names(config.device, gateway.id, gateway.site)
        self._letters = Letters(
            self._names,
            config.profile,
            quality=config.quality,
            together=config.together,
            now=time.monotonic,
            places=gateway.places,
        )
        self._learnt = Learnt()
        self._dialler = _Dialler(config, gateway, self._learnt)
        self._connection: Connection | None = None
        self._rpc: Rpc | None = None

    async def open(self) -> None:
        await self.close()
        if self._learnt.shut:
            raise self._shut(self._learnt.shut)
        connection = await self._connected()
        self._letters.begin()
        greeted = False
        try:
            await self._greet(connection)
            if self._config.commands:
                began = time.monotonic()
                self._rpc = Rpc(
                    self._gateway.house,
                    connection,
                    self._names,
                    lambda device: self._letters.devices.connected.get(device, began),
                    self._config.hold_off,
                )
                await self._rpc.open()
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
        settled = False
        try:
            results, failure = await connection.publisher.publish(written.messages)
            settled = True
        finally:
            if not settled:  # some of the messages may never go
                self._letters.begin()
        if failure is None and not errors and codes.CONFIRMED.issuperset(results):
            return
        confirmed, refused = judged(batch, written, results, self._where)
        errors += refused
        if failure is None and not errors:
            return
        self._letters.forget()
        raise worst([*errors, *([failure] if failure else [])], [batch[index].seq for index in confirmed])

    def renewed(self) -> None:
        """Implements `Mindful`: devices that are no more are disconnected."""
        there = {schema.device for schema in self._gateway.house.schemas}
        if self._connection is not None:
            for message in self._letters.leave(there):
                self._connection.publisher.post(message)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if self._rpc is not None:
            self._rpc.close()
            self._rpc = None
        if connection is None:
            return
        failure = connection.failure
        if failure is not None:
            self._learnt.lost(connection.publisher.outbox.under_way(), hung_up=isinstance(failure, HungUp))
        elif self._letters.devices.connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_GOODBYE, self._config.timeout)):
                    await connection.publisher.publish(self._letters.goodbyes([*self._letters.devices.connected]))
        await connection.finish(None, min(_GOODBYE, self._config.timeout))

    async def _connected(self) -> Connection:
        try:
            return await self._dialler.connect()
        except Denied as error:
            if self._config.token is None or "`username`" not in error.hint:
                raise
            hint = "check `token`: is it the access token of a device that is a gateway?"
            raise Denied(error.message, hint=hint) from None

    async def _greet(self, connection: Connection) -> None:
        """What we are, as attributes of our own device; it shows at once whether we may say anything at all."""
        if connection.limits.qos == 0:
            raise codes.refused(codes.NO_QOS, self._where)
        about = {"gateway": self._gateway.id, "site": "/".join(self._gateway.site), "version": __version__}
        (code,), failure = await connection.publisher.publish([(OWN_ATTRIBUTES, as_json(about), False)])
        if failure is not None:
            raise failure
        if code not in codes.CONFIRMED:
            topic = packet.topic((OWN_ATTRIBUTES, b"", False))
            raise codes.unconfirmed(code, f"{self._where}: attributes of the gateway", topic)

    def _written(self, connection: Connection, batch: Batch) -> tuple[Written, list[SinkError]]:
        """The messages, and why a frame has none."""
        aim, most = self._learnt.limits(connection.limits.packet)
        around = connection.size((TELEMETRY, b"", False)) + 3  # a length of more than 127 bytes has up to four digits
        cap = self._config.max_payload
        room = Room(max(1, min(cap, aim - around)), max(1, min(cap, most - around)))
        written = self._letters.write(batch, room)
        return written, [self._too_large(connection, batch[index], room.most) for index in written.too_large]

    def _too_large(self, connection: Connection, entry: Entry, limit: int) -> SinkError:
        if limit < self._config.max_payload and self._learnt.only_guessed(limit + 1, connection.limits.packet):
            return self._shut(packet.topic((TELEMETRY, b"", False)))
        return Rejected(
            f"{self._where}: frame {entry.seq} of {entry.frame.schema.device} holds a value that alone makes a message"
            f" of more than {limit:,} bytes",
            hint="raise `max_payload`, if the platform takes more",
        )

    def _shut(self, topic: str) -> SinkError:
        """Next time all is tried anew: only a change at the platform can help, and it may have come by then."""
        self._learnt.forget_hang_ups()
        return codes.shut(self._where, topic)
