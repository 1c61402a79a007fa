"""What `floorgate watch` shows: a picture that fits the terminal, one table, or a line for each change."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.cli import tables, voice
from agent.cli.watching import Asked
from agent.model.figures import figure, moment, span
from agent.model.text import plain

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

Row = dict[str, Any]
NARROW, USUAL, WIDE = 60, 80, 100  # columns of a terminal: below them there is room for less
HEAD = 4  # lines of a picture besides its tables
TABLE = 3  # lines of a table besides its rows
_SHORTEST, _WIDEST = 4, 10_000  # columns of a name that is cut, and of what is not
LEAST, MOST_PARTS = 3, 8  # rows for tags at least; lines, devices and sinks that are shown at most, each


@dataclass(slots=True)
class Rates:
    """Frames per second that each sink has confirmed between two answers."""

    known: dict[str, float] = field(default_factory=dict)
    _before: dict[str, tuple[float, int]] = field(default_factory=dict)

    def saw(self, answer: Row) -> None:
        at = answer["ts"] / 1e3
        for sink in answer["sinks"]:
            then, frames = self._before.get(sink["name"], (at, sink["frames"]))
            if at > then:
                self.known[sink["name"]] = max(0.0, (sink["frames"] - frames) / (at - then))
            self._before[sink["name"]] = at, sink["frames"]


class Screen:
    """What a terminal shows: the last answer, and whether nobody answers just now."""

    def __init__(self, asked: Asked) -> None:
        self._asked, self._rates = asked, Rates()
        self._answer: Row | None = None
        self._waiting = ""

    def saw(self, answer: Row | None, waiting: str) -> None:
        """`waiting` is what to say where there is none."""
        self._waiting = "" if answer else waiting
        if answer is not None:
            self._answer = answer
            self._rates.saw(answer)

    def room(self, height: int) -> int:
        """How many tags fit into a terminal of that height, above what else there is to show."""
        left = height - HEAD - TABLE
        for kind in ("lines", "devices", "sinks"):
            count = len(self._answer[kind]) if self._answer else 0
            left -= min(count, MOST_PARTS) + TABLE if count else 0
        return max(LEAST, left)

    def picture(self, width: int, height: int) -> "Group":
        """All tables below each other."""
        from rich.console import Group  # noqa: PLC0415  # loads only when there is a picture
        from rich.text import Text  # noqa: PLC0415  # as above

        parts: list[Any] = [Text(self._waiting, "bold yellow")] if self._waiting else []
        if self._answer is not None:
            rows = self.room(height)
            head = tables.cell(headline(self._answer, self._asked, rows), "bold")
            head.truncate(width, overflow="ellipsis")
            parts.append(head)
            parts += [_tags(self._answer["tags"][:rows], width), *_others(self._answer, self._rates, width)]
        return Group(*parts)


def show(answer: Row, asked: Asked) -> None:
    """Once, as wide as it needs."""
    voice.echo(plain(headline(answer, asked, len(answer["tags"]) or 1)))
    for table in (_tags(answer["tags"], _WIDEST), *_others(answer, Rates(), _WIDEST)):
        voice.echo("")
        tables.show(table)


def headline(answer: Row, asked: Asked, rows: int) -> str:
    """What is shown, and where the rest is."""
    of = "not good, " if asked.bad else ""
    said = f"{answer['gateway']}  {moment(answer['ts'] * 10**6)}  {answer['total']:,} tags, {of}"
    shown = len(answer["tags"][:rows])
    if shown == answer["total"]:
        return said.removesuffix(", ")
    pages = max(1, -(-answer["total"] // rows)) if shown or asked.page == 1 else asked.page
    return f"{said}page {asked.page} of {pages}: --page, or DEVICE/TAG with * chooses"


def _tags(rows: Sequence[Row], width: int) -> "Table":
    usual = {"unit": "left", "age": "right"} if width >= NARROW else {}
    more = ({"raw": "left"} if width >= USUAL else {}) | ({"group": "left"} if width >= WIDE else {})
    table = tables.table(tag="left", value="right", **usual, quality="left", **more)
    for row in rows:
        cells = [f"{row['device']}/{row['tag']}", figure(row["value"], row["dtype"])]
        cells += [row["unit"], age(row["age"])] if usual else []
        cells.append(row["quality"])
        cells += [row[name] for name in more]
        table.add_row(*(tables.cell(text, "red" if row["quality"] != "good" else "") for text in cells))
    return fitted(table, width)


def age(seconds: float | None) -> str:
    return "never" if seconds is None else span(seconds)


def _others(answer: Row, rates: Rates, width: int) -> "Iterator[Table]":
    if answer["lines"]:
        yield _lines(answer["lines"], width)
    if answer["devices"]:
        yield _devices(answer, width)
    if answer["sinks"]:
        yield _sinks(answer["sinks"], rates, width)


def _most(rows: Sequence[Row], width: int) -> Sequence[Row]:
    """Those that are not well first, where there are more than fit."""
    ill = sorted(rows, key=lambda row: row["state"] == "up" and not row.get("dead") and not row.get("overloaded"))
    return ill[:MOST_PARTS] if width < _WIDEST and len(rows) > MOST_PARTS else rows


def _lines(rows: Sequence[Row], width: int) -> "Table":
    wide = {"overloaded": "left"} if width >= WIDE else {}
    table = tables.table(line="left", state="left", busy="right", late="right", dead="right", **wide)
    for row in _most(rows, width):
        dead = f"{len(row['dead'])} of {row['devices']}"
        cells = [row["name"], row["state"], f"{row['utilisation']:.1%}", f"{row['late']:,}", dead]
        cells += ["yes" if row["overloaded"] else ""] if wide else []
        style = "red" if row["state"] != "up" else "yellow" if row["dead"] or row["overloaded"] else ""
        table.add_row(*(tables.cell(text, style) for text in cells))
    return fitted(table, width)


def _devices(answer: Row, width: int) -> "Table":
    wide = {"error": "left"} if width >= WIDE else {}
    table = tables.table(device="left", state="left", breaker="left", asked_in="right", **wide)
    for row in _most(answer["devices"], width):
        probe = "" if row["probe"] is None else span(row["probe"])
        cells = [row["name"], row["state"], row["breaker"], probe, *([row["error"]] if wide else [])]
        table.add_row(*(tables.cell(text, "red") for text in cells))
    return fitted(table, width, -1 if wide else 0)


def _sinks(rows: Sequence[Row], rates: Rates, width: int) -> "Table":
    usual = {"per_second": "right"} if rates.known else {}
    wide = {"error": "left"} if width >= WIDE else {}
    table = tables.table(sink="left", state="left", owed="right", **usual, confirmed="right", **wide)
    for row in _most(rows, width):
        owed = "?" if row["owed"] is None else f"{row['owed']:,}"
        cells = [row["name"], row["state"], owed]
        cells += [f"{rates.known.get(row['name'], 0.0):.1f}"] if usual else []
        cells += ["never" if row["confirmed"] is None else f"{span(row['confirmed'])} ago"]
        cells += [row["error"]] if wide else []
        table.add_row(*(tables.cell(text, "red" if row["state"] != "up" else "") for text in cells))
    return fitted(table, width, -1 if wide else 0)


def fitted(table: "Table", width: int, gives: int = 0) -> "Table":
    """No wider than that: one column, of names or of errors, gives way, for a number that is cut is a wrong number."""
    from rich.console import Console  # noqa: PLC0415  # loads only when a table is shown

    console = Console(width=_WIDEST)
    over = console.measure(table).maximum - width
    if over > 0:
        column = table.columns[gives]
        longest = max((console.measure(cell).maximum for cell in column.cells), default=0)
        column.max_width, column.overflow = max(_SHORTEST, longest - over), "ellipsis"
    return table


class Changes:
    """A line for each tag that has something new, and for each part whose state is another."""

    def __init__(self) -> None:
        self._tags: dict[tuple[str, str], tuple[object, ...]] = {}
        self._parts: dict[tuple[str, str], str] = {}
        self._is_gone = False

    def lines(self, answer: Row) -> Iterator[str]:
        self._is_gone = False
        at = moment(answer["ts"] * 10**6)
        for row in answer["tags"]:
            said = row["value"], row["quality"], row["raw"]
            key = row["device"], row["tag"]
            if self._tags.get(key) != said:
                self._tags[key] = said
                value = f"{figure(row['value'], row['dtype'])} {row['unit']}".strip() or "-"
                yield plain(f"{at}  {row['device']}/{row['tag']}  {value}  {row['quality']}  {row['raw']}").rstrip()
        for kind, rows in (("line", answer["lines"]), ("sink", answer["sinks"])):
            for row in rows:
                if self._parts.get((kind, row["name"])) != row["state"]:
                    self._parts[kind, row["name"]] = row["state"]
                    yield plain(f"{at}  {kind} {row['name']}  {row['state']}  {row.get('error', '')}").rstrip()

    def gone(self, waiting: str) -> Iterator[str]:
        """Once each time."""
        if not self._is_gone:
            self._is_gone = True
            yield f"{moment(time.time_ns())}  {waiting}"
