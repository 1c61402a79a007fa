"""An OPC UA server for tests and the bench, in a process of its own: `python opcua_server.py [--port N] [--values N]`.

Under `urn:floorgate:plant` it has one node of each kind (see `NODES`), and `Value0` … that move every interval. It says
`ready PORT` when it can be used, and ends when its standard input ends. A line of JSON on its standard input changes a
node, and is answered with `ok`: {"node": "Temp", "value": 5.0, "status": 0, "stamp": 1700000000.5}
"""

import argparse
import asyncio
import contextlib
import json
import logging
import math
import socket
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncua import Server, ua
from asyncua.common.node import Node
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
from opcua_dictionary import add as add_dictionaries

NAMESPACE = "urn:floorgate:plant"
NODES: dict[str, tuple[Any, ua.VariantType]] = {
    "Temp": (21.5, ua.VariantType.Double),
    "Ratio": (0.5, ua.VariantType.Float),
    "Count": ((1 << 53) + 1, ua.VariantType.Int64),
    "Total": ((1 << 64) - 1, ua.VariantType.UInt64),
    "Level": (42, ua.VariantType.UInt16),
    "Running": (True, ua.VariantType.Boolean),
    "Name": ("press 3", ua.VariantType.String),
    "Row": ([1.0, 2.0], ua.VariantType.Double),
    "Tick": (0, ua.VariantType.Int64),
    "Loose": (1.0, ua.VariantType.Double),  # declared as any Number: after a bad status it takes whatever comes
}


class Plant:
    """The nodes, and how they change."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes: dict[str, tuple[Node, ua.VariantType]] = {}
        self._moving: list[Node] = []

    async def build(self, values: int, fillers: int) -> None:
        for number in range(fillers):
            await self._server.register_namespace(f"urn:floorgate:filler{number}")
        index = await self._server.register_namespace(NAMESPACE)
        plant = await self._server.nodes.objects.add_object(index, "Plant")
        for name, (value, kind) in NODES.items():
            declared = ua.NodeId(ua.ObjectIds.Number) if name == "Loose" else None
            node = await plant.add_variable(ua.NodeId(name, index), name, value, kind, declared)
            self._nodes[name] = (node, kind)
        await self._add_kinds(index, plant)
        await add_dictionaries(self._server, index, plant)
        for number in range(values):
            name = f"Value{number}"
            node = await plant.add_variable(ua.NodeId(name, index), name, float(number), ua.VariantType.Double)
            self._nodes[name] = (node, ua.VariantType.Double)
            self._moving.append(node)

    async def _add_kinds(self, index: int, plant: Node) -> None:
        """A node of every kind that is no plain number: texts, arrays, an enumeration, structures."""
        moment = datetime(2024, 2, 29, 12, 30, 0, 250_000, UTC)
        kinds: dict[str, tuple[Any, ua.VariantType]] = {
            "Moment": (moment, ua.VariantType.DateTime),
            "Blob": (b"\xde\xad", ua.VariantType.ByteString),
            "Guid": (UUID("09087e75-8e5e-499b-954f-f2a9603db28a"), ua.VariantType.Guid),
            "Where": (ua.NodeId("Temp", 3), ua.VariantType.NodeId),
            "Code": (ua.StatusCode(ua.StatusCodes.BadOutOfRange), ua.VariantType.StatusCode),
            "Label": (ua.LocalizedText("Presse", "de"), ua.VariantType.LocalizedText),
            "Qualified": (ua.QualifiedName("Temp", 2), ua.VariantType.QualifiedName),
            "Zones": ([10.5, 11.5, 12.5], ua.VariantType.Double),
            "Zones[7]": (99.0, ua.VariantType.Double),
            "Names": (["left", "right"], ua.VariantType.String),
        }
        for name, (value, kind) in kinds.items():
            self._nodes[name] = await plant.add_variable(ua.NodeId(name, index), name, value, kind), kind
        enum = await new_enum(self._server, index, "Mode", ["Off", "Manual", "Automatic"])
        point, _ = await new_struct(
            self._server,
            index,
            "Point",
            [new_struct_field("x", ua.VariantType.Double), new_struct_field("y", ua.VariantType.Float)],
        )
        pose, _ = await new_struct(
            self._server,
            index,
            "Pose",
            [
                new_struct_field("name", ua.VariantType.String),
                new_struct_field("at", point),
                new_struct_field("speeds", ua.VariantType.Int32, array=True),
                new_struct_field("note", ua.VariantType.String, optional=True),
                new_struct_field("mode", enum),
            ],
        )
        types = await self._server.load_data_type_definitions()
        held = types["Pose"](name="home", at=types["Point"](x=1.5, y=2.5), speeds=[7, 8], mode=types["Mode"].Manual)
        await plant.add_variable(ua.NodeId("Mode", index), "Mode", 2, ua.VariantType.Int32, enum.nodeid)
        await plant.add_variable(ua.NodeId("Pose", index), "Pose", held, ua.VariantType.ExtensionObject, pose.nodeid)

    async def move(self, interval: float) -> None:
        """A new value for every moving node each interval, without drift."""
        loop = asyncio.get_running_loop()
        start, tick = loop.time(), 0
        while True:
            tick += 1
            await asyncio.sleep(max(0.0, start + tick * interval - loop.time()))
            now = datetime.now(UTC)
            for number, node in enumerate(self._moving):
                value = number + math.sin(tick / 10 + number) + tick * 1e-9
                await self._write(node, ua.DataValue(ua.Variant(value, ua.VariantType.Double), SourceTimestamp=now))
            await self._write(self._nodes["Tick"][0], ua.DataValue(ua.Variant(tick, ua.VariantType.Int64)))

    async def obey(self, line: bytes) -> None:
        order = json.loads(line)
        node, kind = self._nodes[order["node"]]
        kind = ua.VariantType[order["type"]] if "type" in order else kind
        stamp = datetime.fromtimestamp(order["stamp"], UTC) if "stamp" in order else datetime.now(UTC)
        await self._write(
            node, ua.DataValue(ua.Variant(order["value"], kind), ua.StatusCode(order.get("status", 0)), stamp)
        )

    async def _write(self, node: Node, value: ua.DataValue) -> None:
        status = await self._server.iserver.aspace.write_attribute_value(node.nodeid, ua.AttributeIds.Value, value)
        status.check()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def main(arguments: argparse.Namespace) -> None:
    port = arguments.port or free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/floorgate")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    plant = Plant(server)
    await plant.build(arguments.values, arguments.fillers)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    async with server:
        print("ready", port, flush=True)
        moving = asyncio.create_task(plant.move(arguments.interval)) if arguments.interval else None
        while line := await orders.readline():
            await plant.obey(line)
            print("ok", flush=True)
        if moving:
            moving.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--values", type=int, default=10, help="how many moving nodes")
    parser.add_argument("--interval", type=float, default=0.0, help="seconds between two moves; 0: they stand still")
    parser.add_argument("--fillers", type=int, default=0, help="namespaces before ours, which move its index")
    logging.disable(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
