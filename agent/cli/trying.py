"""Waits for the end of a trial, and shows how it goes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from agent.cli import voice
from agent.cli.ask import Agent
from agent.model.errors import AgentError
from agent.model.text import duration_text

EVERY = 1.0  # seconds between two looks
Tell = Callable[[str, float], None]


def follow(agent: Agent, version: int, seconds: float) -> dict[str, Any]:
    """The version as the history has it when the trial is over. Ctrl-C leaves it running."""
    voice.echo(
        f"version {version} runs on trial: `floorgate confirm` within {duration_text(seconds)} keeps it, "
        "`floorgate rollback` ends it; Ctrl-C leaves it running",
        err=True,
    )
    try:
        with _shown(seconds) as tell:
            while (standing := agent.get("/api/v1/config"))["trial"]:
                tell(*_told(standing["trial"]))
                Event().wait(EVERY)  # which Ctrl-C ends
    except KeyboardInterrupt:
        raise AgentError(
            f"the trial of version {version} goes on", hint="`floorgate confirm` keeps it, else it reverts by itself"
        ) from None
    ended: dict[str, Any] = next(each for each in standing["versions"] if each["n"] == version)
    if ended["outcome"] == "good":
        voice.echo(f"version {version} was confirmed and stays", err=True)
    else:
        voice.echo(f"version {version} was reverted: {ended['reason']}; version {standing['running']} runs", err=True)
    return ended


def _told(trial: dict[str, Any]) -> tuple[str, float]:
    """`devices 3/3, tags 120/121, sinks 1/1`, with what is worse, and the seconds that are left."""
    found = trial["now"]
    counts = (f"{kind}s {found[kind][0]}/{found[kind][1]}" for kind in ("device", "tag", "sink") if found[kind][1])
    return ", ".join(filter(None, (*counts, trial["doubts"]))), trial["left"]


@contextmanager
def _shown(seconds: float) -> Iterator[Tell]:
    """A bar on a terminal; else a line when something changes."""
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  # loads only when there is somebody to see it
        from rich.markup import escape  # noqa: PLC0415  # as above
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415  # as above

        columns = BarColumn(), TextColumn("{task.fields[left]} left"), TextColumn("{task.description}")
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=seconds, left="")
            yield lambda text, left: bar.update(
                task, description=escape(text), completed=seconds - left, left=f"{left:.0f} s"
            )
        return
    last = ""

    def tell(text: str, left: float) -> None:
        nonlocal last
        if text != last:
            voice.echo(f"{left:.0f} s left: {text}", err=True)
        last = text

    yield tell
