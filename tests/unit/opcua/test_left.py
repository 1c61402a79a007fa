"""A session that a failed try leaves behind at the server is closed by the next one."""

import asyncio

import pytest
from asyncua import ua

from agent.model.errors import Unreachable
from tests.sim.opcua_canned import NAMESPACE, Connection, Plant
from tests.unit.opcua.conftest import device


class Slow(Connection):
    """It takes a session, and does not come to answer `silent`."""

    silent: type = ua.ActivateSessionRequest

    def _send(self, request_id: int, body: bytes, kind: bytes = b"MSG") -> None:
        if not isinstance(self._plant.asked[-1], (self.silent, ua.CloseSessionRequest)):
            super()._send(request_id, body, kind)


@pytest.mark.parametrize("silent", [ua.ActivateSessionRequest, ua.ReadRequest])
async def test_a_session_whose_opening_was_not_answered_is_closed_by_the_next(silent: type) -> None:
    """Otherwise a server that is slow to answer runs out of sessions, one every five seconds."""
    plant = Plant({"A": 1.0})
    well = False

    def connection() -> Connection:
        made = Connection(plant) if well else Slow(plant)
        if isinstance(made, Slow):
            made.silent = silent
        return made

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    async with server:
        endpoint = f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        driver = device(endpoint, {"a": f"nsu={NAMESPACE};s=A"}, timeout=0.2)
        with pytest.raises(Unreachable, match="no answer"):
            await driver.open()
        well, before = True, len(plant.asked)
        await driver.open()
        kinds = [type(each).__name__.removesuffix("Request") for each in plant.asked[before:]]
        assert kinds[:4] == ["OpenSecureChannel", "ActivateSession", "CloseSession", "CreateSession"]
        await driver.close()
