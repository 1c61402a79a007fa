"""Secured sessions with node-opcua: each policy, each kind of user, certificates that change, servers that are full."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agent.model.errors import DeviceError, Refused, Unreachable
from agent.model.text import Referenced
from drivers.api import LineConfig
from drivers.opcua.access import access
from drivers.opcua.config import Config
from drivers.opcua.driver import OpcuaPoller, build
from drivers.opcua.pki import Pki
from drivers.opcua.session import Session
from tests.faults.inject import WallClock
from tests.sim.mosquitto import wait_until
from tests.sim.opcua_certificates import Made, made
from tests.sim.opcua_fixtures import PRESS, OpcuaServer, node_opcua_server

pytestmark = pytest.mark.xdist_group("opcua")

POLICIES = ["Aes256Sha256RsaPss", "Aes128Sha256RsaOaep", "Basic256Sha256"]
EVERY = "None,Basic128Rsa15,Basic256,Basic256Sha256,Aes128_Sha256_RsaOaep,Aes256_Sha256_RsaPss"
PASSWORD = "geheim-密码"
JOE = {"user": "joe", "password": Referenced(PASSWORD)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secured")


@pytest.fixture(scope="module")
def ours() -> Made:
    """The server's certificate."""
    return made()


@pytest.fixture(scope="module")
def data(folder: Path, ours: Made) -> Path:
    """A data directory in which the server is trusted."""
    trust(folder / "data", ours)
    return folder / "data"


@pytest.fixture(scope="module")
def secured(folder: Path, ours: Made) -> Iterator[OpcuaServer]:
    options: dict[str, Any] = {"policies": EVERY, "modes": "None,Sign,SignAndEncrypt", "user": f"joe:{PASSWORD}"}
    with node_opcua_server(small=True, **options, **ours.files(folder)) as server:
        yield server


def trust(data: Path, server: Made) -> Pki:
    pki = Pki(data / "pki")
    file = data.parent / f"{server.sha256[:8]}.der"
    file.write_bytes(server.der)
    pki.add(file)
    return pki


def device(endpoint: Any, data: Path, *, timeout: float = 10.0, node: str = "", **options: Any) -> OpcuaPoller:
    tags = [{"name": "v", "node": node or f"nsu={PRESS};s=Value7"}]
    settings = {"name": "press-3", "driver": "opcua", "mode": "poll", "tags": tags, "endpoint": endpoint, **options}
    config = Config.model_validate(settings)
    (driver,) = build(LineConfig(endpoint=config.endpoint, timeout=f"{timeout}s"), [config], data)
    assert isinstance(driver, OpcuaPoller)
    return driver


async def value(driver: OpcuaPoller) -> Any:
    try:
        await driver.open()
        frame = await driver.scan(driver.schemas[0])
        assert not any(frame.quality)
        return frame.values[0]
    finally:
        await driver.close()


async def refusal(driver: OpcuaPoller) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await value(driver)
    return caught.value


@pytest.mark.parametrize("mode", ["encrypt", "sign"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_each_policy_with_each_kind_of_user(
    secured: OpcuaServer, data: Path, folder: Path, policy: str, mode: str
) -> None:
    user = made("joe", uri="urn:joe", number=4).files(folder, "joe")
    known = {"user_certificate": str(user["certificate"]), "user_key": str(user["key"])}
    for login in ({}, JOE, known):
        driver = device(secured.endpoint, data, security=policy, security_mode=mode, **login)
        assert await value(driver) >= 7


async def test_until_when_the_certificates_of_a_session_are_good(secured: OpcuaServer, data: Path, ours: Made) -> None:
    driver = device(secured.endpoint, data)
    assert driver.expiries == {}
    await value(driver)
    own = x509.load_der_x509_certificate((data / "pki/own/cert.der").read_bytes())
    ends = {"own": own.not_valid_after_utc, "server": ours.certificate.not_valid_after_utc}
    assert driver.expiries == {whose: end.timestamp() for whose, end in ends.items()}


async def test_auto_takes_the_best_that_there_is(secured: OpcuaServer, data: Path) -> None:
    driver = device(secured.endpoint, data)
    await driver.open()
    policy = driver._session._channel.policy  # type: ignore[union-attr]
    assert (policy.URI.rpartition("#")[2], int(policy.Mode)) == ("Aes256_Sha256_RsaPss", 3)
    await driver.close()


async def test_a_subscription_over_an_encrypted_channel(secured: OpcuaServer, data: Path) -> None:
    driver: Any = device(secured.endpoint, data, mode="subscribe", interval="100ms")
    await driver.open()
    async with asyncio.timeout(10):
        values = [frame.values[0] async for frame in first(4, driver.frames())]
    assert values == sorted(values) and len(set(values)) == 4
    await driver.close()


async def first(count: int, frames: Any) -> Any:
    for _ in range(count):
        yield await anext(frames)


async def test_a_channel_is_renewed_while_it_is_used(secured: OpcuaServer, data: Path) -> None:
    """By polling and by subscriptions; the keys change and nothing is lost."""
    driver = device(secured.endpoint, data)
    await driver.open()
    session: Any = driver._session
    tokens = set()
    for _ in range(4):
        session._renew_at = 0.0
        frame = await driver.scan(driver.schemas[0])
        assert not any(frame.quality)
        tokens.add(session._channel.protocol._connection.security_token.TokenId)
    assert len(tokens) == 4
    await driver.close()


async def test_a_server_that_nobody_knows_gives_no_value(secured: OpcuaServer, ours: Made, tmp_path: Path) -> None:
    for _ in range(2):
        error = await refusal(device(secured.endpoint, tmp_path / "data"))
        assert isinstance(error, Refused)
        assert ours.sha256 in str(error) and f"floorgate pki trust {ours.sha256[:16]}" in error.hint
    pki = Pki(tmp_path / "data/pki")
    pki.move(pki.find(ours.sha256, "rejected"), "trusted")
    assert await value(device(secured.endpoint, tmp_path / "data")) >= 7


async def test_a_wrong_password_is_told_and_leaves_no_session(secured: OpcuaServer, data: Path) -> None:
    count = device(secured.endpoint, data, node="i=2277")
    await count.open()
    wrong = {"user": "joe", "password": Referenced("wrong")}
    for _ in range(3):
        error = await refusal(device(secured.endpoint, data, **wrong))
        assert isinstance(error, Refused) and "BadUserAccessDenied" in str(error)
        assert "is the user known" in error.hint and "wrong" not in str(error)
    assert list((await count.scan(count.schemas[0])).values) == [1.0]
    await count.close()


class Stripped(Session):
    """Somebody on the way takes the better policies out of the list that is not signed."""

    async def _discover(self) -> list[Any]:
        return [each for each in await super()._discover() if each.SecurityPolicyUri.endswith("#Basic256Sha256")]


async def test_a_list_that_is_thinned_out_on_the_way_gives_no_value(secured: OpcuaServer, data: Path) -> None:
    config = device(secured.endpoint, data, **JOE)._config
    session = Stripped(secured.endpoint, "press-3", 3.0, access=access(config, data))
    with pytest.raises(Refused, match="not the same: they differ in Aes128_Sha256_RsaOaep") as caught:
        await session.open()
    assert "somebody on the way" in caught.value.hint
    assert not session.alive


async def test_without_a_data_directory_there_is_no_security(secured: OpcuaServer) -> None:
    error = await refusal(device(secured.endpoint, None))  # type: ignore[arg-type]
    assert "no data directory" in str(error)


async def test_a_server_of_another_name_is_refused_unless_that_is_written_down(folder: Path, data: Path) -> None:
    """And a certificate that is swapped under a running server is noticed, whatever else is the same."""
    elsewhere, swapped = made(hosts=["press.local"], number=1), made(number=3)
    trust(data, elsewhere)
    options: dict[str, Any] = {"policies": "Basic256Sha256", "modes": "SignAndEncrypt", "max_sessions": 1}
    with node_opcua_server(small=True, **options, **elsewhere.files(folder, "elsewhere")) as server:
        error = await refusal(device(server.endpoint, data))
        assert "made out to press.local, not to 127.0.0.1" in str(error)
        assert await value(device(server.endpoint, data, certificate_host="press.local")) >= 7
        await fills(server, data)
        port = server.port
    with node_opcua_server(small=True, port=port, **options, **swapped.files(folder, "swapped")) as server:
        error = await refusal(device(server.endpoint, data, certificate_host="press.local"))
        assert "nobody has said that it is to be trusted" in str(error) and swapped.sha256 in str(error)


async def fills(server: OpcuaServer, data: Path) -> None:
    """A server whose sessions are all taken says so, and takes the next when one is free."""
    first, second = (device(server.endpoint, data, certificate_host="press.local") for _ in range(2))
    await first.open()
    for _ in range(2):
        error = await refusal(second)
        assert isinstance(error, Unreachable) and "BadTooManySessions" in str(error)
        assert "other clients hold all" in error.hint
    await first.close()
    assert await value(second) >= 7


async def test_a_strict_server_must_know_us_first_and_then_takes_our_certificate(folder: Path, ours: Made) -> None:
    data, home = folder / "strict", folder / "home"
    own = trust(data, ours).own()
    options: dict[str, Any] = {"policies": "Aes256_Sha256_RsaPss", "modes": "SignAndEncrypt", "strict": True}
    with node_opcua_server(small=True, home=home, **options, **ours.files(folder)) as server:
        error = await refusal(device(server.endpoint, data))
        assert isinstance(error, Unreachable) and "it must trust that first" in str(error)
        error = await refusal(device(server.endpoint, data, security="none"))
        assert "BadSecurityModeRejected" in str(error)
    for refused in (home / "pki/rejected").iterdir():
        refused.unlink()
    (home / "pki/trusted/certs/floorgate.pem").write_bytes(Made(own.certificate, own.key).pem)
    with node_opcua_server(small=True, home=home, **options, **ours.files(folder)) as server:
        assert await value(device(server.endpoint, data)) >= 7


async def test_a_server_whose_clock_nobody_has_set_is_told_of(folder: Path, ours: Made) -> None:
    """By its clock our certificate is not valid yet: it hangs up, and its list of endpoints says what time it has."""
    data, home, clock = folder / "unset", folder / "unset-home", WallClock(folder)
    own = trust(data, ours).own()
    known = home / "pki/trusted/certs/floorgate.pem"
    known.parent.mkdir(parents=True)
    known.write_bytes(Made(own.certificate, own.key).pem)
    unset = 60 - time.time()
    clock.set(unset)
    options: dict[str, Any] = {"policies": "Aes256_Sha256_RsaPss", "modes": "SignAndEncrypt", "strict": True}
    with node_opcua_server(small=True, home=home, environ=clock.environ, **options, **ours.files(folder)) as server:
        driver = device(server.endpoint, data)
        error = await refusal(driver)
        assert isinstance(error, Unreachable) and error.hint == "set the server's clock"
        assert "its clock says 1970-01-01 00:" in str(error) and "our certificate is valid from 20" in str(error)
        assert driver.skew == pytest.approx(unset, abs=60)
        wait_until(lambda: server.channels() == 0, "the end of our channels")  # it dies of one that runs out
        clock.set(3600)
        assert await value(driver) >= 7
        assert driver.skew == pytest.approx(3600, abs=30)


async def test_a_server_that_has_only_broken_policies_is_refused(folder: Path, data: Path, ours: Made) -> None:
    options: dict[str, Any] = {"policies": "Basic256,Basic128Rsa15", "modes": "SignAndEncrypt"}
    with node_opcua_server(small=True, **options, **ours.files(folder)) as server:
        error = await refusal(device(server.endpoint, data))
        assert isinstance(error, Refused)
        assert "only Basic256 with SignAndEncrypt, Basic128Rsa15" in str(error) and "broken" in error.hint
        for policy in POLICIES:
            assert isinstance(await refusal(device(server.endpoint, data, security=policy)), Refused)


async def test_a_redundant_server_is_used_where_it_can_be_had(secured: OpcuaServer, data: Path) -> None:
    """In order; and the place that worked is tried first from then on."""
    nowhere = "opc.tcp://127.0.0.1:1"
    driver = device([nowhere, secured.endpoint], data)
    assert driver.endpoint == nowhere, "the device goes by the first"
    for _ in range(2):
        assert await value(driver) >= 7
    assert driver._dial._at == 1
    error = await refusal(device([nowhere, "opc.tcp://127.0.0.1:2"], data))
    assert isinstance(error, Unreachable)
    assert "127.0.0.1:1:" in str(error) and "127.0.0.1:2:" in str(error)
