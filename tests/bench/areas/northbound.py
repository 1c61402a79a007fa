"""A frame of 100 floats on its way out: as JSON or Sparkplug, and through a sink to a counterpart that confirms it."""

import asyncio
import time
from collections.abc import Iterator

import rig
import stopwatch
import uvloop
from report import Row, at_most, shown

from agent import registry
from agent.model.frame import Entry
from agent.northbound.api import Gateway
from agent.northbound.encode import Encoder
from agent.northbound.house import Alone
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.tree import Book, Tree

TIMES, BATCHES = 5000, 100


def rows() -> Iterator[Row]:
    encoder, frame = Encoder("bench"), stopwatch.frame(stopwatch.schema())
    entry = Entry("0123456789abcdef", 1, False, frame)
    yield at_most("a frame as JSON: CPU", stopwatch.cpu_us(lambda: encoder.encode(entry), TIMES), 15, "µs")
    yield shown("a frame as JSON", len(encoder.encode(entry)) / stopwatch.TAGS, "bytes/sample")
    yield from _metrics(entry)
    with rig.folder() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with rig.broker(place) as port:
            cost = runner.run(_send(entry, "mqtt", url=f"mqtt://127.0.0.1:{port}"))
            yield at_most("a frame sent and confirmed, MQTT QoS 1: CPU", cost, 50, "µs")
            cost = runner.run(_send(entry, "sparkplug", url=f"mqtt://127.0.0.1:{port}"))
            yield at_most("a frame sent and confirmed, Sparkplug: CPU", cost, 40, "µs")
            cost = runner.run(_send(entry, "thingsboard", url=f"mqtt://127.0.0.1:{port}"))
            yield at_most("a frame sent and confirmed, ThingsBoard: CPU", cost, 50, "µs")
        with rig.taker(place) as port:
            for what, keys in (("", {}), (", gzip", {"compress": "gzip"}), (", columns", {"shape": "columnar"})):
                cost = runner.run(_send(entry, "http", url=f"http://127.0.0.1:{port}/", **keys))
                yield at_most(f"a frame sent and confirmed, HTTP{what}: CPU", cost, 100 if keys else 50, "µs")


def _metrics(entry: Entry) -> Iterator[Row]:
    tree, frame, ms = Tree(Book()), entry.frame, entry.frame.ts // 1_000_000
    place = tree.place(frame.schema)

    def written() -> bytes:
        metrics = place.plan.metrics(frame, historical=False)
        return codec.encode(ms, (metrics,) if isinstance(metrics, bytes) else metrics, 7)

    yield at_most("a frame as Sparkplug metrics: CPU", stopwatch.cpu_us(written, TIMES), 15, "µs")
    yield shown("a frame as Sparkplug metrics", len(written()) / stopwatch.TAGS, "bytes/sample")
    births = stopwatch.cpu_us(
        lambda: [one.born(1.5, 0, ms, tree.fields, known=True) for one in place.device.told.values()], 200
    )
    yield shown("a device with 100 tags is born: CPU", births, "µs")


async def _send(entry: Entry, kind: str, **keys: str) -> float:
    config = registry.sink_config(kind).model_validate({"name": "platform", "type": kind, **keys})
    sink = registry.sink_builder(kind)(config, Gateway("bench", house=Alone([entry.frame.schema])))
    await sink.open()
    batch = [entry._replace(seq=seq, frame=stopwatch.frame(entry.frame.schema)) for seq in range(sink.limit)]
    turns = asyncio.Semaphore(1 if sink.ordered else sink.window)

    async def send() -> None:
        async with turns:
            await sink.send(batch)

    await send()
    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(BATCHES):
            group.create_task(send())
    cost = (time.process_time() - began) / (BATCHES * len(batch)) * 1e6
    await sink.close()
    return cost
