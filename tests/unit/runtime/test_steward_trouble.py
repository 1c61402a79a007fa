"""What goes wrong between somebody who asks and what runs; and what a change leaves behind in memory."""

import gc
import json
import shutil
from pathlib import Path

import pytest

from agent.model.errors import AgentError
from agent.runtime import steward as module
from agent.runtime.history import FILE
from agent.runtime.loading import Asked, take
from tests.unit.runtime.stewarding import World, site, until

HALL = "virtual: [{name: hall, inputs: {f: pump/flow}, derived: {x: {expr: f + 1}}}]\n"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "LOOK", 0.002)
    monkeypatch.setattr(module, "POLL", 0.002)
    monkeypatch.setattr(module, "MOVING", 0.002)
    world = World(tmp_path)
    world.write(site("flow"))
    return world


@pytest.mark.parametrize("confirm", [None, 60.0])
async def test_a_file_that_changes_after_it_was_looked_at_is_not_applied(world: World, confirm: float | None) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        seen = take(world.file, Asked()).digest
        world.write(site("flow", "danger"))
        assert "since it was looked at" in await world.fails(steward.apply(confirm, "ann", seen), AgentError)
        assert steward.standing()["trial"] is None
        world.write(site("flow", "level"))
        assert (await steward.apply(confirm, "ann", seen))["version"] == 2
    assert world.agent.applied == [["flow"], ["flow", "level"]]


async def test_a_file_that_was_passed_over_is_still_taken_by_who_watches(world: World) -> None:
    async with world.running(watch=True) as steward:
        world.write(site("flow", "level"))
        await world.fails(steward.apply(None, "ann", "another"), AgentError)
        await until(lambda: steward._watch.moving)
        world.mono += 2 * 10**9
        await until(lambda: world.agent.applied == [["flow"], ["flow", "level"]])


async def test_going_back_is_tried_until_it_works(world: World) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        await steward.apply(60.0, "ann")
        world.agent.refuses = "the disk is full"
        world.gets(device_pump=False)
        await world.passes(12)
        await until(lambda: "to go back to version 1 fails: the disk is full" in world.part.error)
        assert "is on trial" in await world.fails(steward.apply(None, "bob"), AgentError)
        assert "fails: the disk is full" in await world.fails(steward.rollback(None, "bob"), AgentError)
        assert "fails: the disk is full" in await world.fails(steward.confirm(), AgentError)
        assert world.outcomes()[-1] == (2, "apply", "reverted")
        world.agent.refuses = ""
        await until(lambda: steward.standing()["trial"] is None)
        assert world.agent.applied[-1] == ["flow"]
        assert "which was reverted (device pump is not well); version 1 runs" in world.part.error


@pytest.mark.parametrize(
    "wrong", [{"running": 7}, {"good": 7}, {"next": 1}, {"next": 0}, {"running": -1}, {"good": 2**70}]
)
async def test_a_history_whose_numbers_do_not_fit_is_put_aside(world: World, wrong: dict[str, int]) -> None:
    async with world.running():
        pass
    path = world.history.folder / FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    async with world.running():
        assert world.part.state == "up"
    assert world.outcomes() == [(1, "start", "good")]
    assert list(world.history.folder.glob("*.damaged"))


async def test_what_was_set_aside_stays_so_and_changes_leave_nothing_behind(world: World) -> None:
    """What a load makes would stay for good where nobody looks for rings in it."""

    def there() -> int:
        return gc.get_freeze_count() + len(gc.get_objects())

    async def change(n: int) -> int:
        world.write(site("flow", f"t{n % 2}", more=HALL))
        await steward.apply(None, "ann")
        await until(lambda: steward._untold is None)
        return there()

    gc.freeze()
    aside = gc.get_freeze_count()
    try:
        async with world.running() as steward:
            for n in range(3):
                before = await change(n)
            for n in range(3, 23):
                after = await change(n)
            assert gc.get_freeze_count() >= aside
            assert after - before < 20 * 100, "a load makes some thousand things"
    finally:
        gc.unfreeze()


async def test_a_history_that_is_removed_begins_anew(world: World) -> None:
    async with world.running() as steward:
        await until(lambda: steward._untold is None)
        shutil.rmtree(world.history.folder)
        world.write(site("flow", "level"))
        assert "nothing to go back to" in await world.fails(steward.apply(60.0, ""), AgentError)
        assert (await steward.apply(None, ""))["version"] == 1
        await until(lambda: steward._untold is None)
        world.write(site("flow", "speed"))
        assert (await steward.apply(60.0, ""))["version"] == 2
    assert world.outcomes() == [(1, "apply", "good"), (2, "apply", "trial")]


async def test_what_the_history_could_not_take_and_runs_no_more_never_is_in_it(world: World) -> None:
    folder = world.history.folder
    async with world.running() as steward:
        await until(lambda: steward._untold is None)
        folder.rename(folder.with_name("away"))
        folder.write_text("no folder")
        for tags in (("flow", "level"), ("flow",)):
            world.write(site(*tags))
            await steward.apply(None, "ann")
        folder.unlink()
        folder.with_name("away").rename(folder)
        world.write(site("flow", "speed"))
        await steward.apply(None, "ann")
    assert world.outcomes() == [(1, "start", "good"), (2, "apply", "good")]
    assert b"speed" in world.history.content(2)[world.file]


async def test_what_the_history_could_not_take_is_in_it_as_soon_as_it_can(world: World) -> None:
    folder = world.history.folder
    async with world.running() as steward:
        await until(lambda: steward._untold is None)
        folder.rename(folder.with_name("away"))
        folder.write_text("no folder")
        world.write(site("flow", "level"))
        assert (await steward.apply(None, "ann"))["version"] == 0
        assert "Not a directory" in world.part.error
        folder.unlink()
        folder.with_name("away").rename(folder)
        await until(lambda: world.part.state == "up")
        assert world.outcomes() == [(1, "start", "good"), (2, "apply", "good")]
        world.write(site("flow", "broken"))
        await steward.apply(60.0, "ann")
        await steward.rollback(None, "ann")
    assert world.agent.applied[-1] == ["flow", "level"], "what ran before, and no older one"
