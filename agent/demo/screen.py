"""What a person sees: a live table on a terminal, plain lines anywhere else."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.demo.site import DEVICES, TAGS, PlantTag
from agent.demo.story import Scene
from agent.demo.tally import Tally, Value

SHOWN = 3  # tags per device
REMEMBERED = 6  # lines of narration under the table
Say = Callable[[str], str]  # into the language of whoever looks


class Screen:
    """Tells the story. `draw` costs nothing when the output is not a terminal."""

    def __init__(self, console: Console, said: Say = str) -> None:
        self._console, self._said = console, said
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._lines: list[Text] = []
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, words: str) -> None:
        """One line of narration, with the time since the start."""
        line = Text(
            f"{time.monotonic() - self._started:5.1f} s  {self._said(words)}", no_wrap=True, overflow="ellipsis"
        )
        self._lines.append(line)
        if self._live is None:
            self._console.print(line, soft_wrap=True)

    def draw(self, tally: Tally, scene: Scene, now: float) -> None:
        """Show the latest values; `now` is seconds since 1970 UTC."""
        if self._live:
            parts = (
                table(tally, scene, now, self._said),
                _uplink(tally, scene, self._said),
                ProgressBar(total=1.0, completed=scene.done),
            )
            self._live.update(Group(*parts, *self._lines[-REMEMBERED:]), refresh=True)


def table(tally: Tally, scene: Scene, now: float, said: Say = str) -> Table:
    """What the platform knows of each device."""
    drawn = Table(title=said("What the platform has"), title_justify="left", expand=True, box=box.SIMPLE_HEAD)
    drawn.add_column(said("device"))
    drawn.add_column(said("latest values"), ratio=1, no_wrap=True)
    drawn.add_column(said("age"), justify="right", min_width=6)
    drawn.add_column(said("quality"), min_width=8)
    drawn.add_column(said("frames"), justify="right", min_width=6)
    for device in DEVICES:
        newest = tally.newest.get(device)
        state = "dead" if device in scene.dead else "up"
        drawn.add_row(
            Text.assemble(device, "\n", (state, "bold red" if state == "dead" else "green")),
            "\n".join(_line(tag, tally.values.get(device, {})) for tag in TAGS[device][:SHOWN]),
            f"{max(0.0, now - newest.ts / 1000):.1f} s" if newest else "",
            Text(newest.trust, "green" if newest.trust == "good" else "yellow") if newest else "",
            f"{tally.frames[device]:,}",
        )
    return drawn


def _line(tag: PlantTag, values: dict[str, Value]) -> str:
    value = values.get(tag.name)
    shown = "-" if value is None else f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    return f"{tag.name:20}{shown:>12} {tag.unit}"


def _uplink(tally: Tally, scene: Scene, said: Say) -> Text:
    state = ("cut", "bold red") if scene.cut else ("up", "green")
    arrived = said(f"{tally.total:,} frames arrived, {tally.history:,} of them from the disk")
    return Text.assemble(said("uplink"), " ", state, f"   {arrived}")
