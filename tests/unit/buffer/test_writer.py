"""One thread owns the store: calls run there, in order, and their errors come back to who asked."""

import threading
import time
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer.store import Store
from buffer.writer import Writer
from tests.unit.buffer.builders import BIG, frames


def opened(place: Path) -> Writer:
    writer = Writer(lambda: Store.open(place, boot="b", keep=1.0, max_size=BIG, reserve=0))
    writer.call(writer.store.attach, ["platform"]).result(5)
    return writer


def test_calls_run_in_one_thread_that_is_not_ours(place: Path) -> None:
    writer = opened(place)
    threads = {writer.call(threading.get_ident).result(5) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    writer.close()


def test_calls_from_many_threads_are_done_one_after_the_other(place: Path) -> None:
    writer = opened(place)
    futures = [writer.call(writer.store.append, frames(3)) for _ in range(20)]
    assert [future.result(5) for future in futures] == [(3 * n + 1, 3 * n + 3) for n in range(20)]
    assert len(writer.call(writer.store.read, "platform", 100, after=50).result(5)) == 10
    writer.close()


def test_errors_come_back(place: Path) -> None:
    writer = opened(place)
    with pytest.raises(StoreError, match="knows no sink"):
        writer.call(writer.store.owed, "nobody").result(5)
    with pytest.raises(StoreError, match="in use"):
        opened(place)
    writer.close()


def test_closing_finishes_what_waits_and_twice_is_fine(place: Path) -> None:
    writer = opened(place)
    futures = [writer.call(writer.store.append, frames(1)) for _ in range(10)]
    writer.close()
    writer.close()
    assert [future.result(0) for future in futures][-1] == (10, 10)
    with pytest.raises(RuntimeError):
        writer.call(writer.store.stats)
    again = opened(place)
    assert again.call(again.store.owed, "platform").result(5) == 10
    again.close()


def test_closing_does_not_wait_for_ever(place: Path) -> None:
    writer = opened(place)
    slow = writer.call(time.sleep, 0.5)
    with pytest.raises(TimeoutError):
        writer.close(deadline=0.05)
    slow.result(5)
