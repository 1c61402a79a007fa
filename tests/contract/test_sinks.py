"""What every sink must do, asked of each of them with a real counterpart."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import registry
from agent.model.errors import Denied, Rejected, Unavailable
from agent.model.frame import Entry, Frame
from agent.model.tag import Schema, Tag
from agent.northbound.api import Gateway, Pulled, Sink
from agent.northbound.house import Alone
from tests.sim.http_platform import HttpPlatform
from tests.sim.mosquitto import Mosquitto
from tests.sim.sparkplug_host import Host
from tests.sim.thingsboard import Platform

SCHEMA = Schema("main-meter", "1s", (Tag("voltage"), Tag("current")))


@dataclass(frozen=True)
class Seen:
    """A frame as the counterpart has it. `message` is the whole of it, where that is JSON."""

    device: str
    ts: int  # ms UTC
    values: dict[str, Any]
    history: bool | None  # None: the dialect does not say
    message: dict[str, Any] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        """Which of `entries` it is."""
        return int(self.values["voltage"])


@dataclass
class Bench:
    """A sink with its counterpart: `received()` is what the counterpart has, `cut()` takes it away."""

    sink: Sink
    received: Callable[[], list[Seen]]
    cut: Callable[[], object]
    mend: Callable[[], object]
    slow: Callable[[], AbstractContextManager[None]] | None = None  # it takes its time meanwhile


def entries(first: int, last: int, *, history: bool = False) -> list[Entry]:
    def frame(seq: int) -> Frame:
        return Frame(SCHEMA, 10**18 + seq * 10**6, (float(seq), 2.0), bytes(2))

    return [Entry("ab" * 8, seq, history, frame(seq)) for seq in range(first, last + 1)]


def enveloped(message: dict[str, Any]) -> Seen:
    return Seen(message["device"], message["ts"], message["values"], message["history"], message)


def made(kind: str, **keys: Any) -> Sink:
    config = registry.sink_config(kind).model_validate({"name": "under-test", "type": kind, **keys})
    return registry.sink_builder(kind)(config, Gateway("gw-01", ("acme",), Alone([SCHEMA])))


@pytest.fixture(params=sorted(kind for kind in registry.SINKS if not issubclass(registry.sink_config(kind), Pulled)))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from BENCHES[request.param](tmp_path)


@pytest.fixture(params=["file", "http", "mqtt"])
def in_json(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Those that speak JSON by themselves."""
    yield from BENCHES[request.param](tmp_path)


def _file(folder: Path) -> Iterator[Bench]:
    path = folder / "out" / "frames.jsonl"

    def received() -> list[Seen]:
        lines = path.read_text().splitlines() if path.exists() else []
        return [enveloped(json.loads(line)) for line in lines]

    def cut() -> None:
        path.parent.rename(folder / "away")
        path.parent.write_text("a file in the place of the folder")

    def mend() -> None:
        path.parent.unlink()
        (folder / "away").rename(path.parent)

    yield Bench(made("file", path=str(path)), received, cut, mend)


def _http(folder: Path) -> Iterator[Bench]:
    with HttpPlatform() as platform:

        def received() -> list[Seen]:
            return [enveloped(message) for message in platform.frames()]

        @contextmanager
        def slow() -> Iterator[None]:
            platform.delay = 0.3
            yield
            platform.delay = 0.0

        yield Bench(made("http", url=platform.url, timeout="5s"), received, platform.stop, platform.start, slow)


def _mqtt(folder: Path) -> Iterator[Bench]:
    with Mosquitto(folder, persistence=True) as broker:
        heard = broker.subscriber(session="witness")

        def received() -> list[Seen]:
            return [enveloped(message) for message in heard.frames()]

        yield Bench(made("mqtt", url=broker.url, timeout="5s"), received, broker.stop, broker.start, broker.frozen)
        heard.close()


def _sparkplug(folder: Path) -> Iterator[Bench]:
    """What a host application makes of it; it finds no fault with it."""
    with Mosquitto(folder, persistence=True, options=["queue_qos0_messages true"]) as broker:
        heard = broker.subscriber("spBv1.0/#", session="witness")

        def received() -> list[Seen]:
            host, seen = Host("acme", "gw-01"), []
            for topic, payload in heard.payloads():
                before = len(host.samples)
                host.hear(topic, payload)
                if "/DDATA/" in topic:
                    samples = host.samples[before:]
                    values = {sample.metric: sample.value for sample in samples}
                    seen.append(Seen(samples[0].device, samples[0].ts, values, samples[0].historical))
            assert host.faults == []
            return seen

        options = {"url": broker.url, "timeout": "5s", "settle": "0s", "statistics": "0s"}
        yield Bench(made("sparkplug", **options), received, broker.stop, broker.start, broker.frozen)
        heard.close()


def _thingsboard(folder: Path) -> Iterator[Bench]:
    """What the platform makes of it; it finds no fault with it. Qualities are keys of their own there."""
    with Mosquitto(folder, persistence=True) as broker:
        heard = broker.subscriber("v1/#", session="witness")

        def received() -> list[Seen]:
            platform = Platform(in_order=False)  # a broker that comes back gives the last messages again
            for topic, payload in heard.payloads():
                platform.hear(topic, payload)
            assert platform.faults == []
            return [Seen(each.device, each.ts, measured(each.values), None) for each in platform.records]

        def measured(values: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in values.items() if not key.endswith("_quality")}

        yield Bench(
            made("thingsboard", url=broker.url, timeout="1s"), received, broker.stop, broker.start, broker.frozen
        )
        heard.close()


BENCHES = {"file": _file, "http": _http, "mqtt": _mqtt, "sparkplug": _sparkplug, "thingsboard": _thingsboard}


@asynccontextmanager
async def opened(sink: Sink) -> AsyncIterator[None]:
    await sink.open()
    try:
        yield
    finally:
        await sink.close()


async def arrived(bench: Bench, count: int) -> list[int]:
    """The sequence numbers at the counterpart, once there are that many."""
    async with asyncio.timeout(30):
        while len({frame.seq for frame in bench.received()}) < count:  # one may come twice over an outage
            await asyncio.sleep(0.02)
    return [frame.seq for frame in bench.received()]


def test_it_says_how_it_wants_to_be_used(bench: Bench) -> None:
    assert isinstance(bench.sink.ordered, bool)
    assert bench.sink.window >= 1
    assert bench.sink.limit >= 1


async def test_what_is_sent_arrives_once_and_in_order(bench: Bench) -> None:
    async with opened(bench.sink):
        await bench.sink.send(entries(1, bench.sink.limit))
    assert await arrived(bench, bench.sink.limit) == list(range(1, bench.sink.limit + 1))


@pytest.mark.parametrize("history", [False, True])
async def test_what_arrives_is_what_was_read(bench: Bench, history: bool) -> None:
    async with opened(bench.sink):
        await bench.sink.send(entries(1, 1, history=history))
    await arrived(bench, 1)
    seen = bench.received()[0]
    assert (seen.device, seen.ts) == ("main-meter", 10**12 + 1)
    assert seen.history in (history, None)
    assert seen.values == {"voltage": 1.0, "current": 2.0}


async def test_the_envelope_is_the_one_of_all_sinks(in_json: Bench) -> None:
    async with opened(in_json.sink):
        await in_json.sink.send(entries(1, 1))
    await arrived(in_json, 1)
    assert in_json.received()[0].message == {
        "gateway": "gw-01",
        "epoch": "ab" * 8,
        "seq": 1,
        "device": "main-meter",
        "group": "1s",
        "ts": 10**12 + 1,
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
    async with asyncio.timeout(30):
        while not any(frame.seq == 5000 for frame in bench.received()):
            await asyncio.sleep(0.02)


async def test_as_many_sends_as_it_allows_can_be_under_way(bench: Bench) -> None:
    sink, count = bench.sink, bench.sink.window
    async with opened(sink):
        await asyncio.gather(*(sink.send(entries(1 + n * 10, 10 + n * 10)) for n in range(count)))
    assert set(await arrived(bench, count * 10)) == set(range(1, count * 10 + 1))
