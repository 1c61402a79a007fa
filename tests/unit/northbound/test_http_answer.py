"""What each answer of an HTTP platform means, and how long it may have us wait."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.errors import Denied, Rejected, SinkError, Unavailable
from agent.northbound.http.answer import LONGEST_PAUSE, Answer, pause, verdict
from agent.northbound.http.bodies import LARGEST, LEAST, Room, pieces
from tests.unit.northbound.making import entries

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert Answer(status).delivered


@pytest.mark.parametrize(
    ("error", "statuses"),
    [
        (Unavailable, [408, 425, 429, 500, 501, 502, 503, 504, 599]),
        (Denied, [401, 403, 407]),
        (Rejected, [400, 409, 413, 415, 422]),
        (Unavailable, [101, 301, 302, 303, 307, 308, 304, 402, 404, 405, 406, 410, 411, 414, 418, 431, 600, 999]),
    ],
)
def test_what_is_not_delivered(error: type[SinkError], statuses: list[int]) -> None:
    for status in statuses:
        assert not Answer(status).delivered
        assert type(verdict(Answer(status), "http h:80")) is error, status


def test_a_conflict_with_a_time_is_one_that_will_be_over() -> None:
    assert isinstance(verdict(Answer(409, retry_after="5"), "here"), Unavailable)


def test_the_error_says_what_the_platform_said_on_one_line() -> None:
    said = Answer(400, "Bad\x1b[2J Request", b'{"error":\r\n "no such \xff device"}\x1b]0;x\x07')
    text = str(verdict(said, "http h:80"))
    assert text.startswith('http h:80: 400 Bad\\x1b[2J Request: {"error": "no such')
    assert text.isprintable()
    assert len(str(verdict(Answer(500, "r" * 9000, b"b" * 9000), "h"))) < 600


def test_a_redirect_says_where_it_points() -> None:
    assert "it points to https://other.example/x" in str(verdict(Answer(302, location="https://other.example/x"), "h"))


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("", "", 0.0),
        ("0", "", 0.0),
        (" 7 ", "", 7.0),
        ("3600", "", LONGEST_PAUSE),
        ("9" * 400, "", LONGEST_PAUSE),
        ("-5", "", 0.0),
        ("1.5", "", 0.0),
        ("٣", "", 0.0),
        ("soon", "", 0.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", "", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", "", 0.0),
        ("Tue, 14 Nov 2023 23:14:20 GMT", "Tue, 14 Nov 2023 23:14:00 GMT", 20.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", "never", 60.0),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", "", 60.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "", LONGEST_PAUSE),
        ("Tue, 14 Nov 99999 22:14:20 GMT", "", 0.0),
    ],
)
def test_retry_after(text: str, date: str, seconds: float) -> None:
    assert pause(Answer(503, retry_after=text, date=date), NOW) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize("text", ["Tue Nov 14 22:14:20 2023", "Tue, 14 Nov 2023 22:14:20 -0000"])
def test_a_date_without_a_zone_means_gmt_wherever_the_gateway_stands(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old form of C's asctime, which a recipient must understand (RFC 9110 §5.6.7)."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert pause(Answer(503, retry_after=text), NOW) == pytest.approx(60.0, abs=1e-3)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_stands_in_retry_after_is_bounded(text: str, date: str) -> None:
    assert 0 <= pause(Answer(429, retry_after=text, date=date), NOW) <= LONGEST_PAUSE


def test_the_room_follows_what_the_platform_takes() -> None:
    room = Room(30.0)
    assert room.bytes == LARGEST
    room.too_large(100_000)
    assert room.bytes == 50_000
    room.taken(50_000, 0.1)
    room.too_large(80_000)
    assert room.bytes == 50_000
    room.too_large(50_000)
    assert room.bytes == 25_000


def test_the_room_follows_what_the_line_carries() -> None:
    """8 KB/s and 30 s: a body is as large as goes in half of that time."""
    room = Room(30.0)
    for _ in range(20):
        room.late(330_000)
    assert room.bytes == 165_000
    room.taken(165_000, 165_000 / 8192)
    assert room.bytes == pytest.approx(8192 * 15, rel=0.01)
    room.late(1)
    assert room.bytes == LEAST
    room.taken(4096, 0.01)
    assert room.bytes == LARGEST


@given(st.integers(2, 1000), st.integers(1, 10**8), st.integers(1, 10**8))
def test_pieces_are_all_there_in_order(count: int, size: int, room: int) -> None:
    batch = entries(3)[:1] * count
    found = pieces(batch, size, room)
    assert len(found) >= 2
    assert sum(map(len, found)) == count
    assert all(found)
