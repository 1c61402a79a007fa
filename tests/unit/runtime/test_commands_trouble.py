"""S21, S23: commands while the clock cannot be relied on, or the audit cannot be written: nothing is sent."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.runtime.audit import resting
from tests.unit.runtime.commanding import NOW, Time, rig


async def test_when_the_audit_cannot_be_written_nothing_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with rig(tmp_path / "file" / "data") as run:
        answer = await run()
        assert (answer.outcome, "audit" in answer.message) == ("refused", True)
        assert run.device.writes == []


async def test_an_outcome_that_cannot_be_kept_is_answered_all_the_same(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        head = tmp_path / "audit.head"

        def blocked() -> None:
            head.unlink()
            head.mkdir()

        run.device.after = blocked
        answer = await run()
        assert (answer.outcome, answer.value, "the audit will say unknown" in answer.hint) == ("done", 20.0, True)


@pytest.mark.parametrize(
    ("step", "synced", "outcome", "said"),
    [
        (3600, False, "stale", "our clock was set by +3,600 s, so nobody can tell"),
        (-3600, False, "stale", "our clock was set by -3,600 s, so nobody can tell"),
        (3600, True, "done", ""),
        (-60 * 365 * 86400, False, "stale", "our clock is not set"),
        (0.2, False, "done", ""),
    ],
)
async def test_a_clock_that_jumps_is_believed_only_when_it_is_in_step(
    tmp_path: Path, step: float, synced: bool, outcome: str, said: str
) -> None:
    time = Time(synced=synced)
    async with rig(tmp_path, time=time) as run:
        assert (await run()).outcome == "done"
        time.step(step)
        for _ in range(2):
            answer = await run()
            assert (answer.outcome, said in answer.message) == (outcome, True), answer
        time.synced, time.wall = True, max(time.wall, NOW)
        assert (await run()).outcome == "done"


async def test_a_command_from_before_a_clock_was_set_back_is_still_known(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        old = run.command()
        assert (await run.clerk(old)).outcome == "done"
        run.time.pass_by(86400)
        assert (await run.clerk(old)).outcome == "stale"
        run.time.step(-86400)
        assert (await run.clerk(old)).outcome == "repeated"
        assert len(run.device.writes) == 1


async def test_a_slowly_drifting_clock_is_no_step(tmp_path: Path) -> None:
    async with rig(tmp_path, time=Time(synced=False)) as run:
        for _ in range(50):
            run.time.pass_by(60)
            run.time.step(0.05)
            assert (await run()).outcome == "done"


async def test_a_nearly_full_audit_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with rig(tmp_path) as run:
        await run()
        with closing(sqlite3.connect(tmp_path / "audit.db")) as db:
            db.execute("UPDATE sqlite_sequence SET seq = 80000 WHERE name = 'entry'")
            db.commit()
        for _ in range(3):
            assert (await run()).outcome == "done"
    assert sum("more than 80% full" in record.message for record in caplog.records) == 1


async def test_on_a_full_disk_nothing_is_sent_and_afterwards_it_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as run:
        assert (await run()).outcome == "done"
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # a file cannot grow beyond that
        try:
            answers = [await run() for _ in range(20)]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert {answer.outcome for answer in answers} == {"refused"}
        assert all("is the disk full?" in answer.hint for answer in answers)
        assert len(run.device.writes) == 1
        assert (await run()).outcome == "done"
    with resting(tmp_path) as book:
        assert ([row["outcome"] for row in book.entries(9)], book.verify().fault) == (["done", "done"], "")
