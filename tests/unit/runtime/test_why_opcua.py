"""The way of an OPC UA tag: what its subscription said last, a node that is not there, a server that goes away."""

import asyncio
from pathlib import Path

import pytest

from tests.sim.opcua_canned import Connection, Plant
from tests.unit.runtime.explaining import explained, running, states

SITE = """\
gateway: {{id: gw}}
devices:
  - name: press
    driver: opcua
    endpoint: opc.tcp://127.0.0.1:{port}
    security: none
    interval: 100ms
    tags: [{{name: a, node: ns=2;s=A}}, {{name: lost, node: 'nsu=urn:nowhere;s=B'}}]
sinks: [{{name: file, type: file, path: {folder}/out.jsonl}}]
buffer: {{commit: 20ms, max_size: 64MB, reserve: 64MB}}
"""


@pytest.mark.xdist_group("opcua")
async def test_what_a_subscription_said_last_is_told_in_words(tmp_path: Path) -> None:
    plant = Plant({"A": 7.5})
    made: list[Connection] = []

    def connection() -> Connection:
        made.append(Connection(plant))
        return made[-1]

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, SITE.format(port=port, folder=tmp_path)) as ask:
        well = await explained(ask, "press", "a", "", "")
        while set(states(well).values()) != {"ok"}:  # it is on its way to the disk
            well = await explained(ask, "press", "a", "", "")
        lost = await explained(ask, "press", "lost", "exchange", "failed")
        server.close()
        for each in made:
            each._transport.abort()
        away = await explained(ask, "press", "a", "line", "failed")
    seen = dict(next(stage["seen"] for stage in well["stages"] if stage["stage"] == "exchange"))
    assert (well["value"]["value"], seen["status"]) == (7.5, "Good (0x00000000)")
    assert seen["node id"] == "ns=2;s=A" and "of subscription" in seen["monitored item"]
    assert "urn:nowhere" in lost["verdict"]["wrong"] and "floorgate browse" in lost["verdict"]["hint"]
    assert "127.0.0.1" in away["verdict"]["wrong"]
