"""The audit beside the event loop: opened when it is needed, and anew when the file is another one."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from agent.runtime.audit import Entry, Who, resting
from agent.runtime.audit_file import FILE
from agent.runtime.book import Book

WHO = Who("wang", 1000)


def nothing(last: int | None) -> None:
    """No rate."""


async def begun(book: Book, now: int = 0) -> int:
    return await book.begin(WHO, Entry("d", "e", "t", None, 1, "raw"), nothing, now)


async def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    with closing(Book(tmp_path / "data")) as book:
        assert list(tmp_path.iterdir()) == []
        assert await begun(book) == 1
    assert (tmp_path / "data" / FILE).exists()


async def test_a_file_that_was_moved_away_is_not_written_to_any_more(tmp_path: Path) -> None:
    with closing(Book(tmp_path)) as book:
        await book.end(await begun(book), "done", 1, "", 1)
        (tmp_path / FILE).rename(tmp_path / "moved.db")
        assert await begun(book) == 1
    for name in (FILE, "moved.db"):
        with resting(tmp_path / name) as found:
            assert len(found.entries(10)) == 1
    with resting(tmp_path) as found:
        assert (found.verify().fault, found.verify().first.n) == ("", 2)  # the chain tells that there were some before


async def test_after_a_failure_it_is_opened_anew(tmp_path: Path) -> None:
    with closing(Book(tmp_path / "data")) as book:
        (tmp_path / "data").write_text("in the way")
        with pytest.raises(StoreError):
            await begun(book)
        (tmp_path / "data").unlink()
        assert await begun(book) == 1


async def test_a_call_that_has_begun_is_finished_when_its_caller_goes(tmp_path: Path) -> None:
    with closing(Book(tmp_path)) as book:
        task = asyncio.create_task(begun(book))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await begun(book) in (1, 2)
    with resting(tmp_path) as found:
        assert found.verify().fault == ""


async def test_many_at_once_take_turns(tmp_path: Path) -> None:
    with closing(Book(tmp_path)) as book:
        assert sorted(await asyncio.gather(*(begun(book) for _ in range(20)))) == list(range(1, 21))
