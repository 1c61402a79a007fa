"""A connection to a Modbus endpoint for a person who has no configuration for it yet."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import click

from drivers.modbus.config import PORTS
from drivers.modbus.link import Request
from drivers.modbus.wires import lone_wire
from drivers.transport import Endpoint, parse_endpoint

Answers = Callable[[Request], Awaitable[bytes]]


def endpoint(ctx: click.Context, param: click.Parameter, value: str) -> Endpoint:
    """An argument of a command."""
    try:
        return parse_endpoint(value, PORTS)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@asynccontextmanager
async def connected(where: str, timeout: float) -> AsyncIterator[Answers]:
    """Connect, and let ask. Raises Unreachable; asking raises Unreachable, Garbled and Refused."""
    wire, user = lone_wire(where, timeout), object()

    async def ask(request: Request) -> bytes:
        await wire.ready(user)
        return await wire.read(request)

    try:
        await wire.open(user)
        yield ask
    finally:
        await wire.close(user)
