"""What every sink must do, asked of each of them with a real counterpart."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent import registry
from agent.model.errors import Denied, Rejected, Unavailable
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.northbound.api import Gateway, Sink
from tests.sim.http_platform import HttpPlatform
from tests.sim.mosquitto import Mosquitto

SCHEMA = Schema("main-meter", "1s", (Tag("voltage"), Tag("current")))


@dataclass
class Bench:
    """A sink with its counterpart: `received()` is what the counterpart has, `cut()` takes it away."""

    sink: Sink
    received: Callable[[], list[dict[str, Any]]]
    cut: Callable[[], object]
    mend: Callable[[], object]


def entries(first: int, last: int) -> list[Entry]:
    return [Entry("ab" * 8, seq, False, Frame(SCHEMA, 10**18, (1.0, 2.0), bytes(2))) for seq in range(first, last + 1)]


def made(kind: str, **keys: Any) -> Sink:
    config = registry.sink_config(kind).model_validate({"name": "under-test", "type": kind, **keys})
    return registry.sink_builder(kind)(config, Gateway("gw-01", ("acme",)))


@pytest.fixture(params=sorted(registry.SINKS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from {"file": _file, "http": _http, "mqtt": _mqtt}[request.param](tmp_path)


def _file(folder: Path) -> Iterator[Bench]:
    path = folder / "out" / "frames.jsonl"

    def received() -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def cut() -> None:
        path.parent.rename(folder / "away")
        path.parent.write_text("a file in the place of the folder")

    def mend() -> None:
        path.parent.unlink()
        (folder / "away").rename(path.parent)

    yield Bench(made("file", path=str(path)), received, cut, mend)


def _http(folder: Path) -> Iterator[Bench]:
    with HttpPlatform() as platform:
        yield Bench(made("http", url=platform.url, timeout="2s"), platform.frames, platform.stop, platform.start)


def _mqtt(folder: Path) -> Iterator[Bench]:
    with Mosquitto(folder, persistence=True) as broker:
        heard = broker.subscriber(session="witness")
        yield Bench(made("mqtt", url=broker.url, timeout="1s"), heard.frames, broker.stop, broker.start)
        heard.close()


@asynccontextmanager
async def opened(sink: Sink) -> AsyncIterator[None]:
    await sink.open()
    try:
        yield
    finally:
        await sink.close()


async def arrived(bench: Bench, count: int) -> list[int]:
    """The sequence numbers at the counterpart, once there are that many."""
    async with asyncio.timeout(10.0):
        while len(bench.received()) < count:
            await asyncio.sleep(0.02)
    return [frame["seq"] for frame in bench.received()]


def test_it_says_how_it_wants_to_be_used(bench: Bench) -> None:
    assert isinstance(bench.sink.ordered, bool)
    assert bench.sink.window >= 1
    assert bench.sink.limit >= 1


async def test_what_is_sent_arrives_once_and_in_order(bench: Bench) -> None:
    async with opened(bench.sink):
        await bench.sink.send(entries(1, bench.sink.limit))
    assert await arrived(bench, bench.sink.limit) == list(range(1, bench.sink.limit + 1))


async def test_the_envelope_is_the_one_of_all_sinks(bench: Bench) -> None:
    async with opened(bench.sink):
        await bench.sink.send(entries(1, 1))
    await arrived(bench, 1)
    assert bench.received()[0] == {
        "gateway": "gw-01",
        "epoch": "ab" * 8,
        "seq": 1,
        "device": "main-meter",
        "group": "1s",
        "ts": 10**12,
        "values": {"voltage": 1.0, "current": 2.0},
        "quality": {},
        "history": False,
    }


async def test_closing_twice_and_before_opening_is_fine(bench: Bench) -> None:
    await bench.sink.close()
    await bench.sink.open()
    await bench.sink.close()
    await bench.sink.close()


async def test_sending_when_it_is_not_open_is_unavailable(bench: Bench) -> None:
    with pytest.raises(Unavailable):
        await bench.sink.send(entries(1, 1))
    async with opened(bench.sink):
        pass
    with pytest.raises(Unavailable):
        await bench.sink.send(entries(1, 1))


async def test_it_can_be_opened_again_and_again(bench: Bench) -> None:
    for seq in (1, 2, 3):
        async with opened(bench.sink):
            await bench.sink.send(entries(seq, seq))
    assert await arrived(bench, 3) == [1, 2, 3]


async def test_opening_an_open_one_makes_it_fresh(bench: Bench) -> None:
    async with opened(bench.sink):
        await bench.sink.open()
        await bench.sink.send(entries(1, 1))
    assert await arrived(bench, 1) == [1]


async def test_an_empty_batch_is_confirmed(bench: Bench) -> None:
    async with opened(bench.sink):
        await bench.sink.send([])


async def test_a_counterpart_that_is_gone_is_said_so_and_found_again(bench: Bench) -> None:
    """No loss: what was not confirmed is sent again and is there in the end; what was confirmed is there too."""
    async with opened(bench.sink):
        await bench.sink.send(entries(1, 5))
    await arrived(bench, 5)
    bench.cut()
    with pytest.raises((Unavailable, Denied)) as gone:
        await bench.sink.open()
    assert not isinstance(gone.value, Rejected)
    assert gone.value.done == ()
    await bench.sink.close()
    bench.mend()
    async with opened(bench.sink):
        await bench.sink.send(entries(6, 10))
    assert set(await arrived(bench, 10)) >= set(range(1, 11))


async def test_a_send_can_be_cancelled_and_the_sink_goes_on(bench: Bench) -> None:
    async with opened(bench.sink):
        for moment in range(10):
            sending = asyncio.create_task(bench.sink.send(entries(1, bench.sink.limit)))
            await asyncio.sleep(moment / 2000)
            sending.cancel()
            await asyncio.wait([sending])
        await bench.sink.send(entries(5000, 5000))
    async with asyncio.timeout(10.0):
        while not any(frame["seq"] == 5000 for frame in bench.received()):
            await asyncio.sleep(0.02)


async def test_as_many_sends_as_it_allows_can_be_under_way(bench: Bench) -> None:
    sink, count = bench.sink, bench.sink.window
    async with opened(sink):
        await asyncio.gather(*(sink.send(entries(1 + n * 10, 10 + n * 10)) for n in range(count)))
    assert set(await arrived(bench, count * 10)) == set(range(1, count * 10 + 1))
