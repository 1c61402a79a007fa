"""What several commands are tried on."""

from collections.abc import Iterator

import pytest

from tests.sim.opcua_fixtures import OpcuaServer, machine_server


@pytest.fixture(scope="session")
def machine() -> Iterator[OpcuaServer]:
    """An OPC UA server of which nodes are written and methods called."""
    with machine_server(children=1) as server:
        yield server
