"""Time alone brings frames, and says that the steps are well."""

import asyncio

import pytest

from agent.health import Part
from agent.model.clock import Clock
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from agent.runtime import ticker
from agent.runtime.inlet import Inlet

OVEN = Schema("oven", "1s", (Tag("oil"),), 1.0)


async def test_an_alarm_that_has_waited_comes_with_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticker, "EVERY", 0.001)
    now, inlet, part = [10**9], Inlet(), Part("store", "steps")
    rules = {("oven", "oil"): Rules(alarms=(Alarm("h", high=80.0, on_delay=5 * 10**9),))}
    steps = Steps([OVEN], Recipes(rules))
    steps[OVEN](Frame(OVEN, now[0], (90.0,), b"\0", now[0]))
    task = asyncio.create_task(ticker.tick(steps, inlet, Clock(lambda: now[0], lambda: now[0]), part))
    try:
        async with asyncio.timeout(5):
            while part.state != "up":
                await asyncio.sleep(0.001)
            assert len(inlet) == 0
            now[0] += 5 * 10**9
            (frame,) = await inlet.take(60)
    finally:
        task.cancel()
    assert (frame.schema.group, frame.values[0]) == ("alarm", True)
