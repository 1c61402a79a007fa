"""An OPC UA server with as many nodes as wanted: `python opcua_tree.py --port N --folders N`, 100 variables in each.

It says `ready PORT`, and ends when its standard input ends.
"""

import argparse
import asyncio
import logging
import sys

from asyncua import Server, ua
from opcua_server import free_port

NAMESPACE = "urn:floorgate:tree"


async def main(port: int, folders: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/floorgate")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    for number in range(folders):
        folder = await server.nodes.objects.add_folder(ua.NodeId(f"F{number}", index), f"F{number}")
        for place in range(100):
            await folder.add_variable(ua.NodeId(f"F{number}.V{place}", index), f"V{place}", float(place))
    async with server:
        print("ready", port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folders", type=int, default=10)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    asyncio.run(main(given.port or free_port(), given.folders))
