"""What the operating system is asked."""

import os
from pathlib import Path

import pytest

from agent.model import host


@pytest.mark.parametrize(
    ("root", "windows", "expected"),
    [
        (True, False, "/var/lib/floorgate"),
        (False, False, "/home/op/.state/floorgate"),
        (True, True, "/ProgramData/floorgate"),
        (False, True, "/Local/floorgate"),
    ],
)
def test_where_the_data_are(root: bool, windows: bool, expected: str) -> None:
    environ = {"XDG_STATE_HOME": "/home/op/.state", "PROGRAMDATA": "/ProgramData", "LOCALAPPDATA": "/Local"}
    assert host.data_dir(environ, root=root, windows=windows) == Path(expected)


def test_where_the_data_are_if_the_system_does_not_say() -> None:
    assert host.data_dir({}, root=False, windows=False) == Path.home() / ".local/state/floorgate"
    assert host.data_dir({}, root=False, windows=True) == Path.home() / "AppData/Local/floorgate"


def test_one_at_a_time_is_alone_in_a_folder(tmp_path: Path) -> None:
    with host.alone(tmp_path) as first, host.alone(tmp_path, wait=False) as second:
        assert (first, second) == (True, False)
    with host.alone(tmp_path, wait=False) as third:
        assert third


def test_a_file_grows_by_blocks_and_holes_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | host.RAW, 0o600)
    try:
        os.ftruncate(fd, 1 << 20)
        assert host.taken(path) < 1 << 20
        host.give_blocks(fd, 1 << 20, 1 << 20)
        assert os.fstat(fd).st_size == 2 << 20
        assert host.taken(path) >= 1 << 20
        assert host.pwrite(fd, b"here", 100) == 4
        assert host.pread(fd, 6, 99) == b"\0here\0"
    finally:
        os.close(fd)


def test_a_disk_has_room(tmp_path: Path) -> None:
    assert host.free(tmp_path) > 0
