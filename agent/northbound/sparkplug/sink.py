"""A Sparkplug B edge node as a sink: births and deaths, data by alias, QoS 0 and a barrier behind each batch."""

import asyncio
import time
from contextlib import suppress
from typing import Any, cast

from agent import __version__
from agent.model.errors import Rejected, SinkError, Unavailable
from agent.northbound.api import Batch, Gateway, SinkConfig
from agent.northbound.broker.client import Connection, Will
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.broker.outbox import ranges
from agent.northbound.broker.packet import topic
from agent.northbound.broker.refusal import NotReached
from agent.northbound.gap import DEVICE
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.config import Config
from agent.northbound.sparkplug.host import Host, host
from agent.northbound.sparkplug.link import Link
from agent.northbound.sparkplug.names import Names, clean
from agent.northbound.sparkplug.session import Fits, Session
from agent.northbound.sparkplug.tree import Book, Tree

_LOOK, _LOOKS = 0.05, 40  # seconds between two looks whether there are values, and how often the first births wait so
_HOST = 60.0  # seconds to wait for the primary host before that is said to be what is wrong
_NEXT = 3.0  # seconds to wait for it where there is another broker
_LATE = 1.0  # seconds in which what was read before a change of the devices has mostly been sent
_ABOUT = [("Node Info/Product", codec.STRING, "Floorgate"), ("Node Info/Version", codec.STRING, __version__)]


def build(config: SinkConfig, gateway: Gateway) -> "SparkplugSink":
    return SparkplugSink(cast(Config, config), gateway)


class _Broker:
    """One that may be there, and what is known of it."""

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.config, self.learnt = config, Learnt()
        self.dialler = Dialler(config, gateway, self.learnt)
        self.host: Host | None = None
        if config.primary_host:
            self.host = host(config.primary_host, old=config.compat == "2.2")


class SparkplugSink:
    """Makes a fresh connection at each `open()`; aliases and what was learnt of the brokers stay.

    QoS 0 confirms nothing: a batch counts as delivered when the broker has answered what came behind it. `send` raises
    Rejected for frames that no message of this broker holds; `done` names all others then.
    """

    ordered = False
    window = 2

    def __init__(self, config: Config, gateway: Gateway) -> None:
        self.limit = config.batch
        self._config, self._house = config, gateway.house
        place = clean(gateway.site[0]) if gateway.site else "floorgate"
        self._names = Names(config.group or place, config.edge or clean(gateway.id))
        self._where, self._places = gateway.places, dict[str, str]()
        self._marker = f"floorgate/{clean(gateway.id)}/$marker"
        self._brokers = [_Broker(each, gateway) for each in config.brokers()]
        self._tree: Tree | None = None
        self._unused: int | None = None  # a bdSeq that no broker has heard of
        self._left = _LOOKS  # for first values
        self._told = 0.0  # when the node's own numbers were, monotonic
        self._link: Link | None = None
        self._turn = asyncio.Lock()
        self._news: asyncio.Future[None] | None = None  # somebody waits for other groups

    async def open(self) -> None:
        await self.close()
        try:
            self._link = await self._linked(self._brokers[0])
        except SinkError:
            self._walk()
            raise

    async def ready(self) -> None:
        """Wait for the primary host, at the start for values too, and tell what there is."""
        link = self._there()
        try:
            alone = len(self._brokers) == 1
            await link.wait(_HOST if alone else _NEXT, patient=alone)
            await self._first_values()
            async with self._turn:
                self._be_born(link)
        except Unavailable:
            self._walk()
            raise

    async def lost(self) -> None:
        link = self._there()
        while not link.over.done():
            async with self._turn:
                self._look(link)
            self._news = asyncio.get_running_loop().create_future()
            either: list[asyncio.Future[Any]] = [link.over, self._news]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([link.over], timeout=_LATE)
        self._walk()
        raise link.over.result()

    def renewed(self) -> None:
        """Implements `Mindful`: devices that are no more die, others are born anew when they have other metrics."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def send(self, batch: Batch) -> None:
        link = self._there()
        async with self._turn:
            if not link.session.born:
                await link.wait(0.0, patient=True)
                self._be_born(link)
            await link.settled()
            tree = self._known(batch)
            if tree.book.changed:
                await self._house.keep("aliases", tree.book.dump())
                await link.settled()
            written = link.session.data(batch, time.time_ns())
            link.publish(written.messages)
            self._tell_numbers(link)
        await link.barrier()
        refused = {index for index, _ in written.refused}
        sent = [entry for index, entry in enumerate(batch) if index not in refused]
        link.session.samples += sum(len(entry.frame.values) for entry in sent)
        if refused:
            raise self._too_large(batch, written.refused, [entry.seq for entry in sent])

    async def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _there(self) -> Link:
        if self._link is None:
            raise Unavailable(f"{self._config.where}: not connected")
        return self._link

    async def _linked(self, broker: _Broker) -> Link:
        """Connected, with the NDEATH as the last will, and listening."""
        tree = await self._begun()
        bdseq = await self._next_bdseq()
        session = Session(self._names, tree, bdseq, self._house.latest, about=_ABOUT, places=self._places)
        head, death, _ = session.death(time.time_ns())
        try:
            connection = await broker.dialler.connect(Will(topic((head, b"", False)), death, qos=1, retain=False))
        except NotReached:
            self._unused = bdseq
            raise
        session.fits = _fits(connection, broker.learnt)
        link = Link(
            broker.config, self._house, self._names, tree, connection, session, broker.host, marker=self._marker
        )
        listening = False
        try:
            await link.listen()
            listening = True
        finally:
            if not listening:
                connection.discard()
        return link

    async def _begun(self) -> Tree:
        """The devices as they are now. Raises StoreError."""
        if self._tree is None:
            self._tree = Tree(Book(await self._house.recall("aliases")), old=self._config.compat == "2.2")
        self._tree.begin(self._house.schemas)
        self._place()
        if self._tree.book.changed:
            await self._house.keep("aliases", self._tree.book.dump())
        return self._tree

    async def _next_bdseq(self) -> int:
        """One more than the last, over all runs, and on disk before it is used (5.4)."""
        if self._unused is not None:
            bdseq, self._unused = self._unused, None
            return bdseq
        kept, bdseq = await self._house.recall("bdseq"), 0
        with suppress(ValueError):
            bdseq = (int(kept) + 1) % 256 if kept else 0
        await self._house.keep("bdseq", str(bdseq).encode())
        return bdseq

    def _look(self, link: Link) -> None:
        """What is told of devices must be true of those that there are now."""
        assert self._tree is not None
        self._place()
        schemas, session = self._house.schemas, link.session
        gone, outdated = self._tree.lose(schemas), self._tree.outdated(schemas)
        messages = session.bury(gone, time.time_ns()) + session.renew(outdated, time.time_ns())
        if messages and not link.over.done():
            link.publish(messages)

    def _place(self) -> None:
        self._places.clear()
        self._places |= {device: "/".join(place) for device, place in self._where.items()}

    def _be_born(self, link: Link) -> None:
        if not link.session.born:
            link.check()
            self._look(link)
            link.birth()
            self._told = time.monotonic()

    async def _first_values(self) -> None:
        """Right after the start nothing was read yet, and births would tell of devices without values, or of none.

        What is worked out may come much later, and is born without a value."""
        left, self._left = self._left, 0
        for _ in range(left):
            if all(self._house.latest(schema) for schema in self._house.schemas if not schema.made):
                break
            await asyncio.sleep(_LOOK)

    def _known(self, batch: Batch) -> Tree:
        """Everything in the batch has a name and an alias."""
        assert self._tree is not None
        tree = self._tree
        fresh = {entry.frame.schema: None for entry in batch if not tree.knows(entry.frame.schema)}
        new = [schema for schema in fresh if schema.device != DEVICE]
        if new:
            now = self._house.schemas
            tree.meet(new, now)
            live = (entry.frame.schema for entry in batch if not entry.history)
            if any(schema in fresh and schema not in now for schema in live):
                self.renewed()  # it was read before the change, and its metrics are to go again
        return tree

    def _tell_numbers(self, link: Link) -> None:
        now, every = time.monotonic(), self._config.statistics
        if every and now - self._told >= every:
            self._told = now
            link.publish(link.session.statistics(time.time_ns()))

    def _walk(self) -> None:
        """The next try goes to the next broker (5.10)."""
        self._brokers.append(self._brokers.pop(0))

    def _too_large(self, batch: Batch, refused: list[tuple[int, str]], done: list[int]) -> Rejected:
        index, what = refused[0]
        return Rejected(
            f"{self._config.where}: frame {batch[index].seq}: {what} makes a packet larger than the broker takes",
            hint="raise the broker's maximum packet size, or make several devices of it",
            done=ranges(done),
        )


def _fits(connection: Connection, learnt: Learnt) -> Fits:
    _, most = learnt.limits(connection.limits.packet)
    return lambda message: connection.size(message) <= most
