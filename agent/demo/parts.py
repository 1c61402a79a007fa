"""The processes that the demo starts: each is `floorgate demo --part NAME`, which a frozen executable can do too."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any

from agent.demo.children import end_with_parent, floorgate
from agent.demo.site import PRESS

BROKER, AGENT = "broker", "agent"
CONFIG, DATA = "floorgate.yaml", "data"  # in the folder where the demo starts its parts


def act(part: str, port: int, parent: int) -> None:
    """Be that part until told to end, or until the process `parent` is gone."""
    end_with_parent(parent)
    if part == AGENT:
        command = [*floorgate(), "run", "-c", CONFIG, "--data", DATA]
        os.execv(command[0], command)  # noqa: S606  # our own executable; the agent keeps this process's id and guard
    logging.basicConfig(level=logging.CRITICAL)
    with asyncio.Runner(
        loop_factory=asyncio.SelectorEventLoop
    ) as runner:  # the usual one of Windows does not do for MQTT
        runner.run(_server(part, port))


def _server(part: str, port: int) -> Coroutine[Any, Any, None]:
    if part == BROKER:
        from agent.demo import broker  # noqa: PLC0415  # each part loads its own library only

        return broker.serve(port)
    if part == PRESS:
        from agent.demo import press  # noqa: PLC0415  # as above

        return press.serve(port)
    from agent.demo import meters  # noqa: PLC0415  # as above

    return meters.serve(part, port)
