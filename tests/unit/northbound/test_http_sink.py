"""Frames over HTTP to a server of another make: what it gets, and what its answers lead to."""

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Rejected, Unavailable
from agent.model.tag import Schema, Tag
from agent.model.text import Referenced
from agent.northbound.shapes.columnar_reader import Reader
from tests.sim.http_platform import HttpPlatform, Request, Says
from tests.unit.northbound.making import entries, entry, http, opened
from tests.unit.northbound.test_broker_login import filed

LOSS = Schema("$gateway", "loss", tuple(Tag(name, "str") for name in ("sink", "reason")))


async def sent(platform: HttpPlatform, count: int = 3, **options: Any) -> Request:
    async with opened(http(platform, **options)) as sink:
        await sink.send(entries(count))
    return platform.requests[0]


@pytest.mark.parametrize("compress", ["none", "gzip"])
@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize("shape", ["envelope", "values", "tags", "flat"])
async def test_every_shape_in_every_form(platform: HttpPlatform, shape: str, form: str, compress: str) -> None:
    request = await sent(platform, shape=shape, format=form, compress=compress)
    assert [each["seq"] for each in platform.frames()] == [1, 2, 3]
    assert request.headers.get("Content-Encoding", "none") == compress
    assert (request.sent < len(request.body)) == (compress == "gzip")
    assert request.path == "/ingest"


async def test_columns_describe_themselves(platform: HttpPlatform) -> None:
    request = await sent(platform, shape="columnar", compress="gzip")
    assert request.headers["Content-Type"] == "application/octet-stream"
    assert [frame["seq"] for frame in Reader().read(request.body)] == [1, 2, 3]


async def test_a_loss_is_a_message_of_its_own(platform: HttpPlatform) -> None:
    async with opened(http(platform)) as sink:
        await sink.send([entry(["platform", "age"], of=LOSS)])
    assert [(each["type"], each["reason"]) for each in platform.frames()] == [("gap", "age")]


async def test_who_we_are_is_said_as_configured(platform: HttpPlatform) -> None:
    assert (await sent(platform, token=Referenced("t0k3n"))).headers["Authorization"] == "Bearer t0k3n"
    platform.requests.clear()
    request = await sent(platform, username="gw", password=Referenced("pä:ss"), headers={"X-Tenant": "acme"})
    kind, _, code = request.headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(code).decode()) == ("Basic", "gw:pä:ss")
    assert request.headers["X-Tenant"] == "acme"
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["User-Agent"].startswith("floorgate/")


async def test_a_secret_in_a_file_may_be_renewed(platform: HttpPlatform, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0ld")
    sink = http(platform, token=filed(file), headers={"X-Api-Key": filed(file)})
    for written in ("0ld\n", "n3w\n"):
        file.write_text(written)
        async with opened(sink):
            await sink.send(entries(1))
    assert [request.headers["Authorization"] for request in platform.requests] == ["Bearer 0ld", "Bearer n3w"]
    assert [request.headers["X-Api-Key"] for request in platform.requests] == ["0ld", "n3w"]
    for wrong in ("two\nlines s3cret", "ü", ""):
        file.write_text(wrong)
        with pytest.raises(Unavailable, match="look at its file") as error:
            await sink.open()
        assert "s3cret" not in str(error.value)


async def test_the_same_entries_have_the_same_key_and_others_another(platform: HttpPlatform) -> None:
    platform.ways.extend([Says(503), Says(200)])
    for _ in range(2):
        async with opened(http(platform, compress="gzip")) as sink:
            for first in (1, 4):
                try:
                    await sink.send(entries(3, first=first))
                except Unavailable:
                    break
    keys = [request.headers["Idempotency-Key"] for request in platform.requests]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0][0] == keys[0][-1] == '"' and keys[0][1:-1].isalnum()


async def test_connections_are_kept(platform: HttpPlatform) -> None:
    async with opened(http(platform)) as sink:
        for first in range(1, 30, 3):
            await sink.send(entries(3, first=first))
    assert len({request.peer for request in platform.requests}) == 1


async def test_as_many_requests_are_under_way_as_the_window_says(platform: HttpPlatform) -> None:
    platform.delay = 0.1
    async with opened(http(platform, window=3)) as sink:
        assert (sink.window, sink.ordered) == (3, False)
        await asyncio.gather(*(sink.send(entries(2, first=10 * n)) for n in range(1, 4)))
    assert platform.most == 3
    ordered = http(platform, window=3, ordered=True)
    assert (ordered.window, ordered.ordered) == (1, True)


async def test_a_refused_batch_names_nothing_as_done(platform: HttpPlatform) -> None:
    async with opened(http(platform)) as sink:
        for status, kind in ((400, Rejected), (401, Denied), (404, Unavailable), (500, Unavailable)):
            platform.ways.append(Says(status, {}, b"because"))
            with pytest.raises(kind, match=f"{status} .*because") as found:
                await sink.send(entries(3))
            assert found.value.done == ()
        await sink.send(entries(3))
    assert len(platform.taken) == 1


async def test_what_is_too_large_goes_in_pieces(platform: HttpPlatform) -> None:
    platform.largest = 3000
    async with opened(http(platform)) as sink:
        await sink.send(entries(100))
        assert [each["seq"] for each in platform.frames()] == list(range(1, 101))
        asked = len(platform.requests)
        await sink.send(entries(100, first=101))
    assert all(request.sent <= 3000 for request in platform.requests)
    assert len(platform.requests) - asked < 20
    assert [each["seq"] for each in platform.frames()] == list(range(1, 201))


async def test_a_frame_that_alone_is_too_large_is_refused_and_the_rest_is_told(platform: HttpPlatform) -> None:
    platform.largest = 3000
    wide = Schema("wide", "1s", tuple(Tag(f"t{n}") for n in range(400)))
    batch = [*entries(10), entry([1.5] * 400, of=wide, seq=11), *entries(3, first=12)]
    async with opened(http(platform)) as sink:
        with pytest.raises(Rejected, match="413") as found:
            await sink.send(batch)
        ((first, last),) = found.value.done
        assert first == 1 and 1 < last < 11
        assert [each["seq"] for each in platform.frames()] == list(range(first, last + 1))
        await sink.send(batch[11:])


async def test_a_part_that_was_taken_is_told_when_the_rest_is_not(platform: HttpPlatform) -> None:
    platform.largest = 6000
    platform.ways.extend([Says(200), Says(503)])
    async with opened(http(platform)) as sink:
        with pytest.raises(Unavailable) as found:
            await sink.send(entries(60))
    ((first, last),) = found.value.done
    assert [each["seq"] for each in platform.frames()] == list(range(first, last + 1))
    assert first == 1 and 1 < last < 60


async def test_a_platform_that_wants_to_be_left_alone_is(platform: HttpPlatform) -> None:
    sink = http(platform)
    platform.ways.append(Says(429, {"Retry-After": "1"}))
    async with opened(sink):
        with pytest.raises(Unavailable, match="left alone for 1 s"):
            await sink.send(entries(1))
    began, refusals = time.monotonic(), []
    while len(platform.taken) < 1:
        try:
            async with opened(sink):
                await sink.send(entries(1))
        except Unavailable as error:
            refusals.append(str(error))
            await asyncio.sleep(0.05)
    assert time.monotonic() - began > 0.8
    assert refusals and all("left alone for 1 s" in each for each in refusals)
    assert len(platform.requests) == 2


async def test_no_answer_in_time_makes_the_next_request_smaller(platform: HttpPlatform) -> None:
    platform.delay = 5
    sink = http(platform, timeout="300ms")
    async with opened(sink):
        with pytest.raises(Unavailable, match=r"no whole answer within 0\.3 s"):
            await sink.send(entries(100))
    platform.delay = 0
    async with opened(sink):
        await sink.send(entries(100))
    first, second = platform.requests[:2]
    assert second.sent < 0.6 * first.sent


async def test_a_large_request_is_taken(platform: HttpPlatform) -> None:
    wide = Schema("wide", "1s", tuple(Tag(f"t{n}") for n in range(1000)))
    batch = [entry([n + 0.123456789] * 1000, of=wide, seq=n) for n in range(1, 101)]
    async with opened(http(platform)) as sink:
        await sink.send(batch)
    assert len(platform.frames()) == 100
    assert len(platform.requests) == 1 and platform.requests[0].sent > 1 << 20


async def test_a_text_that_is_no_utf8_goes_all_the_same(platform: HttpPlatform) -> None:
    of = Schema("d", "1s", (Tag("s", "str"),))
    async with opened(http(platform)) as sink:
        await sink.send([entry(["\ud800"], of=of)])
    assert platform.frames()[0]["values"] == {"s": "?"}
