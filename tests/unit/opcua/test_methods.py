"""Methods of an independent server, with arguments in its own types."""

from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.errors import Refused
from drivers.api import Argument, Caller
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer
from tests.unit.opcua.conftest import Connect, device

pytestmark = pytest.mark.xdist_group("opcua")
ADD = {"name": "add", "object": f"nsu={MACHINE};s=Machine", "node": f"nsu={MACHINE};s=Add"}


async def with_methods(connect: Connect, machine: OpcuaServer, **keys: Any) -> Any:
    return await connect(machine.endpoint, {}, methods=[{**ADD, **keys}])


async def test_a_method_says_what_it_takes_and_gives(machine: OpcuaServer, connect: Connect) -> None:
    driver = await with_methods(connect, machine)
    assert isinstance(driver, Caller)
    assert await driver.signature("add") == (Argument("a", "float32", "Float"), Argument("b", "int16", "Int16"))
    assert await driver.call("add", [1.5, 2]) == [3.5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([1.5], "takes 2 arguments, not 1"),
        ([1.5, 2.5], "b: 2.5 is not whole"),
        ([1.5, 40000], "b: 40000 is outside"),
        (["x", 1], "a: 'x' is no number"),
        ([-1, 1], "BadOutOfRange"),
    ],
)
async def test_what_it_does_not_take(arguments: list[Any], said: str, machine: OpcuaServer, connect: Connect) -> None:
    driver = await with_methods(connect, machine)
    with pytest.raises(Refused, match=said):
        await driver.call("add", arguments)
    assert driver._session.alive


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"node": f"nsu={MACHINE};s=Nothing"}, "BadNodeIdUnknown"),
        ({"object": "nsu=urn:nobody;s=x"}, "namespace"),
        ({"object": f"nsu={MACHINE};s=Nothing"}, "BadNodeId|BadMethodInvalid"),
    ],
)
async def test_a_method_that_is_not_there(
    keys: dict[str, str], said: str, machine: OpcuaServer, connect: Connect
) -> None:
    driver = await with_methods(connect, machine, **keys)
    with pytest.raises(Refused, match=said):
        await driver.call("add", [1, 2])


def test_two_methods_of_one_name() -> None:
    with pytest.raises(ValidationError, match="same name"):
        device("opc.tcp://127.0.0.1:1", {}, methods=[ADD, ADD])
