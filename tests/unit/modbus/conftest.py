"""One real Modbus server for all tests of a worker."""

from collections.abc import Iterator

import pytest

from tests.sim.fixtures import libmodbus_server


@pytest.fixture(scope="session")
def libmodbus() -> Iterator[str]:
    """The endpoint of a libmodbus server."""
    with libmodbus_server() as port:
        yield f"tcp://127.0.0.1:{port}"
