"""Gets a connection: reads the certificates, chooses the protocol version, and does without what the broker lacks."""

import asyncio

import msgspec

from agent.model.errors import SinkError
from agent.northbound.mqtt import tls
from agent.northbound.mqtt.client import Connection, NoRetain, NotSpoken, Protocol, Target
from agent.northbound.mqtt.config import Config
from agent.northbound.mqtt.learnt import Learnt

_HANG_UPS = 2  # in a row, before 3.1.1 is tried: a single one may be a broker that is just starting or stopping


class Dialler:
    """Remembers between connections what the broker speaks.

    Under 3.1.1 a refused publish cannot be seen, so `auto` goes there only when the broker says that it does not
    speak 5, or has twice hung up or said nothing when asked, and was never seen to speak it.
    """

    def __init__(self, config: Config, where: str, gateway: str, status_topic: str, learnt: Learnt) -> None:
        self._config, self._where, self._learnt = config, where, learnt
        self._gateway, self._status_topic = gateway, status_topic
        self._speaks_5 = False
        self._hang_ups = 0

    async def connect(self) -> Connection:
        """A connection that is logged in. Raises Denied or Unavailable."""
        target = await self._target()
        if self._config.protocol != "auto":
            return await self._dial(target, self._config.protocol)
        try:
            connection = await self._dial(target, "5")
        except NotSpoken as error:
            self._hang_ups += 1
            if not error.certain and (self._speaks_5 or self._hang_ups < _HANG_UPS):
                raise
            return await self._dial(target, "3.1.1")
        except SinkError:
            self._hang_ups = 0
            raise
        self._speaks_5, self._hang_ups = True, 0
        return connection

    async def _dial(self, target: Target, protocol: Protocol) -> Connection:
        connection = Connection(target, protocol, self._learnt, retain=True, window=self._config.window)
        try:
            await connection.start()
        except NoRetain:
            connection = Connection(target, protocol, self._learnt, retain=False, window=self._config.window)
            await connection.start()
        return connection

    async def _target(self) -> Target:
        config = self._config
        context = None
        if config.tls:
            context = await asyncio.to_thread(tls.context, self._where, config.ca, config.cert, config.key)
        return Target(
            where=self._where,
            host=config.host,
            port=config.port,
            username=config.username,
            password=config.password.get_secret_value() if config.password else "",
            client_id=config.client_id or f"floorgate-{self._gateway}-{config.name}",
            keepalive=config.keepalive,
            timeout=config.timeout,
            tls=context,
            status_topic=self._status_topic,
            last_words=msgspec.json.encode({"gateway": self._gateway, "state": "offline", "reason": "connection lost"}),
        )
