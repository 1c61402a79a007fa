"""What counts as well: who answers, whoever is overloaded not, and a tag with a usable value."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from agent.config import Files, Site, load
from agent.health import Health, Load
from agent.model.errors import Unavailable, Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.runtime.running import Running
from agent.runtime.trial import S, Vitals
from agent.runtime.vitals import vitals

METER = Schema("meter", "1s", (Tag("u"), Tag("i"), Tag("p")), 1.0)
MADE = Schema("meter", "interval-15m", (Tag("energy"),), 0.0, made=True)
EVENTS = Schema("press", "events", (Tag("text", "str", "", "event"),))


def test_devices_lines_and_sinks_are_well_when_they_do_their_work() -> None:
    health = Health()
    for kind, name in (
        ("device", "meter"),
        ("device", "session"),
        ("line", "tcp:a"),
        ("sink", "up"),
        ("store", "disk"),
    ):
        health.part(kind, name).up()
    health.part("device", "meter").breaker = "closed"
    health.part("device", "dead").breaker = "open"
    health.part("device", "half").breaker = "half_open"
    health.part("device", "lost").down(Unreachable("gone"))
    health.part("sink", "denied").blocked(Unavailable("no"))
    health.part("sink", "new")
    health.loads["tcp:b"] = Load("tcp:b", overloaded=True)
    health.part("line", "tcp:b").up()
    found = vitals(health, []).well
    assert {name for (_, name), well in found.items() if well} == {"meter", "session", "tcp:a", "up"}
    assert {name for (_, name), well in found.items() if not well} == {"dead", "half", "lost", "denied", "new", "tcp:b"}
    assert vitals(health, []).counts() == {"device": [2, 5], "line": [1, 2], "sink": [1, 3], "tag": [0, 0]}


def test_a_tag_is_bad_without_a_usable_value_unless_only_its_process_stands_still() -> None:
    quality = bytes((Quality.CLAMPED, Quality.BAD_RANGE, Quality.BAD_STUCK))
    frame = Frame(METER, 0, (1.0, None, 2.0), quality, 0)
    found = vitals(Health(), [(METER, frame), (MADE, None), (EVENTS, None)])
    assert found == Vitals({}, frozenset({"meter/u", "meter/i", "meter/p"}), frozenset({"meter/i"}))
    good = vitals(Health(), [(METER, Frame(METER, 0, (1.0, 2.0, 3.0), bytes(3), 0))])
    assert good.bad == frozenset()


def test_a_group_that_has_given_nothing_is_bad() -> None:
    assert vitals(Health(), [(METER, None)]).bad == frozenset({"meter/u", "meter/i", "meter/p"})


class App:
    """As much of one as `Running` looks at."""

    health = Health()

    def __init__(self, site: Site) -> None:
        self.site = site

    def newest(self) -> Iterator[tuple[Schema, Frame | None]]:
        yield METER, None
        yield Schema("meter", "slow", (Tag("e"),), 60.0), None
        yield Schema("meter", "interval-1h", (Tag("t"),), 3600.0, made=True), None


def test_a_device_has_three_turns_of_its_slowest_group_and_a_timeout() -> None:
    text = """\
gateway: {id: gw}
devices:
  - {name: meter, driver: modbus, endpoint: "tcp://10.0.0.1", tags: [{name: u, address: 1, type: uint16}]}
  - {name: own, driver: modbus, endpoint: "tcp://10.0.0.2", timeout: 7s, tags: [{name: u, address: 1, type: uint16}]}
lines: [{endpoint: "tcp://10.0.0.1", timeout: 5s}]
"""
    path = Path("/nowhere/site.yaml")
    site = load(path, {}, files=Files({path: text.encode()}))
    assert Running(cast(Any, App(site)), "site.yaml").patience() == {"meter": 185 * S, "own": 7 * S}
