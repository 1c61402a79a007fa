"""What systemd hears, on a socket of our own."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runtime import notify as notify_module
from agent.runtime.notify import Notify
from tests.sim.service_manager import Manager


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(f"{tmp_path}/n" if request.param == "file" else f"@floorgate-test-{os.getpid()}-{time.time_ns()}")
    yield made
    made.close()


def test_each_message_is_a_datagram(manager: Manager) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())})
    before = time.monotonic_ns() // 1000
    for say in (notify.ready, notify.reloading, notify.alive, notify.stopping):
        say()
    ready, reloading, alive, stopping = manager.heard()
    assert (ready, alive, stopping) == ("READY=1", "WATCHDOG=1", "STOPPING=1")
    what, _, when = reloading.partition("\nMONOTONIC_USEC=")
    assert what == "RELOADING=1"
    assert before <= int(when) <= time.monotonic_ns() // 1000
    assert notify.watchdog == 60.0


def test_a_status_is_one_line_and_said_when_it_changes(manager: Manager) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.address})
    for text in ("2 devices", "2 devices", "2 devices\nREADY=1", "x" * 9999):
        notify.status(text)
    first, second, third = manager.heard()
    assert (first, second) == ("STATUS=2 devices", "STATUS=2 devices\\x0aREADY=1")
    assert len(third) < 1000


def test_children_do_not_find_the_socket(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1", "HOME": "/"}
    Notify.taken(environ).ready()
    assert manager.heard() == ["READY=1"]
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WATCHDOG_USEC": "1000000"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "1000000"},
        {"NOTIFY_SOCKET": "/" + "long" * 99},
    ],
    ids=["nothing", "no socket", "no number", "somebody else's", "another kind", "too long"],
)
def test_who_does_not_listen_is_no_trouble(given: dict[str, str]) -> None:
    notify = Notify(given)
    for say in (notify.ready, notify.reloading, notify.alive, notify.stopping):
        say()
    notify.status("all is well")
    assert notify.watchdog == 0.0


def test_a_manager_that_does_not_read_keeps_nobody_waiting(manager: Manager) -> None:
    notify = Notify({"NOTIFY_SOCKET": manager.address})
    for _ in range(5000):  # more than a socket holds
        notify.ready()
    assert 0 < len(manager.heard()) < 5000


def test_readiness_is_said_until_it_is_taken(manager: Manager) -> None:
    """While a machine boots, its service manager may have no room for another message."""
    notify = Notify({"NOTIFY_SOCKET": manager.address})
    while notify._say("x"):
        pass
    notify.reloading()
    notify.status("full")
    notify.ready()
    assert {*manager.heard()} == {"x"}
    notify.alive()
    notify.alive()
    notify.status("full")
    assert manager.heard() == ["READY=1", "STATUS=full"]


@pytest.mark.parametrize(
    ("usec", "seconds"),
    [
        ("1", 0.1),
        ("500000", 0.5),
        ("0", 0.0),
        ("-1", 0.0),
        ("1.5", 0.0),
        ("9" * 18, 999_999_999_999.999999),
        ("9" * 5000, 0.0),
    ],
)
def test_a_watchdog_that_makes_no_sense_neither_ends_the_agent_nor_keeps_it_busy(usec: str, seconds: float) -> None:
    assert Notify({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": usec}).watchdog == seconds


async def test_more_time_is_asked_for_while_something_takes_long(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_module, "OFTEN", 0.01)
    notify = Notify({"NOTIFY_SOCKET": manager.address})
    with notify.slow("opening the store"):
        await asyncio.sleep(0.05)
    first, *more = manager.heard()
    assert first == "STATUS=opening the store"
    assert set(more) == {"EXTEND_TIMEOUT_USEC=60000000"}
    await asyncio.sleep(0.03)
    assert manager.heard() == []
