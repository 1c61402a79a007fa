"""A place for a store, and a clock that stands still until the test moves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.buffer.builders import OPENED, Hands


@pytest.fixture(autouse=True)
def shut() -> Iterator[None]:
    """Close what a test has left open, as if its process had ended."""
    yield
    while OPENED:
        OPENED.pop().abandon()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture
def hands() -> Hands:
    return Hands()
