"""A walk through a server: an independent one with narrow limits, and one that means ill."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from agent.model.errors import Refused
from drivers.browsing import Browser, Place
from drivers.opcua.browse import browse
from drivers.opcua.nodes import spellings
from drivers.opcua.session import Session
from drivers.opcua.spots import BrowsePath, locate
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer
from tests.unit.opcua.conftest import Connect
from tests.unit.opcua.liar import Liar, child

pytestmark = pytest.mark.xdist_group("opcua")


async def walked(driver: Browser, found: list[Place], expanded: int = 0, **how: Any) -> int:
    wanted: Callable[[int], bool] = how.pop("wanted", lambda at: found[at].address != "i=2253")
    async for done in driver.browse(found, expanded, wanted=wanted, most=how.pop("most", 10_000), **how):
        expanded = done
    return expanded


def named(found: Sequence[Place], name: str) -> Place:
    return next(place for place in found if place.name == name)


async def test_the_tree_of_a_server_with_narrow_limits(machine: OpcuaServer, connect: Connect) -> None:
    """300 children come in pieces, and a reference back up does not lead round in circles."""
    driver, found = await connect(machine.endpoint, {}), cast(list[Place], [])
    assert await walked(driver, found) == len(found)
    many = [place for place in found if place.name.startswith("2:Value")]
    assert [place.address for place in many] == [f"nsu={MACHINE};s=Many.{number}" for number in range(300)]
    assert len({place.address for place in found}) == len(found)
    at = found.index(named(found, "2:Machine"))
    speed = named(found, "2:Speed")
    assert speed == Place(
        at, "2:Speed", f"nsu={MACHINE};s=Speed", "variable", "float32", "Float", False, True, "", f"nsu={MACHINE};Speed"
    )
    assert not named(found, "2:Fixed").writable
    assert named(found, "2:Row").array
    assert named(found, "2:Add").kind == "method"
    assert (named(found, "2:Temp").unit, named(found, "2:Temp").type) == ("Cel", "float64")
    assert (named(found, "EURange").type, named(found, "EURange").source) == ("", "Range")


async def test_a_walk_that_is_broken_off_and_gone_on_with_finds_the_same(
    machine: OpcuaServer, connect: Connect
) -> None:
    """In as many sessions as it takes, with a limit that ends each in the middle of something."""
    whole: list[Place] = []
    await walked(await connect(machine.endpoint, {}), whole)
    found: list[Place] = []
    expanded = 0
    for most in range(7, len(whole) + 60, 53):
        expanded = await walked(await connect(machine.endpoint, {}), found, expanded, most=most)
        assert len(found) <= most
    assert expanded == len(found)
    assert {place.address for place in found} == {place.address for place in whole}
    assert len(found) == len(whole)


async def test_a_walk_begins_where_it_is_told(machine: OpcuaServer, connect: Connect) -> None:
    found: list[Place] = []
    await walked(await connect(machine.endpoint, {}), found, start=f"nsu={MACHINE};s=Many", wanted=lambda at: at == 0)
    assert (found[0].name, len(found)) == ("2:Many", 302), "its children, and the machine that it points back to"


@pytest.mark.parametrize(
    ("start", "error", "said"),
    [
        ("nsu=urn:nobody;s=x", Refused, "namespace"),
        (f"nsu={MACHINE};s=Nothing", Refused, "BadNodeIdUnknown"),
        ("Machine", ValueError, "not a node id"),
    ],
)
async def test_a_start_that_is_none(
    start: str, error: type[Exception], said: str, machine: OpcuaServer, connect: Connect
) -> None:
    driver = await connect(machine.endpoint, {})
    with pytest.raises(error, match=said):
        await walked(driver, [], start=start)


async def test_values_are_shown_as_text(machine: OpcuaServer, connect: Connect) -> None:
    driver = await connect(machine.endpoint, {})
    nodes = [f"nsu={MACHINE};s={name}" for name in ("Recipe", "Row", "Total", "Nothing")]
    assert await driver.peek(nodes) == ["tea", "[1.0, 2.0, 3.0]", "4294967298", "BadNodeIdUnknown"]


async def through(liar: Liar, most: int = 500) -> list[Place]:
    found: list[Place] = []
    async for _ in browse(cast(Session, liar), found, 0, start="i=85", wanted=lambda at: True, most=most):
        assert liar.asked < 5000
    return found


async def test_children_without_an_end_end_at_the_limit() -> None:
    liar = Liar(lambda n: [child(f"c{n}.{i}", "n" * 100_000) for i in range(10)], endless=True)
    found = await through(liar)
    assert len(found) == 500
    assert max(len(place.name) for place in found) < 300
    assert liar.released, "what was not asked for is let go"


async def test_a_server_that_says_the_same_for_ever_is_left() -> None:
    assert len(await through(Liar(lambda n: [child("always", "again")], endless=True))) == 2


async def test_what_no_tag_could_name_is_left_out() -> None:
    """Ids without an end or a meaning, lines that break, nothing at all."""
    odd = ["x" * 100_000, "", "two\nlines", b"", -1, "K\udcfchlung"]
    found = await through(Liar(lambda n: [child(each, None) for each in odd] if n == 1 else [], endless=False))
    assert [place.address for place in found] == ["i=85"]


@pytest.mark.parametrize("uri", ["urn:a;b", "urn:a%3Bb", "http://a/b", "%", ";"])
async def test_the_way_to_a_node_leads_there_whatever_its_namespace_is_called(uri: str) -> None:
    liar = Liar(lambda n: [child("a", "a/b;c")] if n == 1 else [], endless=False)
    liar.namespaces = {uri: 1}
    spot = locate("/Objects/" + (await through(liar))[1].way)
    assert isinstance(spot.node, BrowsePath)
    namespace, name = spot.node.names[-1]
    assert isinstance(namespace, str) and uri in spellings(namespace)
    assert name == "a/b;c"


async def test_a_name_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    found = await through(Liar(lambda n: [child("a", "K\udcfchlung")] if n == 1 else [], endless=False))
    assert found[1].name == "1:K?hlung"
