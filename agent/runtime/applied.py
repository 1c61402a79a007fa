"""What becomes of a running agent that goes over to another site, and what has to be tried before."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from agent.model.tag import Schema
from agent.normalise import Recipes, Steps
from agent.runtime.prints import Change, Prints
from drivers.api import Driver


@dataclass(frozen=True, slots=True)
class Applied:
    """What was started, stopped, restarted and left alone, and how long that took."""

    change: Change
    seconds: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything has changed."""
        return bool(self.change)

    def facts(self) -> dict[str, object]:
        """For the log."""
        found: dict[str, object] = {"seconds": round(self.seconds, 3)}
        for name, fate in (
            ("lines", self.change.units),
            ("devices", self.change.devices),
            ("sinks", self.change.sinks),
        ):
            for what in ("started", "stopped", "restarted"):
                if count := len(getattr(fate, what)):
                    found[f"{name}_{what}"] = count
        return found


def fresh(change: Change, old: Prints, new: Prints) -> set[str]:
    """The devices of which all that the steps have is made anew. A zone is asked by everything that knows days."""
    found = {*change.recipes.ended, *change.recipes.begun}
    found |= old.devices(change.units.ended) | new.devices(change.units.begun)
    if "gateway.timezone" in change.sections:
        found.update(new.recipes, *new.members.values())
    return found


async def compiled(recipes: Recipes, drivers: Iterable[Driver], devices: Collection[str]) -> None:
    """Compile what these devices will need, a group at a time: what raises is to do so before anything is stopped."""
    derived = tuple(each for each in recipes.derived if each.device in devices)
    trial = Steps((), replace(recipes, derived=derived))
    try:
        await _compile(trial, [schema for driver in drivers if driver.device in devices for schema in driver.schemas])
    finally:
        trial.dismiss()


async def _compile(trial: Steps, schemas: Iterable[Schema]) -> None:
    for schema in schemas:
        trial.output(schema)
        await asyncio.sleep(0)
    for schema in trial.made:
        trial.output(schema)
        await asyncio.sleep(0)
