"""An OPC UA server that holds instances of companion specifications: `python opcua_instance.py CASE.yaml…`.

Each file tells the ways, types and values of an instance at /Objects/urn:floorgate:maker;NAME-OF-THE-FILE.
Namespaces are registered in another order than the file has them, behind fillers. It says `ready PORT`, and ends when
its standard input ends.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from asyncua import Server, ua
from asyncua.common.node import Node
from opcua_server import free_port

MAKER = "urn:floorgate:maker"


def held(kind: str, value: Any) -> ua.Variant:
    found = value
    if kind == "LocalizedText":
        found = ua.LocalizedText(value)
    elif kind == "NodeId":
        found = ua.NodeId(value, 0)
    elif kind == "DateTime":
        found = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    return ua.Variant(found, ua.VariantType[kind])


async def build(server: Server, case: Path, maker: int) -> None:
    told = yaml.safe_load(case.read_text("utf-8"))
    spaces = {}
    for prefix, uri in reversed(told["namespaces"].items()):
        spaces[prefix] = await server.register_namespace(uri)
    prefix, _, name = told["type"].partition(":")
    kind = await server.nodes.base_object_type.add_object_type(spaces[prefix], name)
    top = await server.nodes.objects.add_object(maker, case.stem, objecttype=kind.nodeid)
    made: dict[str, Node] = {"": top}
    for each in sorted(told["nodes"], key=lambda each: str(each["way"])):
        way = each["way"].split("/")
        for depth in range(1, len(way)):
            await _object(made, way[:depth], spaces)
        prefix, _, name = way[-1].partition(":")
        parent = made["/".join(way[:-1])]
        made[each["way"]] = await parent.add_variable(spaces[prefix], name, held(each["type"], each["value"]))


async def _object(made: dict[str, Node], way: list[str], spaces: dict[str, int]) -> None:
    here = "/".join(way)
    if here not in made:
        prefix, _, name = way[-1].partition(":")
        made[here] = await made["/".join(way[:-1])].add_object(spaces[prefix], name)


async def main(cases: list[Path]) -> None:
    port = free_port()
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/floorgate")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for number in range(3):
        await server.register_namespace(f"urn:floorgate:filler{number}")
    maker = await server.register_namespace(MAKER)
    for case in cases:
        await build(server, case, maker)
    async with server:
        print("ready", port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main([Path(path) for path in sys.argv[1:]]))
