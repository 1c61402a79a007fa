"""The platform's MQTT broker (amqtt, MQTT 3.1.1)."""

import asyncio
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.session import ApplicationMessage, Session

_PLUGINS: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


class _Handover(asyncio.Queue[ApplicationMessage]):
    """Hands each message to the subscribers' queue before amqtt acknowledges it.

    amqtt itself acknowledges a message that still waits in its publisher's session, and forgets the session when the
    publisher disconnects: from Python 3.12 on, whole bursts are lost that way. A platform must not do that.
    """

    def __init__(self, broker: "PlatformBroker", session: Session) -> None:
        super().__init__()
        self._broker = broker
        self._session = session

    async def put(self, item: ApplicationMessage) -> None:
        await self._broker.hand_over(self._session, item)


class PlatformBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """A broker whose acknowledgement means that the message is on its way to every subscriber."""

    async def hand_over(self, session: Session, message: ApplicationMessage) -> None:
        await self._broadcast_message(session, message.topic, message.data)
        if message.retain:
            await self.retain_message(session, message.topic, message.data, message.qos)

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            writer.close()  # amqtt itself leaves it open when the client says nothing

    async def _handle_client_session(self, reader: Any, writer: Any, client_session: Session, *rest: Any) -> None:
        client_session.delivered_message_queue = _Handover(self, client_session)
        await super()._handle_client_session(reader, writer, client_session, *rest)


async def serve(port: int) -> None:
    """Serve on 127.0.0.1 until cancelled."""
    config = BrokerConfig(listeners={"default": ListenerConfig(bind=f"127.0.0.1:{port}")}, plugins=_PLUGINS)
    await PlatformBroker(config).start()
    await asyncio.Event().wait()
