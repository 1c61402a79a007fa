"""`floorgate store` on a file at rest; on a running agent it is tried in tests/e2e."""

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.cli.store import NAMES, import_
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from buffer import shelf
from buffer.store import Store

NOON = 1_700_000_000_123_456_789
METER = Schema("meter", "1s", (Tag("voltage", "float32", "V"), Tag("count", "int64"), Tag("label", "str")), 1.0)
PRESS = Schema("press", "500ms", (Tag("running", "bool"),), 0.5)


def frames(count: int) -> list[Frame]:
    return [Frame(METER, NOON + i * 10**9, (i + 0.5, 2**60 + i, "on"), bytes(3)) for i in range(count)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What an agent left behind: `a` is owed ten frames and refused one, `b` has all."""
    store = Store.open(tmp_path / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    store.attach(["a", "b"])
    store.append(frames(10))
    store.append([Frame(PRESS, NOON, (None,), b"\x42")])
    store.ack("b", store.read("b", 20))
    store.set_aside("a", store.read("a", 4)[3:], "too strange", 3)
    store.close()
    return tmp_path


def look(data: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "store.db")) as connection:
        return connection.execute(query).fetchall()


def harm(data: Path, statement: str) -> None:
    with closing(sqlite3.connect(data / "store.db")) as connection:
        connection.execute(statement)
        connection.commit()


def store(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["store", *arguments, "--data", str(data)])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, ["store", name, "--help"])
    assert (result.exit_code, f"main store {name}" in result.output) == (0, True)


def test_a_directory_without_a_store_is_named(tmp_path: Path) -> None:
    result = store(tmp_path, "stats")
    assert result.exit_code == 1
    assert f"store {tmp_path / 'store.db'} does not exist" in result.output


def test_stats_say_how_full_the_store_is(data: Path) -> None:
    found = json.loads(store(data, "stats", "--json").output)
    assert {key: found[key] for key in ("frames", "last_seq", "oldest_ts", "limit", "running")} == {
        "frames": 11,
        "last_seq": 11,
        "oldest_ts": NOON // 1_000_000,
        "limit": 32 << 20,
        "running": False,
    }
    assert (found["owed"], found["set_aside"]) == ({"a": 10, "b": 0}, {"a": 1, "b": 0})
    assert found["hours_left"] is None
    said = store(data, "stats").output
    assert "of at most 32 MB" in said
    assert "oldest       2023-11-14T22:13:20.123+00:00" in said
    assert "a: owed 10 frames, 1 set aside" in said


def test_peek_shows_the_newest_frames_with_the_oldest_of_them_first(data: Path) -> None:
    found = json.loads(store(data, "peek", "--last", "3", "--json").output)
    assert [each["seq"] for each in found] == [9, 10, 11]
    assert found[1]["values"] == {"voltage": 9.5, "count": 2**60 + 9, "label": "on"}
    assert found[1]["ts_ns"] == NOON + 9 * 10**9
    assert (found[2]["values"], found[2]["quality"]) == ({}, {"running": "bad_comm"})
    said = store(data, "peek").output
    assert "voltage=9.5" in said and "running: bad_comm" in said


def test_peek_finds_the_frames_of_a_device_however_far_back(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MOST", 2)
    found = json.loads(store(data, "peek", "--last", "4", "--device", "meter", "--json").output)
    assert [each["seq"] for each in found] == [7, 8, 9, 10]
    assert json.loads(store(data, "peek", "--device", "nobody", "--json").output) == []


def test_peek_names_a_frame_that_is_damaged(data: Path) -> None:
    harm(data, "UPDATE frame SET body = zeroblob(3) WHERE seq = 11")
    assert json.loads(store(data, "peek", "--last", "1", "--json").output) == [{"seq": 11, "damaged": True}]
    assert "damaged" in store(data, "peek").output


def test_a_wide_frame_is_cut_short_for_people(data: Path) -> None:
    opened = Store.open(data / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    wide = Schema("wide", "1s", tuple(Tag(f"t{i}", "bool") for i in range(11)))
    opened.append([Frame(wide, NOON, (True,) * 11, bytes(11))])
    opened.close()
    assert "t7=True, and 3 more" in store(data, "peek", "--last", "1").output


def exported(data: Path, *arguments: str) -> list[dict[str, Any]]:
    result = store(data, "export", str(data / "out"), *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in (data / "out").read_text("utf-8").splitlines()]


def test_an_export_has_every_frame_and_tells_a_schema_once(data: Path) -> None:
    lines = exported(data)
    assert [line["seq"] for line in lines if "seq" in line] == list(range(1, 12))
    assert [line["schema"]["device"] for line in lines if "schema" in line] == ["meter", "press"]
    assert lines[0]["schema"]["tags"][0] == {"name": "voltage", "dtype": "float32", "unit": "V", "kind": "gauge"}
    assert not list(data.glob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        (["--sink", "a"], [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]),
        (["--sink", "b"], []),
        (["--sink", "a", "--aside"], [4]),
        (["--device", "press"], [11]),
        (["--since", "2023-11-14T22:13:28Z"], [9, 10]),
        (["--until", "2023-11-14T22:13:22Z", "--device", "meter"], [1, 2]),
        (["--since", "1h"], []),
    ],
)
def test_an_export_can_be_narrowed(data: Path, arguments: list[str], seqs: list[int]) -> None:
    assert [line["seq"] for line in exported(data, *arguments) if "seq" in line] == seqs


def test_what_was_set_aside_says_why(data: Path) -> None:
    assert [line.get("refused") for line in exported(data, "--sink", "a", "--aside")] == [None, "too strange"]


def test_a_table_for_a_spreadsheet_has_a_line_for_each_value(data: Path) -> None:
    """With the mark by which Excel knows UTF-8."""
    result = store(data, "export", str(data / "out.csv"), "--format", "csv", "--device", "press")
    assert result.exit_code == 0, result.output
    raw = (data / "out.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    del row["epoch"]
    assert row == {
        "time": "2023-11-14T22:13:20.123+00:00",
        "device": "press",
        "group": "500ms",
        "tag": "running",
        "value": "",
        "unit": "",
        "quality": "bad_comm",
        "seq": "11",
    }


def test_an_export_can_go_into_a_pipe(data: Path) -> None:
    result = store(data, "export", "-", "--device", "press")
    assert [json.loads(line).get("seq") for line in result.stdout.splitlines()] == [None, 11]


def test_an_export_that_fails_leaves_no_half_a_file(data: Path) -> None:
    (data / "out").write_text("of yesterday")
    result = store(data, "export", str(data / "out"), "--sink", "nobody")
    assert result.exit_code == 1
    assert "knows no sink 'nobody' (it knows a, b)" in result.output
    assert (data / "out").read_text() == "of yesterday"
    assert not list(data.glob("*.part"))
    assert "No such file or directory" in store(data, "export", str(data / "no" / "out")).output


def test_an_export_leaves_damaged_frames_out_and_says_so(data: Path) -> None:
    harm(data, "UPDATE frame SET crc = 1 WHERE seq IN (2, 5)")
    result = store(data, "export", str(data / "out"))
    assert (result.exit_code, "2 frames are damaged and are not" in result.output) == (1, True)
    lines = [json.loads(line) for line in (data / "out").read_text().splitlines()]
    assert [line["seq"] for line in lines if "seq" in line] == [1, 3, 4, 6, 7, 8, 9, 10, 11]


def test_aside_without_a_sink_is_a_usage_error(data: Path) -> None:
    assert store(data, "export", str(data / "out"), "--aside").exit_code == 2


def test_a_time_that_is_none_is_a_usage_error(data: Path) -> None:
    result = store(data, "export", str(data / "out"), "--since", "yesterday")
    assert (result.exit_code, "neither a duration such as 24h nor a time" in result.output) == (2, True)


def test_a_sound_store_is_verified(data: Path) -> None:
    before = {path: path.read_bytes() for path in data.iterdir()}
    assert store(data, "verify").output == "11 frames, 0 faults\n"
    assert json.loads(store(data, "verify", "--json").output) == {"ok": True, "frames": 11, "faults": []}
    assert {path: path.read_bytes() for path in data.iterdir()} == before


def test_what_is_bad_is_named(data: Path) -> None:
    harm(data, "UPDATE frame SET body = zeroblob(3) WHERE seq BETWEEN 2 AND 4")
    harm(data, "UPDATE frame SET schema = 99 WHERE seq = 11")
    harm(data, "DELETE FROM frame WHERE seq IN (7, 9)")
    result = store(data, "verify", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["faults"] == [
        "frames 2 to 4 of meter: the checksum does not hold",
        "frame 7 missing from the file",
        "frame 9 missing from the file",
        "frame 11 of an unknown device: the checksum does not hold",
        "ledger: sink a, device meter: 6 samples are unaccounted for",
        "ledger: sink a, device press: 1 samples are unaccounted for",
        "ledger: sink a, device schema 99: -1 samples are unaccounted for",
    ]
    assert "not all is well with the store" in result.stderr


def overwrite(data: Path, page: int) -> None:
    with (data / "store.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def root(data: Path) -> int:
    """The page at which the frames begin."""
    ((page,),) = look(data, "SELECT rootpage FROM sqlite_schema WHERE name = 'frame'")
    return int(page)


def test_a_page_that_makes_no_sense_is_a_fault_and_not_the_end(data: Path) -> None:
    opened = Store.open(data / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    opened.attach(["a", "b"])
    opened.append(frames(500))
    opened.close()
    raw = (data / "store.db").read_bytes()[(root(data) - 1) * 4096 :]
    cell = int.from_bytes(raw[12 + 4 : 12 + 6], "big")  # the third leaf (SQLite file format, §1.6)
    overwrite(data, int.from_bytes(raw[cell : cell + 4], "big"))
    result = store(data, "verify", "--json")
    faults = json.loads(result.stdout)["faults"]
    assert result.exit_code == 1
    assert "to 511 cannot all be read: " in faults[0]
    assert [fault.partition(":")[0] for fault in faults[1:]] == [
        "the file cannot be checked",
        "the ledger cannot be counted",
    ]


def test_a_free_page_that_is_in_use_is_a_fault_of_the_file(data: Path) -> None:
    with (data / "store.db").open("r+b") as file:
        file.seek(36)  # pages on the freelist (SQLite file format, §1.3)
        file.write(b"\0\0\0\1")
    result = store(data, "verify", "--json")
    (fault,) = json.loads(result.stdout)["faults"]
    assert (result.exit_code, "the file: " in fault and "freelist" in fault) == (1, True)


def test_a_file_of_which_nothing_can_be_asked_is_one_fault(data: Path) -> None:
    overwrite(data, root(data))
    result = store(data, "verify", "--json")
    (fault,) = json.loads(result.stdout)["faults"]
    assert (result.exit_code, "is damaged: database disk image is malformed" in fault) == (1, True)


def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(data: Path) -> None:
    """It goes to stderr, so that what is printed can be used."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "agent", "store", "verify", "--data", data],
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TERM": "xterm"},
    )
    seen = os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    assert done.stdout == "11 frames, 0 faults\n"
    assert b"frames" in seen and b"100%" in seen
    assert store(data, "verify").stderr == ""


def test_what_was_exported_is_put_back_for_every_sink(data: Path) -> None:
    """Under new numbers, with everything else as it was."""
    before = [line for line in exported(data, "--sink", "a", "--aside") if "seq" in line]
    result = store(data, "import", str(data / "out"))
    assert (result.exit_code, result.stdout) == (0, "1 frames were put back\n")
    (after,) = (line for line in exported(data, "--sink", "b") if "seq" in line)
    assert after["seq"] == 12
    assert {key: after[key] for key in ("device", "group", "ts_ns", "values", "quality")} == {
        key: before[0][key] for key in ("device", "group", "ts_ns", "values", "quality")
    }
    stats = json.loads(store(data, "stats", "--json").output)
    assert (stats["owed"], stats["set_aside"]) == ({"a": 11, "b": 1}, {"a": 1, "b": 0})
    assert json.loads(store(data, "verify", "--json").output)["ok"]


def test_a_whole_store_can_be_moved_into_another(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In parts, because it is read in parts."""
    other = tmp_path_factory.mktemp("other")
    fresh = Store.open(other / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    fresh.attach(["a"])
    fresh.append(frames(1000))
    fresh.close()
    exported(other)
    assert store(data, "import", str(other / "out")).stdout == "1,000 frames were put back\n"
    lines = exported(data, "--sink", "b")
    assert [line["values"]["count"] for line in lines if "seq" in line] == [2**60 + i for i in range(1000)]


def test_a_bad_line_is_named_and_nothing_is_put_back(data: Path) -> None:
    exported(data, "--device", "press")
    with (data / "out").open("a") as file:
        file.write('{"device": "press", "group": "500ms", "ts": 1, "values": {"running": 5}}\n')
        file.write("\n[]\n")
    result = store(data, "import", str(data / "out"))
    assert result.exit_code == 1
    assert f"{data / 'out'}:3: tag 'running': 5 is no bool" in result.stderr
    assert f"{data / 'out'}:5: Expected `object`" in result.stderr
    assert "bad lines: 2; nothing was put back (--skip-bad leaves them out)" in result.stderr
    assert json.loads(store(data, "stats", "--json").output)["frames"] == 11
    result = store(data, "import", str(data / "out"), "--skip-bad")
    assert (result.exit_code, result.stdout) == (0, "1 frames were put back\n")
    assert f"{data / 'out'}:3: " in result.stderr


def test_a_line_without_an_end_is_bad_and_no_more(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_, "LONGEST", 100)
    good = '{"device": "press", "ts": 1, "values": {"running": true}}\n'
    (data / "in").write_text(good + "x" * 250 + "\n" + good + "y" * 100)
    result = store(data, "import", str(data / "in"), "--skip-bad")
    assert result.stdout == "2 frames were put back\n"
    assert f"{data / 'in'}:2: longer than 100 bytes" in result.stderr
    assert f"{data / 'in'}:4: longer than 100 bytes" in result.stderr


def test_a_file_for_which_there_is_no_room_is_refused_as_a_whole(data: Path) -> None:
    line = json.dumps({"device": "m", "ts": 1, "values": {f"t{i}": "x" * 1000 for i in range(100)}})
    (data / "in").write_text(f"{line}\n" * 400)
    result = store(data, "import", str(data / "in"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "and the store has room for" in result.stderr


def test_an_import_into_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("")
    assert "does not exist" in store(tmp_path, "import", str(tmp_path / "in")).stderr


@pytest.mark.parametrize(("arguments", "count"), [([], 1), (["4"], 1), (["1-3,5-100"], 0)])
def test_what_a_sink_refused_is_owed_to_it_again(data: Path, arguments: list[str], count: int) -> None:
    assert store(data, "retry", "a", *arguments).stdout == f"{count} frames are owed to a again\n"
    assert json.loads(store(data, "stats", "--json").output)["owed"] == {"a": 10 + count, "b": 0}


@pytest.mark.parametrize("seqs", ["x", "7-3", "0", "1-", "-5"])
def test_numbers_that_are_none_are_a_usage_error(data: Path, seqs: str) -> None:
    assert store(data, "retry", "--", "a", seqs).exit_code == 2


def test_a_sink_that_is_in_use_is_not_forgotten(data: Path) -> None:
    result = store(data, "forget", "a", "--yes")
    assert (result.exit_code, "sink 'a' is in use" in result.stderr) == (1, True)
    result = store(data, "forget", "nobody", "--yes")
    assert (result.exit_code, "knows no sink 'nobody'" in result.stderr) == (1, True)


def test_a_sink_that_is_gone_is_forgotten_when_a_person_says_so(data: Path) -> None:
    opened = Store.open(data / "store.db", boot="b", keep=3600.0, max_size=32 << 20, reserve=0)
    opened.attach(["b"])
    opened.close()
    assert store(data, "forget", "a").exit_code == 1
    assert store(data, "forget", "a", "--yes").stdout == "11 frames that a was owed are given up\n"
    stats = json.loads(store(data, "stats", "--json").output)
    assert (stats["owed"], stats["set_aside"]) == ({"a": 0, "b": 0}, {"a": 0, "b": 0})
    assert json.loads(store(data, "verify", "--json").output)["ok"]
