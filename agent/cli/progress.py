"""How far a long command has come, on stderr and for a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agent import lang


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar while the block runs; call what it gives with how much is done. Without a total it only shows life."""
    if not sys.stderr.isatty():
        yield _to_nobody
        return
    from rich.console import Console  # noqa: PLC0415  # loads only when there is somebody to see it
    from rich.progress import Progress  # noqa: PLC0415  # as above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(lang.column(what), total=total)
        yield lambda done: bar.update(task, completed=done)


def _to_nobody(done: int) -> None:
    pass
