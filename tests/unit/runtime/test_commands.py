"""S19, S21, S22: what passes the guard is written once and on record, everything else reaches no device."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent.model.errors import Garbled, Refused, Unreachable
from agent.model.frame import Value
from agent.northbound.house import Answer, Command
from agent.runtime.audit import resting
from agent.runtime.commands import AT_ONCE, TOLD
from tests.unit.runtime.commanding import NOW, Device, rig


def entries(folder: Path) -> list[dict[str, Any]]:
    with resting(folder) as book:
        assert book.verify().fault == ""
        return book.entries(1000)


def refusals(folder: Path) -> list[dict[str, Any]]:
    with resting(folder) as book:
        return book.refusals(1000)


async def test_what_is_allowed_is_written_read_back_answered_and_on_record(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.held["setpoint"] = 19.5
        answer = await run("setpoint", 20.0, id="7f3a", who="li")
        assert answer == Answer("done", 20.0, "", "", 1)
        assert run.device.writes == [("setpoint", 20.0)]
        assert run.counts == {"done": 1}
    (entry,) = entries(tmp_path)
    assert (entry["user"], entry["uid"], entry["via"]) == ("sink platform", -1, "li, command 7f3a")
    assert (entry["old"], entry["new"], entry["found"], entry["outcome"]) == (19.5, 20.0, 20.0, "done")


@pytest.mark.parametrize(
    ("changed", "outcome", "said"),
    [
        ({"device": "pres"}, "forbidden", 'there is no device "pres"'),
        ({"device": "\x1b[2J\n" * 100}, "forbidden", 'no device "\\u001b[2J\\n'),
        ({"tag": "setpoin"}, "forbidden", 'no tag "setpoin" of device press'),
        ({"tag": "secret", "value": 1}, "forbidden", "sink platform may not have it written"),
        ({"tag": "read_only", "value": 1}, "forbidden", "the configuration does not let it be written"),
        ({"value": "20"}, "forbidden", '"20" is no number, and the tag is a float32'),
        ({"value": True}, "forbidden", "true is no number"),
        ({"value": None}, "forbidden", "null is no number"),
        ({"value": float("nan")}, "forbidden", "nan is no value"),
        ({"value": float("-inf")}, "forbidden", "-inf is no value"),
        ({"value": 80.5}, "forbidden", "80.5 is more than 80"),
        ({"value": -1}, "forbidden", "-1 is less than 0"),
        ({"value": 20.25}, "forbidden", "20.25 is no whole step of 0.5"),
        ({"tag": "near", "value": 15.5}, "forbidden", "15.5 is 5.5 away from the 10 that stands there"),
        ({"tag": "pump", "value": 1}, "forbidden", "1 is neither true nor false"),
        ({"tag": "pump", "value": "true"}, "forbidden", '"true" is neither true nor false'),
        ({"tag": "count", "value": 1.5}, "forbidden", "1.5 is no whole number"),
        ({"tag": "count", "value": "1"}, "forbidden", '"1" is no whole number'),
        ({"tag": "count", "value": 65536}, "forbidden", "65536 is outside of what the tag can say"),
        ({"tag": "mode", "value": "on"}, "forbidden", '"on" is none of its names: off, auto'),
        ({"tag": "recipe", "value": 5}, "forbidden", "5 is no text"),
        ({"tag": "recipe", "value": "x" * 2000}, "forbidden", "2000 characters is too long"),
        ({"id": "x" * 300}, "forbidden", "an id of 300 characters is too long"),
        ({"issued": NOW - 31 * 10**9}, "stale", "it was given 31.0 s ago"),
        ({"issued": NOW + 31 * 10**9}, "stale", "its time is 31.0 s ahead of ours"),
        ({"issued": NOW - 11 * 10**9, "ttl": 10.0}, "stale", "it was given 11.0 s ago, for 10 s"),
        ({"issued": -(10**30)}, "stale", "s ago"),
    ],
)
async def test_what_is_not_reaches_no_device(tmp_path: Path, changed: dict[str, Any], outcome: str, said: str) -> None:
    async with rig(tmp_path) as run:
        answer = await run(**changed)
        assert (answer.outcome, answer.audit, said in answer.message) == (outcome, 0, True), answer
        assert run.device.writes == []
        assert run.counts == {outcome: 1}
    (row,) = refusals(tmp_path)
    assert (row["sink"], row["outcome"], row["count"]) == ("platform", outcome, 1)
    assert all(text.isprintable() for text in row.values() if isinstance(text, str))


@pytest.mark.parametrize(
    ("tag", "value", "written"),
    [
        ("setpoint", 20, 20),
        ("setpoint", 22.5, 22.5),
        ("near", 15, 15),
        ("near", 5.0, 5.0),
        ("count", 7.0, 7),
        ("wide", "-9223372036854775808", -(2**63)),
        ("wide", 2**53 + 1, 2**53 + 1),
        ("pump", False, False),
        ("mode", "auto", "auto"),
        ("mode", 1, 1),
        ("recipe", "tea 料", "tea 料"),
    ],
)
async def test_a_value_is_taken_as_the_tag_has_it(tmp_path: Path, tag: str, value: Value, written: Value) -> None:
    async with rig(tmp_path) as run:
        assert (await run(tag, value)).outcome == "done"
        ((_, sent),) = run.device.writes
        assert (sent, type(sent)) == (written, type(written))


@pytest.mark.parametrize("age", [-30.0, 0.0, 30.0])
async def test_at_the_edge_of_its_age_a_command_is_fresh(tmp_path: Path, age: float) -> None:
    async with rig(tmp_path) as run:
        assert (await run(issued=NOW - int(age * 1e9))).outcome == "done"


async def test_an_id_is_taken_once_and_stays_taken_over_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        assert (await run(id="a")).outcome == "done"
        assert (await run(id="a", value=30)).outcome == "repeated"
    async with rig(tmp_path) as run:
        assert (await run(id="a")).outcome == "repeated"
        assert run.device.writes == []
        assert (await run(id="b")).outcome == "done"


async def test_two_with_one_id_at_once_are_one(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        answers = await asyncio.gather(*(run(id="a") for _ in range(8)))
        assert sorted(answer.outcome for answer in answers) == ["done"] + ["repeated"] * 7
        assert len(run.device.writes) == 1


async def test_without_an_id_it_is_told_apart_by_its_tag_and_time(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        assert (await run(id="")).outcome == "done"
        assert (await run(id="")).outcome == "repeated"
        assert (await run("count", 1, id="")).outcome == "done"
        assert (await run(id="", issued=NOW + 1)).outcome == "done"


async def test_without_an_id_and_a_time_each_is_one_of_its_own(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        for _ in range(3):
            assert (await run(id="", issued=0)).outcome == "done"


async def test_what_was_refused_because_its_device_is_down_is_never_sent_later(tmp_path: Path) -> None:
    async with rig(tmp_path, up=False) as run:
        command = run.command()
        answer = await run.clerk(command)
        assert (answer.outcome, answer.message) == ("refused", "device press is not up")
        run.health.part("device", "press").up()
        await asyncio.sleep(0)
        assert (run.device.writes, run.device.looks) == ([], 0)
        assert (await run.clerk(command)).outcome == "repeated"
        run.health.part("device", "press").down(Unreachable("gone"))
        assert (await run()).outcome == "refused"
    assert entries(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Unreachable("no answer"), "refused"), (Garbled("nonsense"), "refused"), (Refused("no"), "done")],
)
async def test_a_value_that_cannot_be_read_is_written_only_when_the_device_answers(
    tmp_path: Path, error: Any, outcome: str
) -> None:
    async with rig(tmp_path, device=Device(look_error=error)) as run:
        assert (await run()).outcome == outcome
        assert len(run.device.writes) == (outcome == "done")
        assert (await run("near", 10)).outcome == ("refused" if outcome == "refused" else "forbidden")


@pytest.mark.parametrize(
    ("error", "after", "outcome"),
    [
        (Refused("no"), True, "refused"),
        (Unreachable("no answer"), True, "unknown"),
        (Garbled("nonsense"), True, "unknown"),
        (Unreachable("no connection"), False, "refused"),
    ],
)
async def test_what_the_device_says_is_answered_and_on_record(
    tmp_path: Path, error: Exception, after: bool, outcome: str
) -> None:
    async with rig(tmp_path) as run:

        def fail() -> None:
            raise error

        setattr(run.device, "after" if after else "before", fail)
        answer = await run()
        assert (answer.outcome, answer.message, answer.audit) == (outcome, error.args[0], 1)
        assert (await run(id="c1")).outcome == "repeated"
    assert [row["outcome"] for row in entries(tmp_path)] == [outcome]


async def test_a_device_that_ignores_the_value_differs(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.after = lambda: run.device.held.update(setpoint=1.0)
        answer = await run()
        assert (answer.outcome, answer.value, answer.message) == ("differs", 1.0, "something else stands there now")


async def test_a_tag_has_its_rate_and_what_came_too_soon_may_come_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        assert (await run("slow", 1)).outcome == "done"
        command = run.command("slow", 2)
        answer = await run.clerk(command)
        assert (answer.outcome, "there must be 3600 s between two" in answer.message) == ("busy", True)
        assert len(run.device.writes) == 1
        run.time.pass_by(3600)
        again = Command("press", "slow", 2, command.id, run.time.wall)
        assert (await run.clerk(again)).outcome == "done"


async def test_a_sink_has_so_many_a_minute(tmp_path: Path) -> None:
    async with rig(tmp_path, per_minute=3) as run:
        outcomes = [(await run()).outcome for _ in range(5)]
        assert outcomes == ["done", "done", "done", "busy", "busy"]
        assert (await run(id="c1")).outcome == "repeated"
        run.time.pass_by(60)
        assert (await run()).outcome == "done"


async def test_what_is_forbidden_takes_nobody_s_place(tmp_path: Path) -> None:
    async with rig(tmp_path, per_minute=1) as run:
        for _ in range(20):
            assert (await run(value=99)).outcome == "forbidden"
        assert (await run()).outcome == "done"


async def test_a_flood_of_forged_ones_is_counted_and_pushes_nothing_out(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        await run()
        for number in range(1000):
            assert (await run(value=100 + number)).outcome == "forbidden"
        await run.clerk.settle()
    rows = refusals(tmp_path)
    assert [row["count"] for row in rows] == [1] * TOLD + [1000 - TOLD]
    assert len(entries(tmp_path)) == 1


async def test_what_a_sink_has_turned_away_itself_is_counted_and_on_record(tmp_path: Path) -> None:
    """Somebody sends what is no command at all; who runs the plant should hear of it."""
    async with rig(tmp_path) as run:
        for number in range(100):
            told = Command("press", "", None, id=f"x{number}")
            run.clerk.turned_away(told, Answer("forbidden", message="this is no command"))
        while run.counts.get("forbidden", 0) < 100:
            await asyncio.sleep(0.001)
        assert (await run()).outcome == "done"
        await run.clerk.settle()
    rows = refusals(tmp_path)
    assert sum(row["count"] for row in rows) == 100
    assert (rows[0]["command"], rows[0]["device"], rows[0]["message"]) == ("x0", "press", "this is no command")


async def test_a_device_has_one_command_at_a_time_whoever_sends_them(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        other = run.second()
        each = [run.clerk(run.command("count", n)) if n % 2 else other(run.command("count", n)) for n in range(20)]
        answers = await asyncio.gather(*each)
        assert {answer.outcome for answer in answers} == {"done"}
        assert (run.device.most, len(run.device.writes)) == (1, 20)
        assert [answer.value for answer in answers] == list(range(20))


async def test_more_than_sixteen_at_once_are_busy(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.gate = asyncio.Event()
        answers: list[Answer] = []
        for _ in range(AT_ONCE + 4):
            run.clerk.submit(run.command(), answers.append)
        assert [answer.outcome for answer in answers] == ["busy"] * 4
        run.device.gate.set()
        while len(answers) < AT_ONCE + 4:
            await asyncio.sleep(0.001)
        assert [answer.outcome for answer in answers[4:]] == ["done"] * AT_ONCE


async def test_what_waits_too_long_for_its_wire_is_not_sent(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.before = lambda: run.time.pass_by(5.1)
        answer = await run()
        assert (answer.outcome, answer.message) == ("refused", "it had to wait too long for the device")
        assert (run.device.writes, answer.audit) == ([], 1)
        run.device.before = lambda: run.time.pass_by(4.9)
        assert (await run()).outcome == "done"
    assert [row["outcome"] for row in entries(tmp_path)] == ["refused", "done"]


@pytest.mark.parametrize(("issued", "ttl"), [(NOW, 2.0), (NOW - 10**9, 3.0), (0, 2.0)])
async def test_what_is_worth_nothing_any_more_when_its_turn_comes_is_not_sent(
    tmp_path: Path, issued: int, ttl: float
) -> None:
    async with rig(tmp_path) as run:
        run.device.before = lambda: run.time.pass_by(2.1)
        assert (await run(issued=issued, ttl=ttl)).outcome == "refused"
        assert run.device.writes == []


async def test_what_was_not_begun_when_the_connection_goes_is_given_up(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.gate = asyncio.Event()
        answers: list[Answer] = []
        for _ in range(3):
            run.clerk.submit(run.command(), answers.append)
        await asyncio.sleep(0.05)
        run.clerk.drop()
        run.device.gate.set()
        while len(answers) < 3:
            await asyncio.sleep(0.001)
        assert {answer.message for answer in answers} == {"the connection over which it came is gone"}
        assert run.device.writes == []
        assert (await run()).outcome == "done"


async def test_a_caller_that_goes_away_does_not_cut_a_write(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        run.device.gate = asyncio.Event()
        task = asyncio.create_task(run())
        await asyncio.sleep(0.05)
        task.cancel()
        run.device.gate.set()
        while not run.counts:
            await asyncio.sleep(0.001)
        assert run.counts == {"done": 1}


async def test_before_the_start_and_after_the_stop_all_is_busy(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        command = run.command()
    answer = await run.clerk(command)
    assert (answer.outcome, answer.message) == ("busy", "the agent is starting or stopping")


async def test_a_bug_is_answered_counted_and_hurts_no_other(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:

        def stumble() -> None:
            raise ZeroDivisionError

        run.device.after = stumble
        assert (await run()).outcome == "unknown"
        run.device.after, run.device.before = lambda: None, stumble
        assert (await run()).outcome == "refused"
        run.device.before = lambda: None
        assert (await run()).outcome == "done"
        assert run.clerk.part.bugs == 2
    assert [row["outcome"] for row in entries(tmp_path)] == ["unknown", "unknown", "done"]
