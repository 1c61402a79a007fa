"""What every sink must do when its counterpart is slow, says no, or is given a frame that makes no sense."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Rejected
from agent.model.frame import Entry, Frame, Value
from agent.northbound.api import Sink
from tests.contract.test_sinks import BENCHES, SCHEMA, Bench, arrived, entries, made, opened
from tests.sim.http_platform import HttpPlatform, Says
from tests.sim.mosquitto import Mosquitto

KINDS = sorted(BENCHES)
POISON: list[tuple[tuple[Value, ...], bytes]] = [
    ((math.nan, math.inf), bytes(2)),
    ((None, None), bytes(2)),
    ((-0.0, 5e-324), bytes((255, 63))),
    (("text\x00\ud800", True), bytes(2)),
    ((2**64 - 1, -(2**63)), bytes(2)),
]


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    yield from BENCHES[request.param](tmp_path)


@pytest.fixture(params=KINDS)
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sink]:
    """A sink whose counterpart does not let it in."""
    kind = request.param
    with ExitStack() as stack:
        keys: dict[str, Any] = {"path": str(tmp_path)}  # a folder, where a file should be
        if kind == "http":
            platform = stack.enter_context(HttpPlatform())
            platform.always = Says(403)
            keys = {"url": platform.url}
        elif kind != "file":
            broker = stack.enter_context(Mosquitto(tmp_path, users={"somebody": "else"}))
            keys = {"url": broker.url, "timeout": "2s"}
        yield made(kind, **keys)


async def test_a_slow_counterpart_is_waited_for_and_gets_everything_once(bench: Bench) -> None:
    if bench.slow is None:
        assert bench.sink.ordered  # a file: nobody is at its other end
        return
    async with opened(bench.sink):
        await bench.sink.send(entries(1, 2))
        await arrived(bench, 2)
        with bench.slow():
            sending = asyncio.create_task(bench.sink.send(entries(3, 12)))
            done, _ = await asyncio.wait([sending], timeout=0.15)
            assert not done
            await asyncio.sleep(0.15)
        async with asyncio.timeout(10):
            await sending
    assert sorted(await arrived(bench, 12)) == list(range(1, 13))


async def test_a_counterpart_that_says_no_is_denied_and_nothing_counts_as_delivered(refused: Sink) -> None:
    async def both() -> None:
        await refused.open()
        await refused.send(entries(1, 3))

    with pytest.raises(Denied) as no:
        await both()
    await refused.close()
    assert no.value.done == ()
    assert no.value.hint


@pytest.mark.parametrize("bad", POISON, ids=["nan", "none", "codes", "types", "wide"])
async def test_a_frame_that_makes_no_sense_hurts_no_other(bench: Bench, bad: tuple[tuple[Value, ...], bytes]) -> None:
    values, quality = bad
    odd = Entry("ab" * 8, 2, False, Frame(SCHEMA, 10**18 + 2 * 10**6, values, quality))
    batch = [*entries(1, 1), odd, *entries(3, 3)]
    async with opened(bench.sink):
        done = await confirmed(bench.sink, batch)
        assert done <= {1, 2, 3}
        for seq in {1, 3} - done:
            await bench.sink.send(entries(seq, seq))
        await bench.sink.send(entries(4, 4))
        async with asyncio.timeout(20):
            while not {1, 3, 4} <= {number(seen.values) for seen in bench.received()}:
                await asyncio.sleep(0.02)


async def confirmed(sink: Sink, batch: list[Entry]) -> set[int]:
    """What the sink says that it has delivered, of a batch that it may take or refuse."""
    try:
        await sink.send(batch)
    except Rejected as error:
        return {seq for first, last in error.done for seq in range(first, last + 1)}
    return {entry.seq for entry in batch}


def number(values: dict[str, Any]) -> object:
    return values.get("voltage") if values.get("current") == 2.0 else None
