"""The fault table: a row breaks something so many times, and says what must hold and what was seen."""

import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Seen:
    """What a row found: each figure stands beside its bar."""

    folder: Path  # of the row alone, empty at first
    runs: int
    hurried: bool = False
    figures: list[tuple[str, float, str, float]] = field(default_factory=list)  # what, seen, "≤" or "≥", bar

    def lasts(self, seconds: float, hurried: float) -> float:
        """How long something goes on; `hurried` in a run for `make test`."""
        return hurried if self.hurried else seconds

    def most(self, what: str, seen: float, bar: float) -> None:
        self.figures.append((what, seen, "≤", bar))

    def least(self, what: str, seen: float, bar: float) -> None:
        self.figures.append((what, seen, "≥", bar))

    def none(self, what: str, seen: float) -> None:
        self.most(what, seen, 0)

    @property
    def misses(self) -> list[str]:
        return [
            f"{what}: {seen:,.4g}, not {sign} {bar:,.4g}"
            for what, seen, sign, bar in self.figures
            if not (seen <= bar if sign == "≤" else seen >= bar)
        ]

    @property
    def passes(self) -> str:
        return ", ".join(f"{what} {'' if bar == 0 else sign + ' '}{_text(bar)}" for what, _, sign, bar in self.figures)

    @property
    def values(self) -> str:
        return ", ".join(_text(seen) for _, seen, _, _ in self.figures)

    def folder_of(self, run: int) -> Path:
        """A fresh folder for one run."""
        path = self.folder / str(run)
        path.mkdir()
        return path


@dataclass(frozen=True)
class Row:
    """`number` is the row of the fault matrix, `runs` and `short` how often it is done, and how often in a hurry."""

    number: str
    title: str
    runs: int
    short: int
    act: Callable[[Seen], None]
    needs: str  # "", "mounts" of its own, or "root" for loop devices and networks too

    def __call__(self, folder: Path, runs: int) -> Seen:
        seen = Seen(folder, runs, hurried=runs < self.runs)
        self.act(seen)
        assert seen.figures, f"{self.title}: nothing was measured"
        return seen

    @property
    def name(self) -> str:
        return self.act.__name__

    @property
    def file(self) -> str:
        return self.act.__module__.split(".")[-1]

    @property
    def possible(self) -> bool:
        """Whether this user may break things in this way, on this machine."""
        return not self.needs or _able(self.needs)


ROWS: list[Row] = []


def alone() -> list[str]:
    """What runs a command with mounts of its own, which end with it: for root, and where users may have them.

    It keeps what is mounted when it begins, so no row that unmounts a disk may run meanwhile.
    """
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]


@cache
def _able(needs: str) -> bool:
    command = [*alone(), *(["--net"] if needs == "root" else []), "mount", "-t", "tmpfs", "none", "/mnt"]
    loops = needs != "root" or (os.geteuid() == 0 and Path("/dev/loop-control").exists())
    return loops and subprocess.run(command, check=False, capture_output=True).returncode == 0


def row(
    number: str, title: str, *, runs: int, short: int, needs: str = ""
) -> Callable[[Callable[[Seen], None]], Callable[[Seen], None]]:
    """Enter a function into the table."""

    def enter(act: Callable[[Seen], None]) -> Callable[[Seen], None]:
        ROWS.append(Row(number, title, runs, short, act, needs))
        return act

    return enter


def attempt(each: Row, *, short: bool = False) -> Seen | str:
    """One row; what it could not do is said in a line, with the traceback on stderr."""
    if not each.possible:
        return f"not run: needs {each.needs}"
    with tempfile.TemporaryDirectory(prefix=f"floorgate-{each.name}-", ignore_cleanup_errors=True) as folder:
        try:
            return each(Path(folder), each.short if short else each.runs)
        except Exception as error:  # noqa: BLE001  # one row that breaks down must not hide the others
            traceback.print_exc()
            return f"broke down: {type(error).__name__}"


def attempts(rows: Sequence[Row], *, short: bool = False, at_once: int = 1) -> Iterator[tuple[Row, Seen | str]]:
    """Row by row, so many at once, with progress on stderr."""

    def one(number: int) -> tuple[Row, Seen | str]:
        each, began = rows[number], time.monotonic()
        title = f"[{number + 1}/{len(rows)}] {each.title} …"
        if at_once == 1:
            print(title, end=" ", file=sys.stderr, flush=True)
        seen = attempt(each, short=short)
        verdict = seen if isinstance(seen, str) else "; ".join(seen.misses) or "ok"
        said = f"{verdict} ({time.monotonic() - began:.0f} s)"
        print(said if at_once == 1 else f"{title} {said}", file=sys.stderr, flush=True)
        return each, seen

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(one, range(len(rows)))


def markdown(lines: Iterable[tuple[Row, Seen | str]], head: str = "fault") -> str:
    """The table as it stands in the README; a row that could not be finished says why."""
    text = [f"| {head} | runs | must hold | seen | |", "|---|---|---|---|---|"]
    for each, seen in lines:
        if isinstance(seen, str):
            text.append(f"| {each.title} | {each.runs} | | {seen} | MISS |")
        else:
            verdict = "MISS" if seen.misses else "ok"
            text.append(f"| {each.title} | {seen.runs} | {seen.passes} | {seen.values} | {verdict} |")
    return "\n".join(text)


def _text(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:,.3g}"
