"""A file that cannot be read is no damaged one, and pages that the disk does not give cost themselves only."""

import errno
import os
from pathlib import Path

import pytest

from agent.model.errors import Damaged, DiskFailed
from buffer import keeper as keeper_module
from buffer import look as look_module
from buffer.look import Bytes, read_through
from tests.unit.buffer.builders import OPENED, Hands, frames
from tests.unit.buffer.test_keeper import balanced, keeper, overwrite, page_of


class Holes(Bytes):
    """The disk does not give the pages with these numbers."""

    holes = frozenset({3, 20})

    def read(self, start: int, size: int) -> bytes:
        if any(start <= page * 4096 < start + size for page in self.holes):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(start, size)


def test_slices_are_those_of_the_file(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "file").write_bytes(data)
    with Bytes(tmp_path / "file") as file:
        assert len(file) == len(data)
        for start, stop in [(0, 10), (65_530, 65_550), (0, 300_000), (299_990, 300_100), (131_072, 131_072)]:
            assert bytes(file[start:stop]) == data[start:stop]


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    with Bytes(tmp_path / "none") as file:
        assert len(file) == 0
        assert bytes(file[:]) == b""


def test_a_page_that_the_disk_does_not_give_is_zeros_and_its_neighbours_are_there(tmp_path: Path) -> None:
    data = os.urandom(40 * 4096)
    (tmp_path / "file").write_bytes(data)
    with Holes(tmp_path / "file") as file:
        for page in range(40):
            wanted = bytes(4096) if page in Holes.holes else data[page * 4096 : (page + 1) * 4096]
            assert bytes(file[page * 4096 : (page + 1) * 4096]) == wanted


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(bytes(100_000))
    read_through(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DiskFailed, match="cannot be read"):
        read_through(path)


def test_damage_that_a_short_look_does_not_reach_is_found_by_a_longer_one(
    place: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large file on a slow disk a minute shows only a part; here it is a tenth of a millisecond."""
    monkeypatch.setattr(keeper_module, "LOOK", 1e-4)
    monkeypatch.setattr(look_module, "_STEPS", 10)
    kept = keeper(place, hands)
    for _ in range(100):
        kept.store.append(frames(500))
    kept.store.close()
    broken = page_of(place, 13, 100)
    kept = keeper(place, hands)
    overwrite(place, broken, b"\xff" * 4096)
    for _ in range(9):
        try:
            while kept.store.owed("a"):
                kept.store.ack("a", kept.store.read("a", 10_000))
        except Damaged:
            kept.heal(damaged=True)
            OPENED.append(kept.store)
            hands.move(60)
    assert kept.store.owed("a") == 0
    assert "the store was damaged" in kept.notes[0]
    assert balanced(kept.store)
