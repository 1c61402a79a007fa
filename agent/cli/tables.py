"""Tables for people: as wide as their figures need, for a number that is cut is a wrong number."""

from typing import TYPE_CHECKING

from agent import lang
from agent.model.text import plain

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_WIDEST = 10_000  # characters


def table(title: str = "", **columns: str) -> "Table":
    """An empty one; columns by name, `left` or `right`; an underscore in a name is shown as a space."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  # loads only when a table is shown
    from rich.table import Table  # noqa: PLC0415  # as above

    made = Table(
        title=lang.said(lang.column(title)),
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name, side in columns.items():
        made.add_column(
            lang.column(name.replace("_", " ")), justify="right" if side == "right" else "left", no_wrap=True
        )
    return made


def cell(text: object, style: str = "") -> "Text":
    """A name may hold brackets, which mean something to rich, and what would steer the terminal."""
    from rich.text import Text  # noqa: PLC0415  # as above

    return Text(plain(lang.said(str(text))), style)


def show(table: "Table") -> None:
    from rich.console import Console  # noqa: PLC0415  # as above

    console = Console()
    needed = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    console.width = max(console.width, needed)
    console.print(table, soft_wrap=True)
