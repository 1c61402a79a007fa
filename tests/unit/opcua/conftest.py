"""A server that the tests of this folder share, and devices that read it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from drivers.api import LineConfig
from drivers.opcua.config import Config
from drivers.opcua.driver import OpcuaPoller, build
from tests.sim.opcua_canned import Connection, Plant
from tests.sim.opcua_fixtures import NAMESPACE, OpcuaServer, asyncua_server, machine_server, node_opcua_server

Connect = Callable[..., Any]


class Canned(NamedTuple):
    plant: Plant
    endpoint: str

    def tell(self, **values: Any) -> None:
        """Have the server say that these nodes changed."""
        for subscription in self.plant.subscriptions.values():
            changed = [(handle, values[name]) for handle, name in subscription.items.values() if name in values]
            if changed:
                subscription.first += changed


@pytest.fixture(scope="session")
def plant() -> Iterator[OpcuaServer]:
    """One asyncua server for all tests that leave it alive."""
    with asyncua_server(values=50, interval=0.05) as server:
        yield server


@pytest.fixture(scope="session")
def press() -> Iterator[OpcuaServer]:
    """One node-opcua server: at most 20 nodes a read, 10 monitored items a call."""
    with node_opcua_server(tags=50, interval=100) as server:
        yield server


@pytest.fixture(scope="session")
def machine() -> Iterator[OpcuaServer]:
    """Another one, with all kinds of nodes: at most 5 nodes a browse, 3 continuation points, 30 nodes a read."""
    with machine_server() as server:
        yield server


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(endpoint, {tag: node or (node, type)}, **options)` gives an open device, which the fixture closes."""
    async with AsyncExitStack() as stack:

        async def make(endpoint: str, tags: dict[str, Any], **options: Any) -> OpcuaPoller:
            driver = device(endpoint, tags, **options)
            stack.push_async_callback(driver.close)
            await driver.open()
            return driver

        yield make


@pytest.fixture
async def canned() -> AsyncIterator[Canned]:
    """A server of ours in this very loop, whose `plant` a test changes; see `tests/sim/opcua_canned.py`."""
    plant = Plant({name: float(number) for number, name in enumerate("ABCDE")})
    server = await asyncio.get_running_loop().create_server(lambda: Connection(plant), "127.0.0.1", 0)
    async with server:
        yield Canned(plant, f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")


def device(endpoint: str, tags: dict[str, Any], *, timeout: float = 2.0, **options: Any) -> Any:
    """A device that is not yet open, of which all tags may be written.

    A node without a namespace lies in the plant's.
    """
    listed = []
    for name, where in tags.items():
        node, kind, *more = where if isinstance(where, tuple) else (where, None)
        node = node if "=" in node or node.startswith("/") else f"nsu={NAMESPACE};s={node}"
        listed.append({"name": name, "node": node, "type": kind, "write": {}, **dict(*more)})
    settings = {"name": "press-3", "driver": "opcua", "security": "none", "interval": "100ms", **options}
    config = Config.model_validate({**settings, "endpoint": endpoint, "tags": listed})
    return build(LineConfig(endpoint=endpoint, timeout=f"{timeout}s"), [config])[0]
