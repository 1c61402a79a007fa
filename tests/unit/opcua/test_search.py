"""The search beside the values: when a server is walked, what ends a walk, and what is said of it."""

import itertools
from pathlib import Path
from typing import Any, cast

import pytest
from asyncua import ua

from agent.model.errors import Refused, Unreachable
from drivers.opcua import search
from drivers.opcua.pins import Pins
from drivers.opcua.search import DAY, GROWN, LATEST, SOONEST, Seeker
from drivers.opcua.session import Session
from tests.unit.opcua.fakes import Hands
from tests.unit.opcua.liar import Liar, child
from tests.unit.opcua.test_pins import config

FLOAT = ua.NodeId(cast(Any, 10))


class Server(Liar):
    """Below Objects lie variables of these names, and what a test adds; each request takes `takes` seconds."""

    def __init__(self, *names: str, hands: Hands | None = None, takes: float = 0.01) -> None:
        super().__init__(self._listed, endless=False)
        self.names, self.hands, self.takes = list(names), hands or Hands(), takes
        self.lost = self.refuses = False

    def _listed(self, n: int) -> list[ua.ReferenceDescription]:
        return [child(name, name, ua.NodeClass.Variable) for name in self.names] if self._first() else []

    def _first(self) -> bool:
        return self._node == ua.NodeId(cast(Any, 85))

    async def call(self, request: Any, kind: type[Any]) -> Any:
        self.hands.seconds += self.takes
        if self.lost:
            raise Unreachable("the session is lost")
        if self.refuses:
            raise Refused("not allowed")
        if isinstance(request, ua.BrowseRequest):
            self._node = request.Parameters.NodesToBrowse[0].NodeId
        return await super().call(request, kind)

    async def read(self, request: ua.ReadRequest) -> list[ua.DataValue]:
        kinds = {ua.AttributeIds.DataType: FLOAT, ua.AttributeIds.BrowseName: ua.QualifiedName("Objects")}
        wanted = [each.AttributeId for each in request.Parameters.NodesToRead]
        return [ua.DataValue(ua.Variant(kinds[each])) if each in kinds else ua.DataValue() for each in wanted]


def seeker(server: Server, *patterns: str, alone: bool = False, data: Path | None = None, **limits: Any) -> Seeker:
    pins = Pins(config(*[{"match": text} for text in patterns]), data)
    made = Seeker(pins, "press-3", server.hands.clock(), alone=alone, **limits)
    made.opened()
    return made


async def walk(seeker: Seeker, server: Server) -> list[str]:
    """Everything that is due now; the names of the tags that are new."""
    found: list[str] = []
    for _ in range(10_000):
        if not seeker.due():
            return found
        found += [tag.name for tag in await seeker.step(cast(Session, server), set)]
    raise AssertionError("there is always something to do")


async def test_a_session_has_one_walk_and_the_next_one_waits_its_time() -> None:
    server = Server("V1", "V2", "W1")
    sought = seeker(server, "V?")
    assert await walk(sought, server) == ["V1", "V2"]
    asked = server.asked
    server.hands.seconds += 2 * LATEST
    assert await walk(sought, server) == []
    assert server.asked == asked, "in the same session nothing has changed"
    server.names.append("V3")
    sought.opened()
    assert await walk(sought, server) == ["V3"]


@pytest.mark.parametrize(("takes", "waits"), [(0.001, SOONEST), (0.5, 50.0), (50.0, LATEST)])
async def test_a_server_is_left_alone_for_a_hundred_times_as_long_as_a_walk_took(takes: float, waits: float) -> None:
    server = Server(takes=takes)
    sought = seeker(server, "V?")
    await walk(sought, server)
    sought.opened()
    server.hands.seconds += waits - 5
    sought._look_at = server.hands.seconds + 1e9  # the file is looked at each minute, which is another matter
    assert not sought.due()
    assert sought.pending
    server.hands.seconds += 10
    assert sought.due()


async def test_a_device_that_grows_all_the_time_is_left_alone_for_longer_and_longer() -> None:
    """Each growth is a new set of columns for everybody behind."""
    server = Server("V0", takes=0.0)
    sought = seeker(server, "V*")
    await walk(sought, server)
    grown = []
    for minute in range(5, 60 * 24 * 3, 5):
        server.names.append(f"V{minute}")
        sought.opened()
        server.hands.seconds += 300
        grown += [minute] * bool(await walk(sought, server))
    pauses = [after - before for before, after in itertools.pairwise(grown)]
    assert pauses[:4] == [GROWN / 60 * times for times in (1, 2, 4, 8)]
    assert max(pauses) <= DAY / 60
    assert len(grown) < 12


async def test_a_walk_goes_on_in_the_next_session() -> None:
    server = Server(*[f"V{number}" for number in range(100)])
    sought = seeker(server, "V*")
    for _ in range(4):
        await sought.step(cast(Session, server), set)
    server.lost = True
    with pytest.raises(Unreachable):
        await walk(sought, server)
    await sought.rest()
    server.lost, before = False, server.asked
    sought.opened()
    assert len(await walk(sought, server)) == 100
    assert before > 0


async def test_a_tree_without_an_end_is_left_at_its_limits() -> None:
    """What was found until then is taken; what to do is said once."""
    server = Server()
    server._children = lambda n: [child(f"V{n}.{number}", f"V{n}.{number}") for number in range(10)]
    sought = seeker(server, "**/V*", most=200)
    await walk(sought, server)
    assert sought.cut == "the walk was broken off after 200 nodes"
    assert any("begin the patterns with / or ./" in said for said in sought.news())
    assert sought.news() == []
    slow = Server(takes=10.0)
    slow._children = server._children
    sought = seeker(slow, "**/V*", seconds=100.0)
    await walk(sought, slow)
    assert sought.cut == "the walk was broken off after 100 s"
    assert slow.asked < 30


async def test_a_branch_that_no_pattern_leads_into_is_not_looked_into() -> None:
    server = Server("V1", "V2", "Deep")
    sought = seeker(server, "/Objects/V?/Temp")
    await walk(sought, server)
    assert server._made == 3, "Objects and the two"


async def test_a_server_that_does_not_let_itself_be_browsed_still_gives_its_values() -> None:
    server = Server("V1")
    server.refuses = True
    sought = seeker(server, "V?")
    assert await walk(sought, server) == []
    assert "the walk was broken off: not allowed" in sought.news()[0]


async def test_a_device_that_has_nothing_but_patterns_and_no_tag_is_in_error() -> None:
    """Until a walk finds one."""
    server = Server("W1")
    sought = seeker(server, "V?", "X*", alone=True)
    with pytest.raises(Refused, match=r"press-3: nothing on the server is meant by V\?, X\*"):
        await walk(sought, server)
    assert sought.barren
    server.names.append("V1")
    server.hands.seconds += SOONEST + 1
    sought.opened()
    assert await walk(sought, server) == ["V1"]
    assert sought.barren == ""
    assert sought.news() == ["nothing on the server is meant by X*"]


async def test_too_many_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.opcua.pins.MOST", 5)
    server = Server(*[f"V{number}" for number in range(6)])
    sought = seeker(server, "V*")
    assert await walk(sought, server) == []
    assert "'V*' alone 6: none of the new ones is a tag; write patterns that mean fewer" in sought.news()[0]


async def test_a_node_with_a_tag_by_another_name_of_it_is_not_found() -> None:
    server = Server("V1", "V2")
    sought = seeker(server, "V?")
    listed = ua.NodeId(cast(Any, "V1"), cast(Any, 1))
    found: list[str] = []
    while sought.due():
        found += [tag.name for tag in await sought.step(cast(Session, server), lambda: {listed})]
    assert found == ["V2"]


async def test_what_cannot_be_kept_is_used_all_the_same_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "browse").write_text("no folder")
    server = Server("V1")
    sought = seeker(server, "V?", data=tmp_path)
    assert await walk(sought, server) == ["V1"]
    assert "is not kept" in sought.news()[1]
    (tmp_path / "browse").unlink()
    server.hands.seconds += LATEST + 1
    sought.opened()
    await walk(sought, server)
    assert (tmp_path / "browse/press-3.found.jsonl").exists()


async def test_what_a_command_has_pinned_is_taken_up_within_a_minute(tmp_path: Path) -> None:
    server = Server("V1")
    sought, other = seeker(server, "V?", data=tmp_path), seeker(server, "V?", data=tmp_path)
    assert await walk(sought, server) == ["V1"]
    server.names.append("V2")
    assert await walk(other, server) == ["V1", "V2"]
    server.hands.seconds += search.LOOK + 1
    assert await walk(sought, server) == ["V2"]


async def test_a_pattern_that_is_off_is_not_looked_for() -> None:
    server = Server("V1")
    pins = Pins(config({"match": "V?", "enabled": False}), None)
    sought = Seeker(pins, "press-3", server.hands.clock(), alone=False)
    sought.opened()
    assert await walk(sought, server) == []
    assert server.asked == 0
