"""What leaves towards a server is recorded, and searched for the password in every form that it could have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client
from pydantic import ValidationError

from agent.model.errors import Refused
from agent.model.text import Referenced
from drivers.opcua.access import Access
from drivers.opcua.pki import Pki
from drivers.opcua.session import Session
from tests.sim.gate import Gate
from tests.sim.opcua_certificates import Made, made
from tests.sim.opcua_fixtures import OpcuaServer, node_opcua_server
from tests.unit.opcua.test_security_servers import device, refusal, trust, value

pytestmark = pytest.mark.xdist_group("opcua")

PASSWORD = "geheim-密码"
JOE = {"user": "joe", "password": Referenced(PASSWORD)}
FORMS = [text.encode(code) for text in (PASSWORD, "geheim") for code in ("utf-8", "utf-16-le", "utf-16-be")]
POLICIES = "None,Basic256Sha256"


def found(gate: Gate) -> list[bytes]:
    """The forms of the password that went out, after something did."""
    assert bytes(gate.passed).startswith(b"HEL")
    return [form for form in FORMS if form in gate.passed]


@pytest.fixture(scope="module")
def ours() -> Made:
    """The server's certificate."""
    return made()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, ours: Made) -> Path:
    """A data directory in which the server is trusted."""
    folder = tmp_path_factory.mktemp("password") / "data"
    trust(folder, ours)
    return folder


@pytest.fixture(scope="module")
def server(data: Path, ours: Made) -> Iterator[OpcuaServer]:
    """It knows joe, in the clear and encrypted by a policy for user names, with encryption and without."""
    options: dict[str, Any] = {"modes": "None,Sign,SignAndEncrypt", "user": f"joe:{PASSWORD}", "plain_users": True}
    with node_opcua_server(policies=POLICIES, **options, **ours.files(data.parent)) as running:
        yield running


@pytest.fixture
def gate(server: OpcuaServer) -> Iterator[Gate]:
    with Gate(server.port, keep=True) as way:
        yield way


def at(gate: Gate) -> str:
    return f"opc.tcp://127.0.0.1:{gate.port}"


async def test_the_search_finds_a_password_that_does_leave(gate: Gate) -> None:
    """A client that sends it, and a server that takes it in the clear."""
    client = Client(at(gate))
    client.set_user("joe")
    client.set_password(PASSWORD)
    async with client:
        pass
    assert PASSWORD.encode() in found(gate)


async def test_in_the_file_it_is_an_error_before_anything_is_connected(gate: Gate, data: Path) -> None:
    with pytest.raises(ValidationError, match="`user` with `security: none`: anybody on the wire could use it"):
        device(at(gate), data, security="none", **JOE)
    assert gate.passed == b""


async def test_whoever_gets_past_that_is_anonymous(gate: Gate) -> None:
    """Neither in the clear nor encrypted: on an open channel somebody else could go on as joe."""
    session = Session(at(gate), "press-3", 3.0, access=Access(security="none", user="joe", password=PASSWORD))
    await session.open()
    await session.close()
    assert found(gate) == []
    assert b"joe" not in gate.passed


async def test_a_server_that_wants_a_user_without_encryption_gets_none(data: Path, ours: Made, tmp_path: Path) -> None:
    """It would have the password in the clear or encrypted; and `security: auto` takes no such server at all."""
    options: dict[str, Any] = {"user": f"joe:{PASSWORD}", "no_anonymous": True, "plain_users": True}
    with node_opcua_server(policies=POLICIES, **options, **ours.files(tmp_path)) as server:
        for access, said in (
            (Access(security="none", user="joe", password=PASSWORD), "the server wants a user"),
            (Access(user="joe", password=PASSWORD, security="auto", pki=Pki(data / "pki")), "the server offers no"),
        ):
            with Gate(server.port, keep=True) as gate:
                session = Session(at(gate), "press-3", 3.0, access=access)
                with pytest.raises(Refused, match=said):
                    await session.open()
                assert found(gate) == []
                assert b"joe" not in gate.passed


@pytest.mark.parametrize("mode", ["sign", "encrypt"])
async def test_with_security_it_leaves_encrypted(gate: Gate, data: Path, mode: str) -> None:
    """With `sign` the user's name can be read along, and his password cannot."""
    assert await value(device(at(gate), data, security_mode=mode, **JOE)) >= 7
    assert found(gate) == []
    assert (b"joe" in gate.passed) == (mode == "sign")


async def test_a_wrong_password_leaves_encrypted_too(gate: Gate, data: Path) -> None:
    wrong = {"user": "joe", "password": Referenced("geheim-wrong")}
    assert "BadUserAccessDenied" in str(await refusal(device(at(gate), data, security_mode="sign", **wrong)))
    assert found(gate) == []
