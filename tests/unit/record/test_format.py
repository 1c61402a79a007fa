"""The file of a recording: whole, cut, damaged, hostile, full."""

import struct
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from agent.model.clock import Clock
from agent.model.errors import AgentError
from agent.record.format import HEAD, LARGEST, MAGIC, End, Entry, Header, Wire, framed, read_recording
from agent.record.recorder import LEAST, Recorder
from drivers.tapping import Note

NOTES = [("tcp://a", "sent", b"\x01\x02"), ("tcp://b", "heard", b"x" * 300), ("tcp://a", "lost", b"")]


def recorded(folder: Path, size: int = LEAST, notes: list[tuple[str, str, bytes]] = NOTES) -> Path:
    now = [1000]

    def tick() -> int:
        now[0] += 1
        return now[0]

    recorder = Recorder(
        folder / "r.fgr", Header("t", "gw", site="site.yaml", files={"site.yaml": b"a: 1"}), size, Clock(tick, tick)
    )
    for note in notes:
        recorder(*note)
    recorder.stop()
    return recorder.path


def raw(folder: Path, *payloads: bytes) -> Path:
    """A file with these payloads after a good header, each with a right checksum."""
    path = folder / "raw.fgr"
    records = b"".join(HEAD.pack(len(each), crc32(each)) + each for each in payloads)
    path.write_bytes(MAGIC + framed(Header("t")) + records)
    return path


def test_what_was_noted_is_read(tmp_path: Path) -> None:
    found = read_recording(recorded(tmp_path))
    assert found.notes == [
        Note("tcp://a", "sent", 1003, 1004, b"\x01\x02"),
        Note("tcp://b", "heard", 1005, 1006, b"x" * 300),
        Note("tcp://a", "lost", 1007, 1008, b""),
    ]
    assert (found.end, found.damage) == ("stopped", "")
    assert (found.header.site, found.header.files, found.header.wall) == ("site.yaml", {"site.yaml": b"a: 1"}, 1001)


def test_a_file_for_the_owner_alone(tmp_path: Path) -> None:
    assert recorded(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_cut_is_good_up_to_there(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    whole = path.read_bytes()
    every = read_recording(path).notes
    least = len(MAGIC + framed(read_recording(path).header))
    for size in range(least, len(whole)):
        path.write_bytes(whole[:size])
        found = read_recording(path)
        assert found.notes == every[: len(found.notes)]
        assert "cut off" in found.damage


def test_a_file_of_which_a_byte_is_wrong_is_good_up_to_there(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    whole = path.read_bytes()
    every = read_recording(path).notes
    least = len(MAGIC + framed(read_recording(path).header))
    for at in range(least, len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0x40,)) + whole[at + 1 :])
        found = read_recording(path)
        assert found.damage
        assert found.notes == every[: len(found.notes)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89",
        b"PK\x03\x04" * 10,
        MAGIC,
        MAGIC[:-1] + b"\x02",
        MAGIC + framed(Wire(0, "a")),
        MAGIC + b"\xff" * 100,
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "r.fgr"
    path.write_bytes(data)
    with pytest.raises(AgentError) as error:
        read_recording(path)
    assert str(path) in error.value.message
    assert error.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="No such file"):
        read_recording(tmp_path / "nowhere.fgr")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"[" * 5000,
        b"\x91" * 5000,
        msgspec.msgpack.encode(["note", 7, "sent", 1, 1, b""]),
        msgspec.msgpack.encode(["note", 0, "sent", -1, 1, b""]),
        msgspec.msgpack.encode(["note", 0, "sent", 1 << 63, 1, b""]),
        msgspec.msgpack.encode(["note", 0, "sent", "now", 1, b""]),
        msgspec.msgpack.encode(["other", 1]),
        msgspec.msgpack.encode(["wire", 1]),
        msgspec.msgpack.encode(["header", "again"]),
        msgspec.msgpack.encode({"note": 1}),
    ],
)
def test_records_that_make_no_sense_end_the_reading(tmp_path: Path, payload: bytes) -> None:
    good = [msgspec.msgpack.encode(each) for each in (Wire(0, "a"), Entry(0, "sent", 1, 1, b"x"))]
    found = read_recording(raw(tmp_path, *good, payload, good[1]))
    assert len(found.notes) == 1
    assert "no sense" in found.damage


def test_a_length_that_cannot_be_is_not_believed(tmp_path: Path) -> None:
    path = raw(tmp_path)
    with path.open("ab") as file:
        file.write(struct.pack(">II", 0xFFFFFFFF, 0) + b"x" * 100)
    assert "damaged" in read_recording(path).damage


@pytest.mark.parametrize("size", [LEAST, 100_000])
def test_a_recording_stays_within_its_bound(tmp_path: Path, size: int) -> None:
    path = recorded(tmp_path, size, [("tcp://a", "heard", b"y" * 1000)] * 500)
    assert size - 2000 < path.stat().st_size <= size
    found = read_recording(path)
    assert (found.end, found.damage) == ("full", "")
    assert 0 < len(found.notes) < 500


def test_a_note_that_is_too_large_is_cut(tmp_path: Path) -> None:
    path = recorded(tmp_path, 64 << 20, [("a", "heard", b"z" * (LARGEST + 10))])
    found = read_recording(path)
    assert found.damage == ""
    assert LARGEST - 1000 < len(found.notes[0].data) < LARGEST


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r.fgr", Header(), LEAST)
    ends: list[str] = []
    recorder.ended = lambda: ends.append(recorder.progress.why)
    recorder.stop("time")
    recorder("a", "sent", b"x")
    recorder.stop()
    assert ends == ["time"]
    assert read_recording(recorder.path).notes == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AgentError) as error:
        Recorder(tmp_path / "file" / "r.fgr", Header(), LEAST)
    assert "-o" in error.value.hint


def test_the_last_record_says_why(tmp_path: Path) -> None:
    path = raw(tmp_path, msgspec.msgpack.encode(End("time", 5, 5)), b"whatever")
    assert read_recording(path).end == "time"
