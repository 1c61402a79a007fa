"""A group of commands, one per file, of which only the one that is chosen is loaded."""

from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click


class Lazy(click.Group):
    """`NAME` is `command` of the module `NAME` in `package`; a word of Python gets an underscore."""

    def __init__(self, *args: Any, package: str, names: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package, self._names = package, sorted(names)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._names

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._names:
            return None
        module = f"{name}_" if iskeyword(name) else name
        command = import_module(f"{self._package}.{module}").command
        assert isinstance(command, click.Command)
        return command
