"""A platform that takes frames by HTTP as a sink: requests of many frames, several under way, each answered by 2xx."""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

from agent.model.errors import SinkError, Unavailable
from agent.model.frame import Entry
from agent.northbound import trust
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.http import identity
from agent.northbound.http.answer import TOO_LARGE, Answer, pause, verdict
from agent.northbound.http.bodies import Bodies, Body, Room, pieces
from agent.northbound.http.client import Client, Late
from agent.northbound.http.config import Config

_THREAD = 64 << 10  # bytes of a text from which on it is compressed in a thread


def build(config: SinkConfig, gateway: Gateway) -> "HttpSink":
    return HttpSink(cast(Config, config), gateway)


class HttpSink:
    """Makes fresh connections at each `open()`, with the certificates as they are then.

    `send` returns when every entry was answered with 2xx. It raises Unavailable, Denied and Rejected as the platform's
    answers say; `done` names what was answered with 2xx before. `open` raises Unavailable also while the platform
    wants to be left alone (`Retry-After`).
    """

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.ordered = config.ordered
        self.limit = config.batch
        self.window = 1 if config.ordered else config.window
        self._config, self._where = config, config.where
        self._bodies = Bodies(config, gateway.id)
        self._compresses = config.compress != "none"
        self._room = Room(config.timeout)
        self._client: Client | None = None
        self._closed_until = 0.0  # monotonic
        self._why: SinkError | None = None
        self._expiry = trust.Expiry(gateway.house.noticed, tell=gateway.house.certified)
        self._house = gateway.house
        self._next_look = 0.0  # at certificates, monotonic

    async def open(self) -> None:
        await self.close()
        if self._why is not None and time.monotonic() < self._closed_until:
            raise Unavailable(self._why.message, hint=self._why.hint)
        config, tls = self._config, None
        if config.tls:
            tls = await asyncio.to_thread(trust.context, self._where, config.ca, config.cert, config.key)
        headers = {**await asyncio.to_thread(identity.headers, config), **self._bodies.headers}
        client, reached = Client(config, headers, await asyncio.to_thread(identity.way, config), tls), False
        try:
            await self._look(client)
            reached = True
        finally:
            if not reached:
                await client.close()
        self._client = client

    async def send(self, batch: Batch) -> None:
        client = self._client
        if client is None:
            raise Unavailable(f"{self._where}: not connected")
        if self._config.tls and time.monotonic() >= self._next_look:
            await self._look(client)
        done = 0
        waiting: list[Sequence[Entry]] = [batch] if batch else []
        try:
            while waiting:
                entries = waiting.pop()
                smaller = await self._push(client, entries)
                waiting += reversed(smaller)
                done += 0 if smaller else len(entries)
        except SinkError as error:
            if done:
                error.done = ((batch[0].seq, batch[done - 1].seq),)
            raise

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _look(self, client: Client) -> None:
        """Is the platform there, and for how long are the certificates good?"""
        config = self._config
        shown = await client.reach()
        if config.tls:
            files = await asyncio.to_thread(trust.files, config.ca, config.cert)
            self._expiry.judge([shown, *files])
            self._next_look = time.monotonic() + trust.LOOK

    async def _push(self, client: Client, entries: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Deliver all of these, or say in which pieces they are to be delivered instead."""
        text = self._bodies.text(entries)
        if len(entries) > 1 and len(text) > self._room.bytes:
            return pieces(entries, len(text), self._room.bytes)
        body = await self._body(text)
        began = time.monotonic()
        self._house.sent(body.size)
        try:
            answer = await client.post(body)
        except Late:
            self._room.late(body.size)
            raise
        if answer.delivered:
            self._room.taken(body.size, time.monotonic() - began)
            return []
        if answer.status == TOO_LARGE:
            self._room.too_large(body.size)
            if len(entries) > 1:
                return pieces(entries, body.size, self._room.bytes)
        raise self._refused(answer)

    async def _body(self, text: bytes) -> Body:
        if self._compresses and len(text) >= _THREAD:
            return await asyncio.to_thread(self._bodies.body, text)
        return self._bodies.body(text)

    def _refused(self, answer: Answer) -> SinkError:
        error = verdict(answer, self._where)
        seconds = pause(answer, time.time())
        if seconds and isinstance(error, Unavailable):
            text = f"{error.message}; it wants to be left alone for {seconds:g} s"
            self._why = error = Unavailable(text, hint=error.hint)
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)
        return error
