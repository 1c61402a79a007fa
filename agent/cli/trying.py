"""Waits for the end of a trial, and shows how it goes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

from agent import lang
from agent.cli import voice
from agent.cli.ask import Silent, find
from agent.model.errors import AgentError
from agent.model.text import duration_text

EVERY, PATIENCE = 1.0, 10  # seconds between two looks, and how many without an answer
Tell = Callable[[str, float], None]


def follow(data: Path, version: int, seconds: float) -> dict[str, Any]:
    """The version as the history has it when the trial is over. Ctrl-C leaves it running."""
    try:
        voice.echo(
            f"version {version} runs on trial: `floorgate confirm` within {duration_text(seconds)} keeps it, "
            "`floorgate rollback` ends it; Ctrl-C leaves it running",
            err=True,
        )
        with _shown(seconds) as tell:
            while (standing := _standing(data))["trial"]:
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


def _standing(data: Path) -> dict[str, Any]:
    """A connection each time: the server may start anew meanwhile. Raises AgentError when the agent has ended."""
    for _ in range(PATIENCE):
        with suppress(Silent), find(data) as agent:
            if agent is not None:
                return dict(agent.get("/api/v1/config"))
        Event().wait(EVERY)
    raise AgentError("the agent has ended in the trial", hint="its next start is with the last good version")


def _told(trial: dict[str, Any]) -> tuple[str, float]:
    """`devices 3/3, tags 120/121, sinks 1/1`, with what is worse, and the seconds that are left."""
    found = trial["now"]
    counts = (
        f"{lang.word(f'{kind}s')} {found[kind][0]}/{found[kind][1]}"
        for kind in ("device", "tag", "sink")
        if found[kind][1]
    )
    return ", ".join(filter(None, (*counts, trial["doubts"]))), trial["left"]


@contextmanager
def _shown(seconds: float) -> Iterator[Tell]:
    """A bar on a terminal; else a line when something changes."""
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  # loads only when there is somebody to see it
        from rich.markup import escape  # noqa: PLC0415  # as above
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415  # as above
        from rich.table import Column  # noqa: PLC0415  # as above

        columns = (
            BarColumn(),
            TextColumn("{task.fields[left]}", table_column=Column(min_width=10, no_wrap=True)),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=seconds, left="")
            yield lambda text, left: bar.update(
                task,
                description=escape(lang.said(text)),
                completed=seconds - left,
                left=lang.said(f"{left:.0f} s left"),
            )
        return
    last = ""

    def tell(text: str, left: float) -> None:
        nonlocal last
        if text != last:
            voice.echo(f"{left:.0f} s left: {text}", err=True)
        last = text

    yield tell
