"""Takes every frame for delivered, and passes commands on."""

import asyncio
import time
from pathlib import Path

from agent.northbound.api import Batch, Gateway, Sink
from agent.northbound.command import Unreadable, parse, reply
from agent.northbound.house import Answer, Command
from tests.sim.pipe.config import Config

LARGEST = 1 << 20


class Pipe:
    """Implements `agent.northbound.api.Sink`."""

    ordered, window, limit = False, 1, 500

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self._path, self._house = config.socket, gateway.house
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        await self.close()
        Path(self._path).unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LARGEST)

    async def send(self, batch: Batch) -> None:
        del batch

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._take(line, writer)
        except (ConnectionError, asyncio.CancelledError):
            return  # a cancelled handler would be told as an error by asyncio
        finally:
            self._house.drop()
            writer.close()

    def _take(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        def answered(command: Command, answer: Answer) -> None:
            if not writer.is_closing():
                writer.write(reply(command, answer, time.time_ns()) + b"\n")

        try:
            command = parse(line)
        except Unreadable as error:
            answered(error.told, error.answer)
            return
        self._house.submit(command, lambda answer: answered(command, answer))


def build(config: Config, gateway: Gateway) -> Sink:
    return Pipe(config, gateway)
