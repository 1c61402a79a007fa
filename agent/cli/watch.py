"""`floorgate watch`"""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from agent.cli import records, voice, watched
from agent.cli.options import data_option, json_option
from agent.cli.watching import MOST, Asked, Source, source
from agent.model.errors import AgentError, StoreError

EVERY = 1.0  # seconds between two questions
WAITING = "no agent answers: waiting for one"


@click.command("watch")
@click.argument("patterns", nargs=-1, metavar="[DEVICE]...")
@click.option(
    "-c", "--config", metavar="FILE", type=click.Path(path_type=Path), help="Read FILE's devices if no agent runs."
)
@click.option("--bad", is_flag=True, help="Only tags that are not good.")
@click.option("--page", type=click.IntRange(1), default=1, help="Which part of many tags. [default: 1]")
@click.option("--once", is_flag=True, help="Show it once, and end.")
@data_option
@json_option
def command(
    patterns: tuple[str, ...], config: Path | None, bad: bool, page: int, once: bool, data: Path, as_json: bool
) -> None:
    """Live values with age, quality and raw words; lines and sinks. Ctrl-C ends it.

    DEVICE may be a pattern, such as meter-*, or name tags, too: meter-*/voltage_*. Without one all are shown. On a
    terminal it is a picture that is drawn anew each second, elsewhere a line for each change; with --json an object on
    a line of its own each second.
    """
    asked = Asked(patterns, bad, page)
    with source(data, config) as found:
        try:
            if once:
                _once(found, asked, as_json=as_json)
            else:
                _on_and_on(found, asked, as_json=as_json)
        except KeyboardInterrupt:
            return


def _once(found: Source, asked: Asked, *, as_json: bool) -> None:
    answer = found.ask(asked, MOST)
    if asked.patterns and not asked.bad and not answer["total"]:
        raise AgentError(f"no tag fits {', '.join(asked.patterns)}", hint="`floorgate watch --once` shows all of them")
    if as_json:
        records.show(answer)
    else:
        watched.show(answer, asked)


def _on_and_on(found: Source, asked: Asked, *, as_json: bool) -> None:
    if as_json:
        for answer in _answers(found, asked):
            records.show(answer or {"waiting": WAITING})
            sys.stdout.flush()
    elif sys.stdout.isatty():
        _draw(found, asked)
    else:
        changes = watched.Changes()
        for answer in _answers(found, asked):
            for line in changes.lines(answer) if answer else changes.gone(WAITING):
                voice.echo(line)
            sys.stdout.flush()


def _draw(found: Source, asked: Asked) -> None:
    """A picture that fits the terminal, whatever its size is just now."""
    from rich.console import Console  # noqa: PLC0415  # loads only when there is a picture
    from rich.live import Live  # noqa: PLC0415  # as above

    console, screen = Console(), watched.Screen(asked)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        for answer in _answers(found, asked, lambda: screen.room(console.size.height)):
            screen.saw(answer, WAITING)
            live.update(screen.picture(*console.size), refresh=True)


def _answers(found: Source, asked: Asked, room: Callable[[], int] = lambda: MOST) -> Iterator[dict[str, Any] | None]:
    """An answer about once a second, for ever; None while nobody answers. `room` is for how many tags there is."""
    pause = threading.Event()
    while True:
        try:
            yield found.ask(asked, room())
        except StoreError:
            yield None
        pause.wait(EVERY)
