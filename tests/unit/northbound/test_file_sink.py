"""The file sink: whole lines, on disk when it says so, mended after a crash, and clear about what is wrong."""

import asyncio
import errno
import json
import os
import resource
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound.api import Gateway
from agent.northbound.file.config import Config
from agent.northbound.file.lines import LineFile
from agent.northbound.file.sink import FileSink, build
from tests.unit.northbound.making import entries


def config(path: object, **keys: Any) -> Config:
    return Config.model_validate({"name": "archive", "type": "file", "path": str(path), **keys})


def file(path: Path, **keys: Any) -> FileSink:
    return build(config(path, **keys), Gateway("gw-01"))


def seqs(path: Path) -> list[int]:
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


async def test_each_frame_is_one_line(tmp_path: Path) -> None:
    sink = file(tmp_path / "frames.jsonl")
    await sink.open()
    await sink.send(entries(3))
    assert seqs(tmp_path / "frames.jsonl") == [1, 2, 3]
    await sink.send(entries(2, first=4))
    await sink.close()
    await sink.close()
    assert seqs(tmp_path / "frames.jsonl") == [1, 2, 3, 4, 5]


async def test_what_was_there_stays(tmp_path: Path) -> None:
    sink = file(tmp_path / "frames.jsonl")
    for first in (1, 2, 3):
        await sink.open()
        await sink.send(entries(1, first=first))
        await sink.close()
    assert seqs(tmp_path / "frames.jsonl") == [1, 2, 3]


async def test_the_gateway_s_id_can_stand_in_the_path_and_missing_folders_are_made(tmp_path: Path) -> None:
    sink = file(tmp_path / "{gateway}" / "deep" / "{gateway}.jsonl")
    await sink.open()
    await sink.send(entries(1))
    await sink.close()
    assert seqs(tmp_path / "gw-01" / "deep" / "gw-01.jsonl") == [1]


@pytest.mark.parametrize(("name", "part"), [("../../etc", "_.._etc"), ("..", "_"), ("a/b", "a_b")])
def test_a_gateway_s_id_cannot_lead_out_of_the_folder(tmp_path: Path, name: str, part: str) -> None:
    sink = build(config(tmp_path / "{gateway}" / "x"), Gateway(name))
    assert sink._path == tmp_path / part / "x"


@pytest.mark.parametrize("torn", [b'{"gateway":"gw-01","ep', b"x" * 200_000])
async def test_a_line_torn_by_a_crash_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """Its frame was never confirmed, so it comes again."""
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b'{"seq":1}\n{"seq":2}\n' + torn)
    sink = file(path)
    await sink.open()
    await sink.send(entries(1, first=3))
    await sink.close()
    assert seqs(path) == [1, 2, 3]


async def test_a_file_that_is_one_torn_line_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(b'{"gate')
    sink = file(path)
    await sink.open()
    await sink.close()
    assert path.read_bytes() == b""


async def test_full_files_are_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    sink = file(path, max_size="4KB", keep=2)
    await sink.open()
    for first in range(1, 101, 5):
        await sink.send(entries(5, first=first))
    await sink.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frames.jsonl", "frames.jsonl.1", "frames.jsonl.2"]
    kept = [*seqs(tmp_path / "frames.jsonl.2"), *seqs(tmp_path / "frames.jsonl.1"), *seqs(path)]
    assert kept == list(range(kept[0], 101))
    assert all(p.stat().st_size <= 4096 for p in tmp_path.iterdir())


async def test_a_batch_larger_than_a_file_is_written_whole(tmp_path: Path) -> None:
    sink = file(tmp_path / "frames.jsonl", max_size="4KB", keep=2)
    await sink.open()
    await sink.send(entries(100))
    await sink.close()
    assert seqs(tmp_path / "frames.jsonl") == list(range(1, 101))


async def test_sending_before_opening_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not open"):
        await file(tmp_path / "x").send(entries(1))


async def test_a_folder_in_the_place_of_the_file_needs_a_person(tmp_path: Path) -> None:
    with pytest.raises(Denied, match=r"Is a directory.*does `path` name a file"):
        await file(tmp_path).open()


async def test_a_file_in_the_place_of_a_folder_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(Denied, match=r"File exists.*in a folder that can be made"):
        await file(tmp_path / "x" / "frames.jsonl").open()


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        (errno.EACCES, Denied, "may this user write"),
        (errno.EROFS, Denied, "may this user write"),
        (errno.ENAMETOOLONG, Denied, "does `path` name a file"),
        (errno.ENOSPC, Unavailable, "make room"),
        (errno.EDQUOT, Unavailable, "make room"),
        (errno.EIO, Unavailable, "Input/output error"),
    ],
)
def test_what_the_system_says_is_told_with_the_next_step(code: int, kind: type[SinkError], hint: str) -> None:
    error = file(Path("/var/x"))._mapped(OSError(code, os.strerror(code)))
    assert type(error) is kind
    assert "/var/x" in str(error)
    assert hint in str(error)


async def test_a_full_disk_is_unavailable_and_the_file_is_opened_anew() -> None:
    """/dev/full takes nothing, and cannot be cut back either."""
    sink = file(Path("/dev/full"))
    sink._file._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(Unavailable, match=r"No space left on device.*make room"):
        await sink.send(entries(1))
    with pytest.raises(Unavailable, match="not open"):
        await sink.send(entries(1))


def test_a_write_that_fails_half_way_leaves_no_trace(tmp_path: Path) -> None:
    """The limit on file sizes stands for the end of the disk: the first part fits, the rest does not."""
    path = tmp_path / "frames.jsonl"
    lines = LineFile(path, 1 << 20, 1)
    lines.open()
    lines.append(b"first\n")
    old, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, old[1]))
        with pytest.raises(OSError, match="File too large"):
            lines.append(b"second\n" * 500)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"first\n"
    lines.append(b"third\n")
    lines.close()
    assert path.read_bytes() == b"first\nthird\n"


async def test_the_loop_runs_on_while_the_disk_is_busy(tmp_path: Path) -> None:
    sink = file(tmp_path / "frames.jsonl")
    await sink.open()
    hung = threading.Event()
    sink._pool.submit(hung.wait, 10)  # as if a write hung
    sending = asyncio.create_task(sink.send(entries(1)))
    threading.Timer(0.2, hung.set).start()
    turns = 0
    while not sending.done():
        await asyncio.sleep(0.01)
        turns += 1
    await sending
    await sink.close()
    assert turns >= 5


async def test_a_cancelled_send_leaves_whole_lines(tmp_path: Path) -> None:
    sink = file(tmp_path / "frames.jsonl")
    await sink.open()
    for _ in range(10):
        sending = asyncio.create_task(sink.send(entries(50)))
        await asyncio.sleep(0.0005)
        sending.cancel()
        await asyncio.wait([sending])
    await asyncio.to_thread(sink._pool.submit(int).result)  # on a slow disk they are still being written
    await sink.send(entries(1, first=1000))
    await sink.close()
    assert seqs(tmp_path / "frames.jsonl")[-1] == 1000


@given(st.binary(max_size=300))
def test_whatever_the_file_holds_it_is_cut_after_its_last_newline(tmp_path_factory: Any, held: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_bytes(held)
    lines = LineFile(path, 1 << 20, 1)
    lines.open()
    lines.close()
    assert path.read_bytes() == held[: held.rfind(b"\n") + 1]


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"path": ""}, "does not name a file"),
        ({"path": "/tmp/"}, "does not name a file"),
        ({"path": "/tmp/{device}"}, "{device} is not a placeholder of a path"),
        ({"max_size": "1KB"}, "greater than or equal to 4096"),
        ({"max_size": 5000}, "is not a size"),
        ({"keep": 0}, "greater than or equal to 1"),
        ({"sync": False}, "Extra inputs"),
    ],
)
def test_a_wrong_key_is_named(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Config.model_validate({"name": "a", "type": "file", "path": "/tmp/x", **keys})


def test_defaults_are_those_of_the_readme() -> None:
    made = config("/tmp/x")
    assert (made.max_size, made.keep, made.batch) == (64 << 20, 5, 500)


def test_a_file_demands_order(tmp_path: Path) -> None:
    sink = file(tmp_path / "x", batch=7)
    assert (sink.ordered, sink.window, sink.limit) == (True, 1, 7)
