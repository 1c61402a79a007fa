"""A file that is there when it is whole, and not before."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from agent.model.errors import AgentError


@contextmanager
def draft(path: Path) -> Iterator[BinaryIO]:
    """Written beside `path`, and given its name at the end; `-` and what is no file is written at once.

    Raises AgentError.
    """
    try:
        if str(path) == "-":
            yield sys.stdout.buffer
        elif path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
        else:
            with _beside(path) as file:
                yield file
    except OSError as error:
        raise AgentError(f"{path}: cannot be written: {error.strerror}", hint="is there room?") from error


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    made = path.with_name(f"{path.name}.part")
    try:
        with made.open("wb") as file:
            yield file
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
