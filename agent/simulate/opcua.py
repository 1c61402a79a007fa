"""A simulated OPC UA server (asyncua): the nodes of the devices at one endpoint, with values that move."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC
from typing import Any, cast

from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.server import Server as UaServer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from agent.model.errors import AgentError
from agent.model.frame import Value
from agent.simulate.device import Simulated
from agent.simulate.gate import Gate
from agent.simulate.nodes import VARIANTS, Leaf, Space
from agent.simulate.papers import HOSTNAME, URI, Papers
from agent.simulate.servers import HOST
from drivers.opcua.config import Config

MAKER = "Floorgate"
_FASTEST, _SLOWEST = 0.25, 5.0  # seconds between two values of a device
_TYPES = ua.SecurityPolicyType
_POLICIES = {
    "Basic256Sha256": (_TYPES.Basic256Sha256_SignAndEncrypt, _TYPES.Basic256Sha256_Sign),
    "Aes128Sha256RsaOaep": (_TYPES.Aes128Sha256RsaOaep_SignAndEncrypt, _TYPES.Aes128Sha256RsaOaep_Sign),
    "Aes256Sha256RsaPss": (_TYPES.Aes256Sha256RsaPss_SignAndEncrypt, _TYPES.Aes256Sha256RsaPss_Sign),
}
_WELL, _ILL = ua.StatusCode(ua.UInt32(0)), ua.StatusCode(ua.UInt32(StatusCodes.BadDeviceFailure))
_MAKE: dict[str, type] = {"bool": bool, "str": str, "float32": float, "float64": float}


class Users:
    """Who may log in: those of the file, with their passwords; everybody where a device of it has no user."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self._open = any(not config.user and not config.user_certificate for config in configs)
        self._certified = any(config.user_certificate for config in configs)
        self._known = {
            config.user: config.password.get_secret_value() if config.password else ""
            for config in configs
            if config.user
        }

    def get_user(
        self,
        iserver: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,
    ) -> User | None:
        del iserver
        if username:
            return User(role=UserRole.User) if self._known.get(username) == (password or "") else None
        if certificate is not None and self._certified:
            return User(role=UserRole.User)
        return User(role=UserRole.User) if self._open else None


class OpcuaServer:
    """Implements `servers.Server`."""

    def __init__(
        self, endpoint: str, configs: Sequence[Config], devices: Sequence[Simulated], leaves: list[Leaf], papers: Papers
    ) -> None:
        self.endpoint, self._configs, self._devices, self._papers = endpoint, configs, devices, papers
        self._leaves = leaves
        self._server = UaServer(user_manager=cast(Any, Users(configs)))
        self._gate = Gate(devices)
        self._last: dict[ua.NodeId, object] = {}

    @property
    def secured(self) -> bool:
        return any(config.security != "none" for config in self._configs)

    @property
    def host(self) -> str:
        """The name in its certificate: that of the endpoint here, or the one that the file says."""
        return next((config.certificate_host for config in self._configs if config.certificate_host), HOSTNAME)

    async def start(self, port: int) -> str:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
        server = self._server
        await server.init()
        server.name, server.manufacturer_name, server.product_uri = f"{MAKER} simulation", MAKER, URI
        await server.set_application_uri(URI)
        server.set_security_policy(list(self._policies()))
        if self.secured:
            cert, key = self._papers.pem(self.host)
            await server.load_certificate(cert)
            await server.load_private_key(key)
        await Space(server).build(self._leaves)
        try:
            port = await self._gate.listen(HOST, port)
        except OSError as error:
            said = f"{self.endpoint}: cannot listen on {HOST}:{port}: {error.strerror or error}"
            raise AgentError(said, hint="name another first port with --port") from error
        host = HOSTNAME if self.secured else HOST
        at = self.endpoint.removeprefix("opc.tcp://").partition("/")[2]
        url = f"opc.tcp://{host}:{port}{'/' * bool(at)}{at}"
        server.set_endpoint(url)
        server.socket_address = (HOST, 0)
        await server.start()
        assert server.bserver is not None
        self._gate.open(server.bserver)
        await self._move(self._devices)
        return url

    def _policies(self) -> Iterator[ua.SecurityPolicyType]:
        yield _TYPES.NoSecurity  # also for the question what there is
        for name, types in _POLICIES.items():
            if any(config.security in (name, "auto") for config in self._configs):
                yield from types

    async def run(self) -> None:
        """Move the values of each device as often as it is read, within reason."""
        paces = [min(max(_pace(config), _FASTEST), _SLOWEST) for config in self._configs]
        loop = asyncio.get_running_loop()
        due = [loop.time()] * len(paces)
        while True:
            await asyncio.sleep(max(0.0, min(due) - loop.time()))
            now = loop.time()
            moving = [at for at, when in enumerate(due) if when <= now]
            for at in moving:
                due[at] = now + paces[at]
            await self._move([self._devices[at] for at in moving])

    async def _move(self, devices: Sequence[Simulated]) -> None:
        space = self._server.iserver.aspace
        moment = ua.DateTime.fromtimestamp(time.time(), UTC)
        states = {device.name: device.state for device in devices}
        for leaf in self._leaves:
            state = states.get(leaf.device.name)
            if state is None or leaf.node is None:
                continue
            if leaf.writable and self._written(leaf.node):
                continue
            made = [_typed(leaf.device.value(tag), leaf.dtype) for tag in leaf.tags]
            value = made if leaf.array else made[0]
            status = _ILL if state == "exception" else _WELL
            self._last[leaf.node] = value
            held = ua.DataValue(ua.Variant(value, VARIANTS[leaf.dtype]), status, moment, moment)
            await space.write_attribute_value(leaf.node, AttributeIds.Value, held)

    def _written(self, node: ua.NodeId) -> bool:
        """Whether somebody has written to it since: then it stays as it is."""
        held = self._server.iserver.aspace.read_attribute_value(node, AttributeIds.Value)
        return node in self._last and held.Value is not None and held.Value.Value != self._last[node]

    async def follow(self) -> None:
        await self._gate.follow()

    async def stop(self) -> None:
        await self._gate.stop()
        with suppress(OSError, RuntimeError):
            await self._server.stop()


def _pace(config: Config) -> float:
    return min([config.interval, *(group.interval for group in config.groups.values())])


def _typed(value: Value, dtype: str) -> object:
    return _MAKE.get(dtype, int)(0 if value is None else value)
