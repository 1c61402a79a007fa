"""The gateway API over a real broker: who we are, what comes first, what a refusal leads to."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.errors import Denied, Rejected
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.model.text import Referenced
from tests.sim.mosquitto import Mosquitto
from tests.sim.thingsboard import ACL, TOKEN
from tests.sim.thingsboard import thingsboard as serving
from tests.unit.northbound.fake_broker import connack, fake_broker, puback
from tests.unit.northbound.making import beside, entries, entry, no_tasks_left, opened, schema, thingsboard
from tests.unit.northbound.test_broker_login import filed

COMM = int(Quality.BAD_COMM)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, acl=ACL) as running:
        yield running


@pytest.mark.parametrize(("protocol", "together", "most"), [("5", False, 400), ("3.1.1", True, 120)])
async def test_frames_of_many_devices_arrive(broker: Mosquitto, protocol: str, together: bool, most: int) -> None:
    schemas = [schema("a", "b", "c", device=f"d{n}") for n in range(30)]
    async with serving(broker) as platform:
        async with beside(thingsboard(broker, protocol=protocol, together=together)) as sink:
            batches = [[entry([seq, 2.0, 3.0], of=of, seq=seq) for of in schemas] for seq in range(1, 11)]
            await asyncio.gather(*(sink.send(batch) for batch in batches))
            await platform.until(lambda: len(platform.records) == 300)
            assert len(platform.connected) == 30
        await platform.until(lambda: not platform.connected)
        assert platform.faults == []
        assert platform.largest <= 8192 and platform.messages < most
        assert platform.attributes[""]["gateway"] == "gw-01"
        assert platform.attributes[""]["site"] == "acme/hangzhou"


async def test_devices_are_connected_anew_over_a_new_connection(broker: Mosquitto) -> None:
    async with serving(broker) as platform:
        for first in (1, 4):
            async with beside(thingsboard(broker)) as sink:
                await sink.send(entries(3, first=first))
        await platform.until(lambda: len(platform.events) == 4)
        assert [what for what, _ in platform.events] == ["connect", "disconnect"] * 2
        assert platform.faults == []


async def test_a_dead_device_is_disconnected_and_comes_back(broker: Mosquitto) -> None:
    dead = entry([None, None], bytes((COMM, COMM)))
    async with serving(broker) as platform, beside(thingsboard(broker)) as sink:
        await sink.send(entries(1))
        await sink.send([dead])
        await platform.until(lambda: not platform.connected and len(platform.events) == 2)
        await sink.send(entries(1))
        await platform.until(lambda: platform.latest("main-meter")["voltage_quality"] == "good")
        assert platform.connected
        assert platform.faults == []


async def test_a_wrong_token_needs_a_person(broker: Mosquitto) -> None:
    with pytest.raises(Denied, match=r"attributes of the gateway: .*not authorised"):
        await thingsboard(broker, token=Referenced("wrong")).open()
    await no_tasks_left()


async def test_a_token_in_a_file_may_be_renewed(broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    sink = thingsboard(broker, token=filed(tmp_path / "token"))
    with pytest.raises(Denied):
        await sink.open()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    async with opened(sink):
        await sink.send(entries(1))


async def test_the_token_is_the_user_name_and_a_refusal_says_so() -> None:
    async with fake_broker(connack=connack(0x87)) as there:
        sink = thingsboard(there, protocol="5")
        with pytest.raises(Denied, match="check `token`: is it the access token") as error:
            await sink.open()
    assert TOKEN not in str(error.value)


async def test_user_and_password_are_taken_too(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, users={"gw": "s3cret"}) as broker:
        keys = {"token": None, "username": "gw", "password": Referenced("s3cret")}
        async with opened(thingsboard(broker, **keys)) as sink:
            await sink.send(entries(3))
        with pytest.raises(Denied, match="`username` and `password`"):
            await thingsboard(broker, **{**keys, "password": Referenced("wrong")}).open()


async def test_a_frame_in_several_messages_is_done_when_all_of_them_are(broker: Mosquitto) -> None:
    wide = Schema("wide", "1s", tuple(Tag(f"t{n}") for n in range(500)))
    async with serving(broker) as platform, beside(thingsboard(broker, max_payload="1KB")) as sink:
        await sink.send([entry([n + 0.5 for n in range(500)], of=wide, seq=1), *entries(3, first=2)])
        await platform.until(lambda: len(platform.latest("main-meter")) == 4)
        assert platform.largest <= 1024
        assert {key for key in platform.latest("wide") if "quality" not in key} == {f"t{n}" for n in range(500)}
        assert platform.faults == []


async def test_a_value_that_is_too_large_is_refused_and_the_rest_is_told(broker: Mosquitto) -> None:
    texts = Schema("d", "1s", (Tag("a", "str"), Tag("b")))
    async with serving(broker) as platform, beside(thingsboard(broker)) as sink:
        batch = [*entries(2), entry(["x" * 9000, 1.0], of=texts, seq=3), *entries(2, first=4)]
        with pytest.raises(Rejected, match=r"frame 3 of d holds a value.*raise `max_payload`") as error:
            await sink.send(batch)
        assert error.value.done == ((1, 2), (4, 5))
        await sink.send(entries(1, first=6))
        await platform.until(lambda: len(platform.records) == 5)
        assert platform.faults == []


async def test_what_the_broker_takes_is_kept_to(tmp_path: Path) -> None:
    wide = Schema("wide", "1s", tuple(Tag(f"t{n}") for n in range(300)))
    with Mosquitto(tmp_path, acl=ACL, max_packet=2000) as broker:
        async with serving(broker) as platform, beside(thingsboard(broker)) as sink:
            await sink.send([entry([n + 0.5 for n in range(300)], of=wide, seq=1)])
            await platform.until(lambda: len(platform.latest("wide")) == 600)
            assert platform.largest <= 2000


async def test_a_denied_telemetry_blocks_and_loses_nothing(tmp_path: Path) -> None:
    acl = ACL.replace("topic write v1/gateway/telemetry\n", "")
    with Mosquitto(tmp_path, acl=acl) as broker:
        async with opened(thingsboard(broker)) as sink:
            with pytest.raises(Denied, match="let this user write to v1/gateway/telemetry") as error:
                await sink.send(entries(3))
    assert error.value.done == ()


async def test_what_the_platform_calls_malformed_is_refused() -> None:
    def answer(before: int, topic: bytes, mid: int) -> bytes:
        return puback(mid, 0x99 if topic == b"v1/gateway/telemetry" else 0)

    async with fake_broker(answer=answer) as there, opened(thingsboard(there, protocol="5")) as sink:
        with pytest.raises(Rejected, match="payload format invalid") as error:
            await sink.send(entries(3))
        assert error.value.done == ()


async def test_a_cancelled_send_leaves_nothing_half_told(broker: Mosquitto) -> None:
    async with serving(broker) as platform, beside(thingsboard(broker, window=1)) as sink:
        for first in range(1, 20, 3):
            sending = asyncio.create_task(sink.send(entries(3, first=first)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            sending.cancel()
            await asyncio.wait([sending])
        await sink.send(entries(3, first=100))
        await platform.until(lambda: platform.latest("main-meter").get("voltage") is not None)
        assert platform.faults == []
