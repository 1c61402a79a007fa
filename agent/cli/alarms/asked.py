"""The agent that is asked about its alarms."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.cli.ask import Agent, find
from agent.cli.options import iso
from agent.model.errors import StoreError


@contextmanager
def running(data: Path) -> Iterator[Agent]:
    """Raises StoreError when none runs: only a running agent knows how its alarms stand."""
    with find(data) as agent:
        if agent is None:
            raise StoreError(f"no agent runs on {data}", hint="start one with `floorgate run`, or name it with --data")
        yield agent


def path_of(device: str, name: str, what: str) -> str:
    return f"/api/v1/alarms/{quote(device, safe='')}/{quote(name, safe='')}/{what}"


def moment(ms: int | None) -> str:
    """ms UTC for people; nothing where there is none."""
    return iso(ms * 10**6) if ms is not None else ""


def said(alarm: dict[str, Any]) -> str:
    """What a person is told of an alarm that was shelved, or is not any more."""
    until = alarm["shelved_until"]
    now = f"shelved until {moment(until)}" if until is not None else "not shelved"
    return f"{alarm['device']}, {alarm['name']}: {now}; it is {'active' if alarm['active'] else 'not active'}"
