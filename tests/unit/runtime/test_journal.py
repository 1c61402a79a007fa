"""What the journal gets, on a socket of our own."""

import io
import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runtime.journal import MOST, Journal, is_journal
from agent.runtime.logs import Lines, fields


class Daemon:
    """Reads datagrams as journald does."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "journal")
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(self.path)
        self._end.setblocking(False)
        self.stream = io.StringIO()
        self.handler = Journal(Lines(), fields, self.stream, self.path)

    def say(self, message: str, level: int = logging.WARNING, **facts: object) -> None:
        made = logging.makeLogRecord({"msg": message, "levelno": level, **facts})
        self.handler.emit(made)

    def heard(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        while True:
            try:
                found.append(dict(_fields(self._end.recv(1 << 20))))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.handler.close()
        self._end.close()


def _fields(data: bytes) -> Iterator[tuple[str, str]]:
    while data:
        line, _, rest = data.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if equals:
            data = rest
        else:
            (size,) = struct.unpack_from("<Q", rest)
            value, data = rest[8 : 8 + size], rest[9 + size :]
        yield key.decode(), value.decode()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    made.close()


def test_a_line_has_its_priority_and_its_fields(journal: Daemon) -> None:
    journal.say("device meter-3: no answer", about=("device", "meter-3"), down_s=1.5)
    assert journal.heard() == [
        {
            "MESSAGE": "device meter-3: no answer down_s=1.5",
            "PRIORITY": "4",
            "SYSLOG_IDENTIFIER": "floorgate",
            "FLOORGATE_DEVICE": "meter-3",
            "FLOORGATE_DOWN_S": "1.5",
        }
    ]


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.DEBUG, "7"), (logging.INFO, "6"), (logging.ERROR, "3"), (logging.CRITICAL, "2")]
)
def test_levels_are_those_of_syslog(journal: Daemon, level: int, priority: str) -> None:
    journal.say("x", level)
    assert journal.heard()[0]["PRIORITY"] == priority


def test_a_name_from_the_field_cannot_forge_a_field(journal: Daemon) -> None:
    journal.say("tag a\nPRIORITY=0\nMESSAGE=all is well", device="b\nPRIORITY=0", **{"x=1\n_UID": 0})
    (said,) = journal.heard()
    assert said["PRIORITY"] == "4"
    assert said["FLOORGATE_DEVICE"] == "b\nPRIORITY=0"
    assert said["FLOORGATE_X_1__UID"] == "0"
    assert set(said) == {"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "FLOORGATE_DEVICE", "FLOORGATE_X_1__UID"}


def test_a_traceback_of_several_lines_stays_one_entry(journal: Daemon) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        journal.say("failed", logging.ERROR, exc_info=(type(error), error, error.__traceback__))
    (said,) = journal.heard()
    assert said["MESSAGE"].startswith("failed\n  Traceback")
    assert said["MESSAGE"].endswith("ZeroDivisionError: division by zero")


def test_what_is_too_much_is_cut(journal: Daemon) -> None:
    journal.say("x" * 1_000_000, **{f"fact{number}": "y" * 100_000 for number in range(2)})
    (much,) = journal.heard()
    journal.say("all", **{f"fact{number}": "\u4f60\n" * 100_000 for number in range(MOST)})
    journal.say("few", **{f"fact{number}": 1 for number in range(1000)})
    everything, few = journal.heard()
    assert len(str(much)) < 200_000
    assert len(everything) == 3 + MOST
    assert len(few) == 3 + MOST


def test_a_full_journal_keeps_nobody_waiting_and_the_gap_is_told(journal: Daemon) -> None:
    for _ in range(5000):
        journal.say("x")
    lost = journal.handler.dropped
    heard = len(journal.heard())
    assert heard + lost == 5000
    assert lost > 0
    journal.say("y")
    assert journal.heard()[0]["MESSAGE"] == f"y lost_before={lost}"


def test_without_a_journal_lines_go_to_the_stream_with_their_priority(journal: Daemon) -> None:
    Path(journal.path).unlink()
    journal.say("no answer", logging.ERROR, device="meter-3")
    assert journal.stream.getvalue() == "<3>no answer device=meter-3\n"


def test_a_stream_that_nobody_reads_keeps_nobody_waiting(tmp_path: Path) -> None:
    """The journal has been ended, and what holds the other end of our stderr does not read it."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        handler = Journal(Lines(), fields, stream, str(tmp_path / "nowhere"))
        made = logging.makeLogRecord({"msg": "x" * 900, "levelno": logging.WARNING})
        for _ in range(500):  # a pipe holds some 70 of them
            handler.emit(made)
        lost = handler.dropped
        assert 0 < lost < 500
        while len(os.read(reads, 1 << 20)) == 1 << 20:
            pass
        handler.emit(made)
        assert os.read(reads, 1 << 20).decode().endswith(f"x lost_before={lost}\n")
        handler.close()
    os.close(reads)


def test_the_journal_is_known_by_the_device_and_inode_of_the_stream(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w", encoding="utf-8") as file:
        found = os.fstat(file.fileno())
        assert is_journal(file, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        for other in (f"{found.st_dev}:{found.st_ino + 1}", "", "8", "a:b", "1:2:3"):
            assert not is_journal(file, {"JOURNAL_STREAM": other})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})
