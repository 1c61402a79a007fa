"""What a sink does to a row is told with the next step: denied, refused and set aside, a store in trouble."""

from pathlib import Path

import pytest

from agent.health import Health, Part
from agent.model.errors import DiskFailed, StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.latest import Commit, Latest, Mark
from agent.runtime.why import north
from agent.runtime.why.north import Aside, Debt, Now
from agent.runtime.why.shaping import Sample
from agent.runtime.why.stages import Explanation, Stage
from tests.sim.http_platform import HttpPlatform, Says
from tests.sim.mosquitto import Mosquitto
from tests.unit.runtime.explaining import explained, running, states

SITE = """\
gateway: {{id: gw}}
devices: [{{name: boiler, driver: sim, interval: 1s, tags: [{{name: heat, wave: ramp}}]}}]
sinks: [{sink}]
buffer: {{commit: 20ms, max_size: 64MB, reserve: 64MB}}
"""
S = 10**9
MARK = Mark(7, Commit("9f2c", 1000 * S))
NOW = Now(100.0, 1001 * S)
LATER = Now(100.0, 1100 * S)


async def test_a_sink_that_may_not_publish_is_blocked_and_says_what_to_look_at(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, acl="topic read #\ntopic write floorgate/gw/$status\n") as broker:
        sink = f"{{name: denied, type: mqtt, url: 'mqtt://127.0.0.1:{broker.port}'}}"
        async with running(tmp_path, SITE.format(sink=sink)) as ask:
            row = await explained(ask, "boiler", "heat", "sink denied", "failed")
    assert states(row)["store"] == "ok"
    assert ["state", "blocked"] in row["verdict"]["seen"]
    assert "denied" in row["verdict"]["wrong"].lower() or "not authori" in row["verdict"]["wrong"].lower()
    assert row["verdict"]["hint"]


async def test_a_frame_that_is_refused_is_set_aside_with_the_reason_and_how_to_send_it_again(tmp_path: Path) -> None:
    with HttpPlatform() as platform:
        platform.always = Says(422, {}, b"temperature in kelvin, please")
        sink = f"{{name: picky, type: http, url: '{platform.url}'}}"
        async with running(tmp_path, SITE.format(sink=sink)) as ask:
            row = await explained(ask, "boiler", "heat", "sink picky", "failed")
    assert "422" in row["verdict"]["wrong"]
    assert row["verdict"]["hint"] == "see what it is, and then: floorgate store retry picky"


def part(state: str = "up", *, confirmed: float = 99.0, error: StoreError | None = None) -> tuple[Health, Part]:
    health = Health()
    found = health.part("sink", "s")
    if state == "up":
        found.up()
    elif error is not None:
        found.down(error)
    found.confirmed = confirmed
    return health, found


def judged(debt: Debt | None, health: Health, now: Now = NOW) -> tuple[str, str]:
    stage = north.sink(health, "s", debt, MARK, now)
    return stage.state, stage.wrong


def test_what_a_sink_has_of_a_row_is_told_by_what_it_is_owed() -> None:
    health, _ = part()
    health.flights["s"] = {}
    assert judged(Debt(False, 0, None), health) == ("ok", "")
    assert judged(Debt(True, 3, None), health) == ("ok", "")
    late = judged(Debt(True, 3, None), health, LATER)
    assert late == ("doubt", "it has waited for 100 s: 3 frames are owed to this sink")
    assert judged(None, health)[0] == "unreached"
    mine = judged(Debt(False, 0, Aside(7, 1000 * S, "too large")), health)
    assert mine == ("failed", "it was refused three times and set aside: too large")
    other = judged(Debt(True, 1, Aside(5, 1000 * S, "too large")), health)
    assert other == ("failed", "frames of this device are refused, the last one was 5: too large")
    assert judged(Debt(False, 0, Aside(5, 1000 * S, "too large")), health) == ("ok", "")


def test_what_is_not_owed_to_a_sink_that_has_never_confirmed_anything_was_not_confirmed() -> None:
    stage = north.sink(part(confirmed=0.0)[0], "s", Debt(False, 0, None), MARK, NOW)
    assert ("row", "not owed") in stage.seen


def test_a_row_that_is_confirmed_is_no_failure_of_a_sink_that_fell_down_since() -> None:
    health, _ = part("down", error=StoreError("no route to host", hint="is the cable in?"))
    assert judged(Debt(False, 0, None), health) == ("doubt", "no route to host")
    assert judged(Debt(True, 9, None), health) == ("failed", "no route to host")


def test_a_store_in_trouble_fails_with_what_it_says() -> None:
    health = Health()
    health.part("store", "store.db").down(DiskFailed("no space left on device", hint="free some space"))
    stage = north.row(health, MARK, Sample(1, 0, 0), waits=True, there=True, now=100.0)
    assert (stage.state, stage.wrong, stage.hint) == ("failed", "no space left on device", "free some space")
    well = north.row(Health(), MARK, Sample(1, 0, 0), waits=False, there=False, now=100.0)
    assert (well.state, dict(well.seen)["row"]) == ("ok", "9f2c/7")
    assert north.row(Health(), None, None, waits=False, there=False, now=100.0).state == "unreached"


SCHEMA = Schema("d", "g", tuple(Tag(f"t{n}") for n in range(100)), 1.0)


def frame(columns: tuple[int, ...] | None, ts: int) -> Frame:
    n = len(SCHEMA.tags) if columns is None else len(columns)
    return Frame(SCHEMA, ts, (1.0,) * n, bytes(n), ts, columns)


def test_the_number_of_a_row_is_that_of_the_last_frame_with_the_column() -> None:
    latest, first, second = Latest(), Commit("e", 1), Commit("e", 2)
    latest.add([frame(None, 1), frame((0,), 2), frame((1,), 3)], 10, first)
    assert [latest.mark(SCHEMA, column) for column in (0, 1)] == [Mark(11, first), Mark(12, first)]
    latest.add([frame((0, 1), 4)], 20, second)
    assert latest.mark(SCHEMA, 1) == Mark(20, second)
    latest.add([frame((at,), at) for at in range(5, 100)], 100, second)
    assert latest.mark(SCHEMA, 1) is None, "it is too long ago"
    assert latest.mark(SCHEMA, 99) == Mark(194, second)
    latest.forget_marks()
    assert latest.mark(SCHEMA, 99) is None


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([("decode", "doubt"), ("value", "failed"), ("sink s", "failed")], "value"),
        ([("decode", "doubt"), ("sink s", "failed")], "decode"),
        ([("source", "ok"), ("report", "held"), ("sink s", "doubt")], "sink s"),
        ([("report", "held"), ("store", "ok")], "report"),
        ([("line", "ok"), ("store", "unreached")], None),
    ],
)
def test_what_is_to_be_looked_at_first_is_where_the_value_is_lost(
    found: list[tuple[str, str]], verdict: str | None
) -> None:
    stages = [Stage(name, state) for name, state in found]  # type: ignore[arg-type]  # they are states
    explanation = Explanation("d", "t", "agent", stages)
    assert (explanation.verdict and explanation.verdict.name) == verdict
