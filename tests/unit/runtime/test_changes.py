"""A file is loaded once it has changed and come to rest, not while somebody writes it, and once for each change."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from agent.runtime.changes import REST, Changes, Stamp, stamps

A, B = Path("/a.yaml"), Path("/conf.d")
WAS: dict[Path, Stamp] = {A: (1, 10, 7), B: ("x.yaml",)}


@pytest.mark.parametrize(
    "after",
    [
        {A: (2, 10, 7), B: ("x.yaml",)},
        {A: (1, 11, 7), B: ("x.yaml",)},
        {A: (1, 10, 8), B: ("x.yaml",)},
        {A: None, B: ("x.yaml",)},
        {A: (1, 10, 7), B: ("x.yaml", "y.yaml")},
        {A: (1, 10, 7), B: None},
    ],
)
def test_each_way_of_changing_counts_once(after: dict[Path, Stamp]) -> None:
    changes = Changes()
    changes.begin(WAS)
    assert not changes.look(0, WAS) and not changes.moving
    assert not changes.look(1, after) and changes.moving
    assert not changes.look(REST, after)
    assert changes.look(REST + 1, after)
    changes.begin(after)
    assert not any(changes.look(at * REST, after) for at in range(2, 5))


def test_what_is_being_written_is_waited_for() -> None:
    changes = Changes()
    changes.begin(WAS)
    for at in range(50):
        assert not changes.look(at * REST // 2, {A: (at + 2, 10 * at, 7), B: ()})
    last: dict[Path, Stamp] = {A: (51, 490, 7), B: ()}
    assert changes.look(50 * REST, last)


def test_an_editor_that_puts_another_file_in_its_place_makes_one_change() -> None:
    changes = Changes()
    changes.begin(WAS)
    assert not changes.look(0, {**WAS, A: None})
    assert not changes.look(REST // 2, {**WAS, A: (2, 11, 8)})
    assert changes.look(2 * REST, {**WAS, A: (2, 11, 8)})


def test_what_goes_back_to_how_it_was_is_no_change() -> None:
    changes = Changes()
    changes.begin(WAS)
    assert not changes.look(0, {**WAS, A: None})
    assert not any(changes.look(at * REST, WAS) for at in range(1, 5)) and not changes.moving


def test_the_disk_is_asked(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.yaml", tmp_path / "conf.d"
    assert stamps([file], [folder]) == {file: None, folder: None}
    file.write_text("a")
    folder.mkdir()
    (folder / "b.yaml").touch()
    first = stamps([file], [folder])
    assert first[folder] == ("b.yaml",)
    assert first == stamps([file], [folder])
    other = tmp_path / "other"
    other.write_text("b")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert stamps([file], [folder])[file] != first[file], "same time and size, and another file all the same"


def test_a_folder_that_is_none_and_who_may_read_a_file_count(tmp_path: Path) -> None:
    file, folder = tmp_path / "site.yaml", tmp_path / "conf.d"
    file.write_text("a")
    seen = [stamps([file], [folder])]
    file.chmod(0o600 if file.stat().st_mode & 0o777 != 0o600 else 0o640)
    seen.append(stamps([file], [folder]))
    folder.write_text("no folder")
    seen.append(stamps([file], [folder]))
    folder.unlink()
    folder.mkdir()
    seen.append(stamps([file], [folder]))
    assert all(one != other for one, other in pairwise(seen))
