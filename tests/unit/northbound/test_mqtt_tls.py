"""mqtts: nothing is sent before the broker has proved who it is."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Unavailable
from agent.northbound import trust
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.certificates import Authority, Pair
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened


def speaking_tls(folder: Path, pair: Pair, **more: Any) -> Mosquitto:
    return Mosquitto(folder, tls={"certfile": pair.cert, "keyfile": pair.key, **more})


async def test_frames_go_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with speaking_tls(tmp_path, authority.issue()) as broker:
        async with opened(mqtt(broker, ca=str(authority.ca))) as sink:
            await sink.send(entries(1000))
            await asyncio.gather(*(sink.send(entries(100)) for _ in range(5)))


@pytest.mark.parametrize(
    ("host", "days", "why"),
    [("another.example", 30, "Hostname mismatch"), ("localhost", -1, "certificate has expired")],
)
async def test_a_broker_with_the_wrong_certificate_gets_nothing(tmp_path: Path, host: str, days: int, why: str) -> None:
    authority = Authority(tmp_path)
    with speaking_tls(tmp_path, authority.issue(host, days=days)) as broker:
        with pytest.raises(Unavailable, match=rf"{why}.*is our clock right"):
            await mqtt(broker, ca=str(authority.ca)).open()
        assert "New client connected" not in broker.log
    await no_tasks_left()


async def test_a_broker_of_an_unknown_authority_gets_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with speaking_tls(tmp_path, Authority(tmp_path).issue()) as broker:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await mqtt(broker, ca=str(Authority(other, "other").ca)).open()
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await mqtt(broker).open()
        assert "New client connected" not in broker.log


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("gw-01")
    asks = {"cafile": authority.ca, "require_certificate": "true"}
    with speaking_tls(tmp_path, authority.issue(), **asks) as broker:
        shown = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
        async with opened(mqtt(broker, **shown)) as sink:
            await sink.send(entries(3))
        with pytest.raises(Unavailable, match="does it want a client certificate"):
            await mqtt(broker, ca=str(authority.ca)).open()
    await no_tasks_left()


async def test_plain_mqtt_on_the_other_side_is_said_so(broker: Mosquitto) -> None:
    with pytest.raises(Unavailable):
        await mqtt(broker, url=broker.url.replace("mqtt://", "mqtts://"), timeout="500ms").open()
    await no_tasks_left()


@pytest.mark.parametrize("given", [{"ca": "missing.pem"}, {"cert": "missing.pem", "key": "missing.key"}])
async def test_files_that_cannot_be_used_need_a_person(broker: Mosquitto, given: dict[str, str]) -> None:
    with pytest.raises(Denied, match=r"the certificates cannot be used.*look at missing\.pem"):
        await mqtt(broker, url="mqtts://localhost:1", **given).open()


def test_old_tls_and_unverified_hosts_are_out_of_the_question() -> None:
    context = trust.context("here", "", "", "")
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname is True
