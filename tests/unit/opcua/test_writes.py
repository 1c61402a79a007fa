"""A value into a node of an independent server: in the node's own type, read back, or refused with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from asyncua import ua

from agent.model.errors import Garbled, Refused, Unreachable
from drivers.api import Writer
from drivers.opcua.config import Tag
from drivers.opcua.session import Session
from drivers.opcua.writes import write
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer, asyncua_server
from tests.unit.opcua.conftest import Connect, device
from tests.unit.opcua.fakes import FakeSession

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
        ("Total", "uint64", [(1 << 64) - 1, (1 << 32) + 2]),
        ("Recipe", "str", ["咖啡", "", "tea"]),
        ("Running", "bool", [True, False]),
        ("Running", None, [1, 0]),
        ("Zones[1]", "int32", [-5, 2]),
        ("Grid[4]", None, [44.5, 4.0]),
        ("Mode", "enum", ["Automatic", "Manual"]),
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
        ("Row", None, 7, r"array.*\[3\]"),
        ("Zones[3]", None, 7, "no element 3: the array has 3"),
        ("Zones[1]", None, 7.5, "not whole"),
        ("Zones[1][0]", None, 7, "element within an element"),
        ("Speed[0]", None, 7, "no array"),
        ("Mode", "enum", "Broken", "none of its names: 'Off', 'Manual', 'Automatic', 'Manual again'"),
        ("Mode", "enum", "Off", "several numbers: 0, 4"),
        ("Speed", "enum", "Off", "no names"),
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


async def test_only_the_element_that_is_meant_is_written(machine: OpcuaServer, connect: Connect) -> None:
    names = {"one": "Zones[0]", "two": "Zones[1]", "grid": "Grid[3]", "next": "Grid[4]"}
    driver = await connect(machine.endpoint, {name: node(where) for name, where in names.items()})
    before = {name: await driver.look(name) for name in names}
    for name in ("one", "grid"):
        await driver.write(name, 9)
    assert {name: await driver.look(name) for name in names} == before | {"one": 9.0, "grid": 9.0}
    for name in ("one", "grid"):
        await driver.write(name, before[name])


async def test_a_field_of_a_structure_stays_refused(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {"t": "i=2256.State"})
    with pytest.raises(Refused, match="a field of a structure cannot be written"):
        await driver.write("t", 1)


async def test_a_server_that_ignores_which_element_is_meant_is_found_out_before(
    plant: OpcuaServer, connect: Connect
) -> None:
    """asyncua's would put the one element in place of the whole array."""
    driver = await connect(plant.endpoint, {"t": "Row[1]"})
    with pytest.raises(Refused, match="ignores which element is meant"):
        await driver.write("t", 1.0)


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
    with pytest.raises(ValueError, match="no text"):
        device("opc.tcp://127.0.0.1:1", {"e": ("i=1", "enum")}).encode("e", 2)


def test_limits_of_a_tag_that_is_written_by_name_say_nothing() -> None:
    tag = {"name": "mode", "node": "i=1", "type": "enum"}
    assert Tag.model_validate(tag | {"write": {"rate": "2s"}}).write
    for limit in ({"min": 1}, {"max": 2}, {"step": 1}):
        with pytest.raises(ValueError, match="written by name"):
            Tag.model_validate(tag | {"write": limit})


@dataclass
class Careless(FakeSession):
    """A server with one array. It reads single elements well, and writes them as `how` says."""

    held: list[int] = field(default_factory=lambda: [1, 2, 3])
    how: int | str = 0
    read_limit: int = 100

    async def read(self, request: ua.ReadRequest) -> list[ua.DataValue]:
        answers = {ua.AttributeIds.DataType: ua.NodeId(ua.Int32(6)), ua.AttributeIds.ValueRank: 1}
        value = answers | {ua.AttributeIds.Value: self.held}
        asked = request.Parameters.NodesToRead
        if asked[0].IndexRange:
            return [
                ua.DataValue(ua.Variant([self.held[int(asked[0].IndexRange)]], ua.VariantType.Int32, is_array=True))
            ]
        kinds = {ua.AttributeIds.Value: ua.VariantType.Int32}
        return [ua.DataValue(ua.Variant(value[each.AttributeId], kinds.get(each.AttributeId))) for each in asked]

    def read_request(self, nodes: Sequence[ua.NodeId]) -> Any:
        return Session.read_request(cast(Session, self), nodes)

    async def call(self, request: ua.WriteRequest, kind: type) -> ua.WriteResponse:
        (asked,) = request.Parameters.NodesToWrite
        if self.how == "whole":
            self.held = asked.Value.Value.Value
        elif not self.how:
            self.held[int(asked.IndexRange)] = asked.Value.Value.Value[0]
        return ua.WriteResponse(Results=[ua.StatusCode(ua.UInt32(self.how if isinstance(self.how, int) else 0))])


ELEMENT = Tag.model_validate({"name": "t", "node": "i=5[0]", "type": "int32"})


async def test_an_element_is_written_and_read_back() -> None:
    session = Careless()
    assert await write(cast(Session, session), ELEMENT, 7) == 7
    assert session.held == [7, 2, 3]


@pytest.mark.parametrize("code", ["BadWriteNotSupported", "BadIndexRangeInvalid", "BadIndexRangeNoData"])
async def test_a_server_that_takes_whole_arrays_only_is_told_from_others(code: str) -> None:
    """It is not read, changed and written as a whole: what others write meanwhile would be lost."""
    session = Careless(how=getattr(ua.StatusCodes, code))
    with pytest.raises(Refused, match=f"{code}.*one element of an array by itself"):
        await write(cast(Session, session), ELEMENT, 7)
    assert session.held == [1, 2, 3]


async def test_an_array_that_became_an_element_is_noticed() -> None:
    with pytest.raises(Garbled, match=r"has 1 instead of 3 now.*taken the element for the whole"):
        await write(cast(Session, Careless(how="whole")), ELEMENT, 7)


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
