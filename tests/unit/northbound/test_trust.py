"""Whom we talk to over TLS: no byte before proof, new files without a restart, certificates that expire."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Denied, Unavailable
from agent.northbound import trust
from agent.northbound.api import Gateway
from agent.northbound.broker.config import BrokerConfig
from agent.northbound.broker.dial import Dialler
from agent.northbound.broker.learnt import Learnt
from agent.northbound.house import Alone
from agent.northbound.trust import Ends, Expiry
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.certificates import Authority, Pair
from tests.unit.northbound.making import entries, mqtt, no_tasks_left, opened

DAY = 86400.0


class Server:
    """A TLS server that counts what it gets to read."""

    def __init__(self, pair: Pair) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(pair.cert, pair.key)
        self.port = 0
        self.connections = 0
        self.read = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            self.read += len(await reader.read(1000))
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(pair: Pair) -> AsyncIterator[Server]:
    there = Server(pair)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)  # the server's own handshakes fail on purpose
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0, ssl=there.context)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


async def refused(server: Server, scheme: str, **options: Any) -> str:
    config = {"name": "p", "type": "mqtt", "url": f"{scheme}://localhost:{server.port}", "timeout": "2s", **options}
    dialler = Dialler(BrokerConfig.model_validate(config), Gateway("gw"), Learnt())
    with pytest.raises(Unavailable) as error:
        await dialler.connect()
    await no_tasks_left()
    return str(error.value)


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
@pytest.mark.parametrize(
    ("host", "days", "trusted", "why"),
    [
        ("localhost", 30, "other", "unable to get local issuer certificate"),
        ("localhost", 30, "", "unable to get local issuer certificate"),
        ("another.example", 30, "ours", "Hostname mismatch"),
        ("localhost", -1, "ours", "certificate has expired"),
    ],
)
async def test_no_byte_of_ours_goes_to_who_does_not_prove_who_he_is(
    tmp_path: Path, scheme: str, host: str, days: int, trusted: str, why: str
) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    ca = {"ours": str(authority.ca), "other": str(other.ca), "": ""}[trusted]
    async with serving(authority.issue(host, days=days)) as server:
        assert why in await refused(server, scheme, ca=ca, username="u")
        await asyncio.sleep(0.05)
        assert server.read == 0


async def test_a_certificate_that_signs_itself_is_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    async with serving(pair) as server:
        assert "local issuer" in await refused(server, "mqtts", ca=str(Authority(tmp_path, "other").ca))
        assert server.read == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_before_1_2_is_not_spoken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(authority.issue()) as server:
        old = ssl.create_default_context(cafile=str(authority.ca))
        for context in (server.context, old):
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        assert "[SSL: " in await refused(server, "mqtts", ca=str(authority.ca))
        assert (server.connections, server.read) == (0, 0)
        _, writer = await asyncio.open_connection("localhost", server.port, ssl=old)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1", "who does speak it gets in"
        writer.close()


async def test_who_wants_a_certificate_of_ours_is_told_apart(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(authority.issue()) as server:
        server.context.verify_mode = ssl.CERT_REQUIRED
        server.context.maximum_version = ssl.TLSVersion.TLSv1_2
        text = await refused(server, "mqtts", ca=str(authority.ca))
        assert "does it want a client certificate (`cert`, `key`)?" in text
        assert server.read == 0


async def test_tls_1_2_is_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    tls = {"certfile": pair.cert, "keyfile": pair.key}
    with Mosquitto(tmp_path, tls={**tls, "tls_version": Path("tlsv1.2")}) as broker:
        async with opened(mqtt(broker, ca=str(authority.ca))) as sink:
            await sink.send(entries(10))


def test_there_is_no_switch_that_turns_verification_off() -> None:
    names = {name for name in BrokerConfig.model_fields if "insecure" in name or "verify" in name}
    assert names == set()


async def test_new_files_are_used_at_the_next_connection(tmp_path: Path) -> None:
    """Ours and the authority of the broker's, in a sink that lives on; in between a key that fits no certificate."""
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    ca, ours = tmp_path / "trusted.pem", Pair(tmp_path / "ours.pem", tmp_path / "ours.key")

    def put(authority: Authority, *, key: bool = True) -> None:
        pair = authority.issue("gw-01")
        ca.write_bytes(authority.ca.read_bytes())
        ours.cert.write_bytes(pair.cert.read_bytes())
        if key:
            ours.key.write_bytes(pair.key.read_bytes())

    sink = None
    for authority in (first, second):
        pair = authority.issue()
        asks = {"cafile": authority.ca, "require_certificate": Path("true")}
        with Mosquitto(tmp_path, tls={"certfile": pair.cert, "keyfile": pair.key, **asks}) as broker:
            put(authority)
            shown = {"ca": str(ca), "cert": str(ours.cert), "key": str(ours.key)}
            sink = sink or mqtt(broker, **shown)
            sink._dialler._config = mqtt(broker, **shown)._dialler._config  # another port, the rest is the same
            await sink.open()
            await sink.send(entries(3))
            put(authority, key=False)
            with pytest.raises(Denied, match=r"KEY_VALUES_MISMATCH.*look at .*ours.pem"):
                await sink.open()
            put(authority)
            await sink.open()
            await sink.send(entries(3, first=4))
            await sink.close()
    await no_tasks_left()


def test_an_expiry_is_said_once_at_30_7_and_1_days_and_when_it_has_come() -> None:
    said: list[str] = []
    now = 0.0
    expiry = Expiry(said.append, lambda: now)
    ends = Ends("the certificate of x", 100 * DAY, "it needs a new one")
    for hours in range(0, 102 * 24, 6):
        now = hours * 3600.0
        before = len(said)
        expiry.judge([ends, None])
        if len(said) > before:
            said[-1] = f"{100 - now / DAY:g}: {said[-1]}"
    assert said == [
        "30: the certificate of x expires at 1970-04-11 00:00 UTC: it needs a new one",
        "7: the certificate of x expires at 1970-04-11 00:00 UTC: it needs a new one",
        "1: the certificate of x expires at 1970-04-11 00:00 UTC: it needs a new one",
        "0: the certificate of x expired at 1970-04-11 00:00 UTC: it needs a new one",
    ]


def test_a_new_certificate_is_told_apart_and_two_that_take_turns_are_not_said_again() -> None:
    said: list[str] = []
    expiry = Expiry(said.append, lambda: 0.0)
    for _ in range(3):
        for until in (5 * DAY, 25 * DAY, 40 * DAY):
            expiry.judge([Ends("x", until, "")])
    assert len(said) == 2
    for number in range(1000):
        expiry.judge([Ends("x", DAY * (100 + number), "")])
    assert len(expiry._said) <= 100


def test_what_is_in_our_files_is_read(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("gw-01", days=3)
    both = tmp_path / "both.pem"
    both.write_bytes(authority.ca.read_bytes() + Authority(tmp_path, "other").ca.read_bytes())
    ends = trust.files(str(both), str(pair.cert))
    assert [each.whose for each in ends] == [f"the authority in {both}", f"our certificate in {pair.cert}"]
    assert 25 * DAY < ends[0].until - ends[1].until < 28 * DAY
    assert trust.files("", "") == []
    assert trust.files(str(tmp_path / "none.pem"), "") == []
    (tmp_path / "bad.pem").write_text("no certificate")
    assert trust.files("", str(tmp_path / "bad.pem")) == []


async def test_the_broker_s_certificate_and_ours_are_warned_of(tmp_path: Path) -> None:
    """At the connection, and while it stands: the next look is an hour later."""
    authority, house = Authority(tmp_path), Alone()
    pair, ours = authority.issue(days=6), authority.issue("gw-01", days=20)
    with Mosquitto(tmp_path, tls={"certfile": pair.cert, "keyfile": pair.key}) as broker:
        files = {"ca": str(authority.ca), "cert": str(ours.cert), "key": str(ours.key)}
        config = BrokerConfig.model_validate({"name": "p", "type": "mqtt", "url": broker.url, **files})
        dialler = Dialler(config, Gateway("gw", house=house), Learnt())
        for _ in range(2):
            connection = await dialler.connect()
            await connection.finish(None, 1.0)
        whose = [note.partition(" expires at ")[0] for note in house.notes]
        assert whose == [
            f"the authority in {authority.ca}",
            f"our certificate in {ours.cert}",
            f"the certificate of mqtt localhost:{broker.port}",
        ]
        connection = await dialler.connect()
        ours.cert.write_bytes(authority.issue("gw-02", days=5).cert.read_bytes())
        dialler._look(connection)
        async with asyncio.timeout(2.0):
            while len(house.notes) < 4:
                await asyncio.sleep(0.01)
        assert house.notes[3].startswith(f"our certificate in {ours.cert} expires at")
        await connection.finish(None, 1.0)
        await no_tasks_left()
