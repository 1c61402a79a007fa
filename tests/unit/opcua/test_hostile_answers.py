"""False lengths in answers within a session: they end it at once, and cost neither time nor memory."""

import asyncio
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import variant_from_binary

from agent.model.errors import Garbled
from drivers.opcua.eventing import EventsConfig
from drivers.opcua.events import Events, event_plan
from drivers.opcua.guard import Strict
from drivers.opcua.notify import EVENTS, Message
from drivers.opcua.session import Session
from tests.sim.hostile_opcua import header
from tests.sim.opcua_canned import NAMESPACE, Connection, Plant
from tests.unit.opcua.conftest import Connect
from tests.unit.opcua.fakes import FakeSession

BACK = struct.pack("<ii", (1 << 31) - 1, -4)  # texts of -4 bytes: each read steps back to its own length
MONITORED = 754  # CreateMonitoredItemsResponse, its encoding


class Liar(Connection):
    """Answers a request for monitored items with texts that step back."""

    def _send(self, request_id: int, body: bytes, kind: bytes = b"MSG") -> None:
        asked = self._plant.asked[-1:]
        lies = any(isinstance(each, ua.CreateMonitoredItemsRequest) for each in asked)
        super()._send(request_id, header(MONITORED, BACK) if lies else body, kind)


@pytest.fixture
async def liar() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(lambda: Liar(Plant({"A": 1.0})), "127.0.0.1", 0)
    async with server:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_answer_whose_texts_step_back_ends_the_session(liar: str, connect: Connect) -> None:
    driver = await connect(liar, {"a": f"nsu={NAMESPACE};s=A"})
    with pytest.raises(Garbled):
        async with asyncio.timeout(10):
            await anext(driver.frames())


@pytest.mark.parametrize("fields", [b"\x8c" + BACK, b"\x8f" + BACK, b"\x98" + struct.pack("<i", (1 << 31) - 1)])
def test_an_event_whose_texts_step_back_is_garbled(fields: bytes) -> None:
    session: Any = FakeSession()
    session.namespaces = {}
    source = Events(event_plan("d", EventsConfig(name="all", fields=["Message"])), cast(Session, session))
    body = struct.pack("<iIi", 1, 7, 1) + fields
    with pytest.raises(Garbled):
        source.read(Message(1, 1, others=((EVENTS, body),)), 1, 1)


@pytest.mark.parametrize(
    "dimensions",
    [[2, 3], [1_000_000, *[1] * 30], [1] * 100_000, [(1 << 31) - 1] * 200_000, [-1, 0], [0], []],
)
def test_dimensions_cost_nothing_whatever_they_say(dimensions: list[int]) -> None:
    """A few numbers would be lists within lists by the million, many of them a product of megabytes."""
    body = (
        b"\xc6" + struct.pack("<i6i", 6, *range(6)) + struct.pack(f"<i{len(dimensions)}i", len(dimensions), *dimensions)
    )
    assert list(variant_from_binary(Strict(body)).Value) == [0, 1, 2, 3, 4, 5]
