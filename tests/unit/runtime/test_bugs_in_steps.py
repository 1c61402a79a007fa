"""A part of the steps that raises: what it does not touch goes on, and whatever was open is closed."""

from collections.abc import Sequence

import pytest

from agent.health import Part
from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Steps
from agent.runtime.inlet import Inlet
from agent.runtime.subscription import Subscription
from agent.runtime.supervise import Backoff
from tests.unit.runtime.test_line import Bench, Device
from tests.unit.runtime.test_subscription import SCHEMA, Press


class Bug(Exception):
    """Nobody foresaw it."""


class Ticking:
    """A part that ticks and keeps; one that is broken raises in both."""

    def __init__(self, name: str, *, broken: bool) -> None:
        self.must, self.may, self.broken = True, False, broken
        self.schema = Schema(name, "state", (Tag("a"),), made=True)

    def tick(self, wall: int, mono: int) -> Sequence[Frame]:
        if self.broken:
            raise Bug
        return [Frame(self.schema, wall, (1.0,), b"\0", mono)]

    def dump(self) -> bytes:
        if self.broken:
            raise Bug
        return b"state"

    def load(self, kept: bytes) -> None:
        """It starts anew."""


def parts(*broken: bool) -> Steps:
    steps = Steps()
    for place, each in enumerate(broken):
        steps._context.one(f"part{place}", lambda _, each=each, place=place: Ticking(f"m{place}", broken=each))  # type: ignore[misc]  # arguments that bind
    return steps


def raising(frame: Frame) -> tuple[Frame, ...]:
    raise Bug


def test_a_device_whose_steps_raise_costs_its_neighbours_nothing() -> None:
    sick, well = Device("sick", 0.1), Device("well", 0.1)
    bench = Bench(sick, well)
    bench.steps = {sick.schemas[0]: raising, well.schemas[0]: lambda frame: (frame,)}
    bench.run(10.05)
    assert len(bench.frames["well"]) >= 98
    assert (well.opened, well.closed) == (1, 1)
    assert bench.health.part("device", "sick").bugs > 0


async def test_a_session_whose_steps_raise_is_closed() -> None:
    press = Press()
    press.sessions = [(1, AssertionError())]  # type: ignore[list-item]  # it is not come to
    work = Subscription(press, {SCHEMA: raising}, Inlet(), Part("device", "press"), Clock(), Backoff(60))
    with pytest.raises(Bug):
        await work.run()
    assert press.closed == 1


def test_a_part_whose_tick_raises_keeps_no_other_from_it() -> None:
    found, steps = list[str](), parts(False, True, False)
    with pytest.raises(Bug):
        found.extend(frame.schema.device for frame in steps.tick(5, 5))
    assert found == ["m0", "m2"]


def test_what_others_know_is_kept_when_a_part_cannot_say_what_it_knows() -> None:
    steps = parts(False, True, False)
    with pytest.raises(Bug):
        steps.kept(0)
    assert steps.kept(0).keys() == {"normal/part0/0", "normal/part2/0"}
    assert steps.kept(0) == {}
