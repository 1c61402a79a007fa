"""The frames of a store from the first to the last, a page at a time."""

from collections.abc import Iterator

from agent.cli.access import Access
from agent.model.frame import Entry
from buffer.shelf import Opener, Page, Pick

Opened = tuple[Page, list[Entry | None]]


def forth(access: Access, pick: Pick, opener: Opener) -> Iterator[Opened]:
    """Pages in order. Raises StoreError."""
    cursor, left = 0, 1
    while left:
        page = access.page(cursor, pick)
        cursor, left = page.cursor, page.left
        yield page, opener.open(page)


def back(access: Access, pick: Pick, opener: Opener) -> Iterator[Opened]:
    """Pages from the newest on, each in order. Raises StoreError."""
    cursor, left = pick.until, 1
    while left:
        page = access.page(cursor, pick, back=True)
        cursor, left = page.cursor, page.left
        yield page, opener.open(page)
