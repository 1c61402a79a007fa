"""That a certificate expires is said at 30, 7 and 1 days and when it has, each time once."""

import logging
from datetime import datetime, timedelta

import pytest

from drivers.opcua.dial import LOOK, Expiry
from tests.sim.opcua_certificates import NOW, made


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def test_each_edge_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    end = NOW.replace(microsecond=0) + timedelta(days=100)
    held = {"our": made(ends=end).certificate}
    clock = Clock(end - timedelta(days=60))
    expiry = Expiry("press-3", clock)
    with caplog.at_level(logging.WARNING, "floorgate"):
        for _ in range(24 * 70):
            clock.now += timedelta(hours=1)
            expiry._next = 0.0
            expiry.look(held)
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.WARNING, logging.WARNING, logging.ERROR, logging.ERROR]
    assert "device press-3: our certificate expires at" in caplog.messages[0]
    assert "floorgate pki renew" in caplog.messages[0] and "expired at" in caplog.messages[-1]


def test_a_new_certificate_is_judged_anew(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(NOW)
    expiry = Expiry("press-3", clock)
    with caplog.at_level(logging.WARNING, "floorgate"):
        for days, count in ((5, 1), (400, 1), (6, 2)):
            expiry._next = 0.0
            expiry.look({"the server's": made(ends=NOW + timedelta(days=days)).certificate})
            assert len(caplog.records) == count
    assert "the server's certificate expires at" in caplog.messages[0]


def test_one_that_was_made_by_a_clock_that_was_ahead(caplog: pytest.LogCaptureFixture) -> None:
    """Servers refuse it until then, and it expires late enough for nobody to hear of it otherwise."""
    with caplog.at_level(logging.WARNING, "floorgate"):
        Expiry("press-3").look({"our": made(begins=NOW + timedelta(days=9), ends=NOW + timedelta(days=99)).certificate})
    assert "our certificate is not valid before" in caplog.messages[0]
    assert "floorgate pki renew" in caplog.messages[0]


def test_it_is_looked_at_once_an_hour() -> None:
    expiry = Expiry("press-3", lambda: pytest.fail("too soon"))
    expiry._next = float("inf")
    expiry.look({"our": made().certificate})
    assert LOOK == 3600
