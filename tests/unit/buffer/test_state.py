"""Small values survive whatever frames survive, and are never written without a transaction of frames."""

import os
from pathlib import Path

import pytest

from agent.model.errors import StoreError
from buffer.state import LONGEST, MOST
from buffer.store import Store
from tests.unit.buffer.builders import Hands, change, frames, look, open_store
from tests.unit.buffer.test_keeper import filled, keeper, killed, overwrite, page_of


def test_it_is_in_the_file_when_the_frames_are_that_come_after_it(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.state.set("learnt/meter", b"a hole")
    store.append(frames(1))
    killed(place, store)
    assert open_store(place).state.get("learnt/meter") == b"a hole"


def test_it_is_not_written_on_its_own(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.append(frames(1))
    store.state.set("learnt/meter", b"a hole")
    killed(place, store)
    assert open_store(place).state.get("learnt/meter") is None


def test_the_newest_value_counts_and_keys_do_not_mix(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    for value in (b"1", b"2", b"3"):
        store.state.set("a", value)
        store.state.set("b", value + value)
        store.append(frames(1))
    store.close()
    again = open_store(place)
    assert dict(again.state.items()) == {"a": b"3", "b": b"33"}


def test_what_is_set_to_what_it_is_needs_no_writing(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.state.set("a", b"1")
    assert store.state.waiting
    store.append(frames(1))
    store.state.set("a", b"1")
    assert not store.state.waiting


def test_only_small_values_are_taken(place: Path) -> None:
    store = open_store(place)
    store.state.set("k" * LONGEST, bytes(MOST))
    for key, value in (("k", bytes(MOST + 1)), ("k" * (LONGEST + 1), b"")):
        with pytest.raises(StoreError, match="too many to be kept"):
            store.state.set(key, value)
    store.close()
    assert dict(open_store(place).state.items()) == {"k" * LONGEST: bytes(MOST)}


def test_it_survives_the_salvage_of_a_damaged_file(place: Path) -> None:
    kept = keeper(place)
    kept.store.state.set("learnt/meter", b"a hole")
    kept.store.append(frames(1))
    kept.store.close()
    filled(place)
    overwrite(place, page_of(place, 5), os.urandom(4096))
    again = keeper(place)
    assert len(again.notes) == 1
    assert again.store.state.get("learnt/meter") == b"a hole"
    again.store.close()
    assert look(place, "SELECT k, v FROM state") == [("learnt/meter", b"a hole")]


def test_a_row_that_makes_no_sense_counts_as_not_there(place: Path) -> None:
    store = open_store(place, sinks=["a"])
    store.state.set("good", b"1")
    store.append(frames(1))
    store.close()
    change(place, "INSERT INTO state VALUES ('bad', 1.5)")
    change(place, "INSERT INTO state VALUES ('text', 'x')")
    assert dict(open_store(place).state.items()) == {"good": b"1"}


def test_what_is_forgotten_is_gone_and_what_could_not_be_written_is_as_it_was(place: Path) -> None:
    store = open_store(place)
    store.append([], {"a": b"1", "b": b"2", "c": b"3"})
    before = store.state.put({"a": None, "b": b"4", "d": b"5"})
    assert dict(store.state.items()) == {"b": b"4", "c": b"3"} | {"d": b"5"}
    store.state.put_back(before)
    assert (dict(store.state.items()), store.state.waiting) == ({"a": b"1", "b": b"2", "c": b"3"}, False)
    store.append([], {"a": None, "never": None})
    store.close()
    assert dict(open_store(place).state.items()) == {"b": b"2", "c": b"3"}


def test_one_value_that_is_too_large_takes_all_back(place: Path) -> None:
    store = open_store(place)
    with pytest.raises(StoreError, match="too many to be kept"):
        store.append([], {"a": b"1", "b": bytes(MOST + 1)})
    assert dict(store.state.items()) == {}


def test_what_is_forgotten_in_memory_is_forgotten_on_the_disk(place: Path) -> None:
    store = open_store(place, sinks=["platform"])
    store.append([], {"a": b"1", "b": b"2", "c": b"3"})
    memory = Store.in_memory(clock=Hands().clock(), boot="b", max_size=1 << 22, first=1)
    memory.append([], {"a": None, "b": None})
    memory.append([], {"b": b"4"})
    store.adopt(memory)
    assert dict(store.state.items()) == {"b": b"4", "c": b"3"}
