"""A value into a node of an independent server: in the node's own type, read back, or refused with a reason."""

from typing import Any

import pytest

from agent.model.errors import Refused, Unreachable
from drivers.api import Writer
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer, asyncua_server
from tests.unit.opcua.conftest import Connect, device

pytestmark = pytest.mark.xdist_group("opcua")


def node(name: str) -> str:
    return f"nsu={MACHINE};s={name}"


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("Speed", None, [0.1, 7, 1.5]),
        ("Speed", "float32", [0.1, 1.5]),
        ("Limit", None, [-7, 12.0, 7]),
        ("Limit", "int16", [1, 7]),
        ("Total", "uint64", [(1 << 64) - 1, 3]),
        ("Recipe", "str", ["咖啡", "", "tea"]),
        ("Running", "bool", [True, False]),
        ("Running", None, [1, 0]),
    ],
)
async def test_a_value_takes_the_node_s_own_type(
    name: str, kind: str | None, values: list[Any], machine: OpcuaServer, connect: Connect
) -> None:
    driver = await connect(machine.endpoint, {"t": (node(name), kind)})
    assert isinstance(driver, Writer)
    for value in values:
        meant = driver.encode("t", value).value
        assert await driver.write("t", value) == meant
        found = await driver.look("t")
        assert found == meant if name != "Speed" else abs(found - value) < 1e-6


@pytest.mark.parametrize(
    ("name", "kind", "value", "said"),
    [
        ("Limit", None, 7.5, "not whole"),
        ("Limit", "int32", 70000, "-32768 to 32767"),
        ("Recipe", None, 7, "no text"),
        ("Row", None, 7, "array"),
        ("Fixed", None, 7, "BadNotWritable|BadUserAccessDenied"),
        ("Nothing", None, 7, "BadNodeIdUnknown"),
        ("Machine", None, 7, "BadAttributeIdInvalid"),
    ],
)
async def test_what_the_node_does_not_take_is_refused(
    name: str, kind: str | None, value: Any, said: str, machine: OpcuaServer, connect: Connect
) -> None:
    driver = await connect(machine.endpoint, {"t": (node(name), kind), "well": node("Temp")})
    with pytest.raises(Refused, match=said):
        await driver.write("t", value)
    assert driver._session.alive


async def test_a_namespace_that_is_not_there(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {"t": "nsu=urn:nobody;s=x"})
    with pytest.raises(Refused, match="namespace"):
        await driver.write("t", 1)


async def test_a_server_that_falls_silent_leaves_it_open_what_happened(connect: Connect) -> None:
    with asyncua_server() as server:
        driver = await connect(server.endpoint, {"t": "Temp"}, timeout=0.3)
        server.freeze()
        with pytest.raises(Unreachable):
            await driver.write("t", 1.0)
        server.thaw()


async def test_the_other_library_s_server_refuses_in_its_own_words(plant: OpcuaServer, connect: Connect) -> None:
    driver = await connect(plant.endpoint, {"t": "Temp", "any": "Loose"})
    with pytest.raises(Refused, match=r"BadUserAccessDenied.*this user"):
        await driver.write("t", 1.0)


def test_what_the_tag_cannot_hold_is_known_before_anybody_is_asked() -> None:
    driver = device("opc.tcp://127.0.0.1:1", {"t": ("i=1", "int8"), "s": ("i=2", "str")})
    with pytest.raises(ValueError, match="-128 to 127"):
        driver.encode("t", 300)
    assert driver.encode("s", "x").raw == "i=2: 'x'"


async def test_a_time_is_looked_at_as_a_scan_has_it(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {"t": ("i=2257", "str")})
    frame = await driver.scan(driver.schemas[0])
    assert [await driver.look("t")] == list(frame.values)


async def test_right_before_a_value_leaves_somebody_is_asked(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {"t": (node("Limit"), None), "none": node("Nothing")})

    def no() -> None:
        raise Refused("too late")

    asked: list[int] = []
    await driver.write("t", 7, lambda: asked.append(1))
    assert (await driver.look("t", lambda: asked.append(2)), asked) == (7, [1, 2])
    for call in (driver.write("t", 12, no), driver.look("t", no)):
        with pytest.raises(Refused, match="too late"):
            await call
    assert await driver.look("t") == 7
    with pytest.raises(Refused, match="BadNodeIdUnknown"):
        await driver.write("none", 7, lambda: asked.append(3))
    assert asked == [1, 2]
