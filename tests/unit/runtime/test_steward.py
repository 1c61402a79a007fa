"""What runs is what was last found good: a bad file changes nothing, and a trial or a kill ends in the good one."""

from pathlib import Path

import pytest

from agent.config import Invalid
from agent.model.errors import AgentError, ConfigError
from agent.runtime import steward as module
from agent.runtime.history import FILE
from tests.unit.runtime.stewarding import World, site, until


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "LOOK", 0.002)
    monkeypatch.setattr(module, "POLL", 0.002)
    monkeypatch.setattr(module, "MOVING", 0.002)
    world = World(tmp_path)
    world.write(site("flow"))
    return world


async def test_a_start_is_a_version_and_the_same_file_again_is_none(world: World) -> None:
    for _ in range(3):
        async with world.running():
            assert world.part.state == "up"
    assert world.outcomes() == [(1, "start", "good")]
    world.write(site("flow", "level"))
    async with world.running():
        await until(lambda: len(world.outcomes()) == 2 and world.history.state()[2].text != "")
    assert world.history.state()[2].text == "1 tag added (pump/level)"


async def test_what_changed_is_applied_and_told(world: World) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        answer = await steward.apply(None, "ann")
        assert answer == {"changed": True, "version": 2, "applied": {"restarted": 1}, "trial": None}
        assert (await steward.apply(None, "ann"))["changed"] is False
        await until(lambda: world.history.state()[2].text == "1 tag added (pump/level)")
        standing = steward.standing()
    assert world.agent.applied == [["flow"], ["flow", "level"]]
    assert (standing["running"], standing["good"], standing["trouble"], standing["trial"]) == (2, 2, "", None)
    assert [(each["n"], each["who"]) for each in standing["versions"]] == [(1, ""), (2, "ann")]


async def test_a_bad_file_changes_nothing_and_every_problem_comes_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with world.running() as steward:
        world.write(site("flow", "flow").replace("gw", "a/b"))
        with pytest.raises(Invalid) as raised:
            await steward.apply(None, "ann")
        assert len(raised.value.problems) == 2
        assert [record.getMessage() for record in caplog.records if "configuration: " in record.getMessage()] == [
            f"configuration: {problem}" for problem in raised.value.problems
        ]
        assert "2 problems; version 1 goes on (`floorgate check" in world.part.error
        world.write(site("flow"))
        assert (await steward.apply(None, "ann"))["changed"] is False
        assert world.part.state == "up"
    assert world.agent.applied == [["flow"]]


async def test_a_site_of_nothing_and_one_that_the_agent_refuses_change_nothing(world: World) -> None:
    async with world.running() as steward:
        world.write(site("flow").replace("driver: sim", "driver: sim, enabled: false"))
        assert "no device is enabled" in await world.fails(steward.apply(None, ""), ConfigError)
        world.write(site("flow", "level"))
        world.agent.refuses = "the store cannot be moved"
        assert "the store cannot be moved" in await world.fails(steward.apply(None, ""), ConfigError)
        assert "the store cannot be moved" in await world.fails(steward.apply(60.0, ""), ConfigError)
        assert steward.standing()["running"] == 1
    assert world.outcomes() == [(1, "start", "good"), (2, "apply", "reverted")]


async def test_a_trial_is_confirmed_and_stays(world: World) -> None:
    async with world.running() as steward:
        assert "no configuration is on trial" in await world.fails(steward.confirm(), AgentError)
        world.write(site("flow", "level"))
        answer = await steward.apply(60.0, "ann")
        assert (answer["version"], answer["trial"]["left"]) == (2, 60.0)
        await world.passes(50)
        assert "is on trial for another 10 s" in await world.fails(steward.apply(None, "bob"), AgentError)
        assert await steward.confirm() == {"version": 2}
        await world.passes(50)
        assert world.part.state == "up"
    async with world.running():
        pass
    assert world.agent.applied == [["flow"], ["flow", "level"], ["flow", "level"]]
    assert world.outcomes() == [(1, "start", "good"), (2, "apply", "good")]


async def test_what_cannot_be_written_is_not_confirmed_and_the_trial_goes_on(world: World) -> None:
    folder = world.history.folder
    async with world.running() as steward:
        world.write(site("flow", "level"))
        await steward.apply(60.0, "ann")
        await until(lambda: steward._untold is None)
        folder.rename(folder.with_name("away"))
        folder.write_text("no folder")
        assert "Not a directory" in await world.fails(steward.confirm(), AgentError)
        assert steward.standing()["trial"]
        folder.unlink()
        folder.with_name("away").rename(folder)
        assert await steward.confirm() == {"version": 2}
    assert world.outcomes()[-1] == (2, "apply", "good")


@pytest.mark.parametrize(
    ("worse", "seconds", "reason"),
    [
        ({"device_pump": False}, 12, "device pump is not well"),
        ({"sink_archive": False}, 22, "sink archive is not well"),
        ({}, 61, "nobody confirmed it in time"),
    ],
)
async def test_a_trial_reverts_by_itself(world: World, worse: dict[str, bool], seconds: int, reason: str) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        await steward.apply(60.0, "ann")
        world.gets(**worse)
        await world.passes(seconds)
        await until(lambda: len(world.agent.applied) > 2 and world.part.state == "down")
        assert world.agent.applied == [["flow"], ["flow", "level"], ["flow"]]
        assert f"is version 2, which was reverted ({reason}); version 1 runs" in world.part.error
        steward.reload()  # the bytes are the same
        await until(steward._jobs.empty)
    async with world.running():
        assert "is version 2, which was reverted" in world.part.error, "a start says it as well"
    assert world.agent.applied[2:] == [["flow"], ["flow"]]
    assert world.outcomes() == [(1, "start", "good"), (2, "apply", "reverted")]


async def test_what_was_reverted_runs_when_somebody_wants_it(world: World) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        await steward.apply(60.0, "ann")
        await steward.rollback(None, "bob")
        assert world.history.state()[2].reason == "bob rolled it back"
        assert (await steward.apply(None, "ann"))["version"] == 3
        assert world.part.state == "up"
    async with world.running():
        assert world.part.state == "up"
    assert world.agent.applied[-2:] == [["flow", "level"]] * 2


@pytest.mark.parametrize("edited", [False, True])
async def test_an_agent_that_dies_in_a_trial_starts_with_the_good_one(world: World, edited: bool) -> None:
    async with world.running() as steward:
        world.write(site("flow", "level"))
        await steward.apply(3600.0, "ann")
    if edited:  # meanwhile somebody has corrected the file
        world.write(site("flow", "speed"))
    async with world.running():
        assert ("the agent ended before it was confirmed" in world.part.error) != edited
    assert world.agent.applied[2:] == [["flow", "speed"] if edited else ["flow"]]
    assert world.outcomes()[:2] == [(1, "start", "good"), (2, "apply", "reverted")]


async def test_a_broken_file_at_a_start_is_refused_whatever_the_history_has(world: World) -> None:
    async with world.running():
        pass
    world.write("gateway: {")
    with pytest.raises(Invalid):
        async with world.running():
            pass


async def test_back_to_a_version_and_to_the_one_before(world: World) -> None:
    async with world.running() as steward:
        assert "no good version before" in await world.fails(steward.rollback(None, ""), AgentError)
        for tags in (("flow", "level"), ("flow", "speed")):
            world.write(site(*tags))
            await steward.apply(None, "ann")
        assert (await steward.rollback(1, "bob"))["version"] == 4
        assert "says something else than version 4, which runs" in world.part.error
        assert (await steward.rollback(None, "bob"))["version"] == 5
        assert world.part.state == "up", "the file says so, too"
        assert "there is no version 9" in await world.fails(steward.rollback(9, ""), AgentError)
        assert (await steward.rollback(5, ""))["changed"] is False
    assert world.agent.applied == [["flow"], ["flow", "level"], ["flow", "speed"], ["flow"], ["flow", "speed"]]


async def test_a_rollback_in_a_trial_ends_it(world: World) -> None:
    async with world.running() as steward:
        for tags in (("flow", "level"), ("flow", "speed")):
            world.write(site(*tags))
            await steward.apply(None, "")
        world.write(site("flow", "broken"))
        await steward.apply(60.0, "")
        await steward.rollback(1, "bob")
        assert steward.standing()["trial"] is None
        await world.passes(70)
    assert world.agent.applied[-2:] == [["flow", "broken"], ["flow"]]
    assert world.outcomes()[-2:] == [(4, "apply", "reverted"), (5, "rollback", "good")]


async def test_files_that_change_are_taken_once_they_rest(world: World) -> None:
    async with world.running(watch=True) as steward:
        world.write(site("flow", "level"))
        await until(lambda: steward._watch.moving)
        assert world.agent.applied == [["flow"]]
        world.mono += 2 * 10**9
        await until(lambda: len(world.agent.applied) == 2 and world.part.state == "up")
        world.write("gateway: {")
        await until(lambda: steward._watch.moving)
        world.mono += 2 * 10**9
        await until(lambda: world.part.state == "down")
        refused = world.part.failures
        await world.passes(20)
        assert world.part.failures == refused, "not again until it changes"
        world.file.unlink()
        await until(lambda: steward._watch.moving)
        world.mono += 2 * 10**9
        await until(lambda: world.part.failures > refused)
        world.write(site("flow", "level"))
        await until(lambda: steward._watch.moving)
        world.mono += 2 * 10**9
        await until(lambda: world.part.state == "up")
    assert world.outcomes() == [(1, "start", "good"), (2, "file", "good")]


async def test_parts_that_appear_and_vanish_count(world: World) -> None:
    part = world.folder / "conf.d" / "fan.yaml"
    async with world.running(watch=True) as steward:
        for there in (True, False):
            if there:
                part.parent.mkdir()
                part.write_text("devices: [{name: fan, driver: sim, tags: [{name: speed}]}]\n")
            else:
                part.unlink()
            await until(lambda: steward._watch.moving)
            world.mono += 2 * 10**9
            expected = ["flow", "speed"] if there else ["flow"]
            await until(lambda expected=expected: world.agent.applied[-1] == expected)  # type: ignore[misc]
        told = ["1 device added (fan)", "1 device removed (fan)"]
        await until(lambda: [each.text for each in world.history.state().versions[1:]] == told)


async def test_a_history_that_cannot_be_written_is_told_and_keeps_nobody_from_running(world: World) -> None:
    (world.folder / "data").mkdir()
    (world.folder / "data" / "config").write_text("no folder")
    async with world.running(recorded=False) as steward:
        await until(lambda: world.part.state == "down")
        world.write(site("flow", "level"))
        assert (await steward.apply(None, ""))["version"] == 0
        world.write(site("flow", "speed"))
        assert "there is nothing to go back to" in await world.fails(steward.apply(60.0, ""), AgentError)
    assert world.agent.applied == [["flow"], ["flow", "level"]]


async def test_a_history_that_is_damaged_is_put_aside(world: World) -> None:
    async with world.running():
        pass
    (world.folder / "data" / "config" / FILE).write_text("{")
    async with world.running():
        assert world.part.state == "up"
    assert world.outcomes() == [(1, "start", "good")]
