"""The plant's press on OPC UA (asyncua)."""

import asyncio
import math
import random
import time

from asyncua import ua
from asyncua.server.server import Server

from agent.demo.site import PRESS, PRESS_NAMESPACE, TAGS

BEAT = 0.5  # seconds between two changes
_KINDS = {"int64": ua.VariantType.Int64, "float64": ua.VariantType.Double}


def values(age: float) -> tuple[int, float, float]:
    """Strokes, force (kN) and oil temperature (degrees Celsius) after `age` seconds."""
    force = 400 * abs(math.sin(age)) + random.gauss(0, 1)
    return 9000 + int(age / 2), force, 55 + 5 * math.sin(age / 20)


async def serve(port: int) -> None:
    """Without security on 127.0.0.1 until cancelled; the variables change twice a second."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace(PRESS_NAMESPACE)
    press = await server.nodes.objects.add_object(space, PRESS)
    kinds = [_KINDS[tag.type] for tag in TAGS[PRESS]]
    nodes = [
        await press.add_variable(f"ns={space};s={tag.place}", tag.name, 0, varianttype=kind)
        for tag, kind in zip(TAGS[PRESS], kinds, strict=True)
    ]
    started = time.monotonic()
    async with server:
        while True:
            for node, kind, value in zip(nodes, kinds, values(time.monotonic() - started), strict=True):
                await node.write_value(value, kind)
            await asyncio.sleep(BEAT)
