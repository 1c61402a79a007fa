"""S24: one line per event, whatever a device puts into it."""

import asyncio
import json
import logging
import os
import sys

import pytest

from agent.runtime.flood import KIND
from agent.runtime.logs import TRACE, JsonLines, Logs, Stream, TextLines


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "floorgate", "levelname": "WARNING", "msg": message, **extra})
    made.created, made.msecs = 1700000000.123, 123.0
    return made


def test_json_lines_carry_time_level_message_and_fields() -> None:
    line = json.loads(JsonLines().format(record("sink platform is back", down_s=1.5)))
    assert line == {
        "ts": "2023-11-14T22:13:20.123Z",
        "level": "warning",
        "logger": "floorgate",
        "message": "sink platform is back",
        "down_s": 1.5,
    }


def test_json_lines_say_what_they_are_about() -> None:
    assert json.loads(JsonLines().format(record("device m: away", about=("device", "m"))))["device"] == "m"
    assert "device=" not in TextLines().format(record("device m: away", about=("device", "m")))


def test_a_log_that_nobody_reads_stops_no_agent() -> None:
    """`floorgate run 2>&1 | less`"""
    reads, writes = os.pipe()
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        handler = Stream(stream)
        handler.setFormatter(TextLines())
        for _ in range(500):  # a pipe holds some 70 of them
            handler.emit(record("x" * 900))
        lost = handler.dropped
        assert 0 < lost < 500
        while len(os.read(reads, 1 << 20)) == 1 << 20:
            pass
        handler.emit(record("y"))
        handler.emit(record("z"))
        told = os.read(reads, 1 << 20).decode().splitlines()
    os.close(reads)
    assert [line.partition("WARNING ")[2] for line in told] == [f"y lost_before={lost}", "z"]


async def test_what_was_left_out_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    logs, root, log = Logs(), logging.getLogger(), logging.getLogger("floorgate")
    before, level = root.handlers[:], log.level
    logs.setup("info", "json", {})
    try:
        root.addHandler(caplog.handler)  # which has no filter
        for _ in range(KIND + 7):
            log.warning("%s %s: %s", "device", "m", "away")
        task = asyncio.create_task(logs.account())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    finally:
        root.handlers[:] = before
        log.setLevel(level)
    assert caplog.messages[KIND + 7 :] == ["device m: away (7 more of these in 0 s)"]


def test_text_lines_are_for_people() -> None:
    assert TextLines().format(record("started", devices=2)) == "2023-11-14T22:13:20.123Z WARNING started devices=2"


def test_a_name_from_the_field_cannot_forge_a_line_or_colour_the_terminal() -> None:
    for formatter in (JsonLines(), TextLines()):
        line = formatter.format(record("tag \n[ERROR]\x1b[2J\u202e evil", device="a\nb"))
        assert "\n" not in line and "\x1b" not in line and "\u202e" not in line


def test_a_flood_in_one_message_is_cut() -> None:
    assert len(TextLines().format(record("x" * 1_000_000))) < 5000


def test_a_traceback_travels_with_its_line() -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        failed = record("failed", exc_info=sys.exc_info())
    assert "ZeroDivisionError" in json.loads(JsonLines().format(failed))["traceback"]
    assert "ZeroDivisionError" in TextLines().format(failed)


def failed_with(text: str) -> logging.LogRecord:
    error = ValueError(text)
    return record("failed", exc_info=(ValueError, error, None))


def test_what_an_exception_says_forges_no_line_and_floods_nothing() -> None:
    forged = "2023-11-14T22:13:20.123Z ERROR all is lost"
    text = TextLines().format(failed_with(f"\n{forged}\x1b[2J"))
    assert "\x1b" not in text
    assert text.splitlines() == ["2023-11-14T22:13:20.123Z WARNING failed", "  ValueError: ", f"  {forged}\\x1b[2J"]
    much = failed_with("\udcff\x1b" * 1_000_000)
    assert len(TextLines().format(much)) < 7 * TRACE
    assert "\x1b" not in json.loads(JsonLines().format(much))["traceback"]
