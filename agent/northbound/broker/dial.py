"""Gets a connection: reads the certificates, chooses the protocol version, and does without what the broker lacks."""

import asyncio
from dataclasses import replace

from pydantic import SecretStr

from agent.model.errors import SinkError, Unavailable
from agent.northbound import trust
from agent.northbound.api import Gateway, fresh
from agent.northbound.broker.client import Connection, Protocol, Target, Will
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.refusal import NoRetain, NotSpoken
from agent.northbound.broker.route import Route

_HANG_UPS = 2  # in a row, before 3.1.1 is tried: a single one may be a broker that is just starting or stopping


class Dialler:
    """Lives as long as a sink, and remembers between connections what the broker speaks.

    Under 3.1.1 a refused publish cannot be seen, so `auto` goes there only when the broker says that it does not
    speak 5, or has twice hung up or said nothing when asked, and was never seen to speak it.
    """

    def __init__(self, config: BrokerConfig, gateway: Gateway, learnt: Learnt) -> None:
        self._config, self._gateway, self._learnt = config, gateway, learnt
        self._speaks_5 = False
        self._hang_ups = 0
        self._expiry = trust.Expiry(gateway.house.noticed, tell=gateway.house.certified)
        self._next_look: asyncio.TimerHandle | None = None

    async def connect(self, will: Will | None = None) -> Connection:
        """A connection that is logged in; the broker publishes `will` when it breaks. Raises Denied or Unavailable."""
        connection = await self._connect(await self._target(will))
        self._look_later(connection)
        return connection

    def _look_later(self, connection: Connection) -> None:
        """Certificates expire while a connection stands, and new files come."""
        if self._next_look is not None:
            self._next_look.cancel()
        if self._config.tls and connection.failure is None:
            self._expiry.judge([connection.shown])
            self._next_look = asyncio.get_running_loop().call_later(trust.LOOK, self._look, connection)

    def _look(self, connection: Connection) -> None:
        config = self._config
        files = asyncio.get_running_loop().run_in_executor(None, trust.files, config.ca, config.cert)
        files.add_done_callback(lambda done: None if done.cancelled() else self._expiry.judge(done.result()))
        self._look_later(connection)

    async def _connect(self, target: Target) -> Connection:
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
        connection = self._made(target, protocol)
        try:
            await connection.start()
        except NoRetain:
            if target.will is None or not target.will.retain:
                raise
            target = replace(target, will=target.will._replace(retain=False))
            connection = self._made(target, protocol)
            await connection.start()
        return connection

    def _made(self, target: Target, protocol: Protocol) -> Connection:
        connection = Connection(target, protocol, self._learnt, self._config.window)
        connection.on_sent = self._gateway.house.sent
        return connection

    async def _target(self, will: Will | None) -> Target:
        config = self._config
        context = None
        if config.tls:
            context = await asyncio.to_thread(trust.context, config.where, config.ca, config.cert, config.key)
            self._expiry.judge(await asyncio.to_thread(trust.files, config.ca, config.cert))
        way = config.way_out
        if way is not None:
            way = replace(way, password=await self._fresh(config.proxy_password, "proxy_password"))
        return Target(
            route=Route(config.where, config.host, config.port, config.timeout, context, config.path, way),
            username=config.username,
            password=await self._fresh(config.password, "password"),
            client_id=config.client_id or f"floorgate-{self._gateway.id}-{config.name}",
            keepalive=config.keepalive,
            will=will,
        )

    async def _fresh(self, secret: SecretStr | None, which: str) -> str:
        """As it is now: a token that stands in a file may have been renewed there."""
        if secret is None:
            return ""
        try:
            return await asyncio.to_thread(fresh, secret)
        except (OSError, ValueError) as error:
            text = f"{self._config.where}: `{which}` cannot be read: {error}"
            raise Unavailable(text, hint="look at its file") from None
