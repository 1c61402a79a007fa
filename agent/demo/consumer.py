"""The platform's own subscriber, connected straight to the broker: it misses nothing when the uplink is cut."""

import asyncio

import aiomqtt

from agent.demo.tally import Tally
from agent.model.errors import AgentError

TOPIC = "floorgate/+/+/+"  # gateway, device, group
TIMEOUT = 5.0  # seconds for the broker to answer


async def consume(port: int, tally: Tally, ready: asyncio.Event) -> None:
    """Set `ready` once subscribed, then count until cancelled. Raises AgentError when the broker goes away."""
    try:
        async with aiomqtt.Client("127.0.0.1", port, identifier="demo-platform", timeout=TIMEOUT) as client:
            await client.subscribe(TOPIC, qos=1)
            ready.set()
            async for message in client.messages:
                if isinstance(message.payload, bytes):
                    tally.add(message.payload)
    except aiomqtt.MqttError as error:
        raise AgentError(f"the platform's subscriber: {error}") from error
