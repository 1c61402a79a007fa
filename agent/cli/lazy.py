"""A group of commands, one per file, of which only the one that is chosen is loaded."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from keyword import iskeyword
from types import CodeType
from typing import Any

import click

from agent import lang
from agent.cli import pages


class Lazy(click.Group):
    """`NAME` is the function `command` of the module `NAME` in `package`; a word of Python gets an underscore."""

    context_class = pages.Context

    def __init__(self, *args: Any, package: str, names: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package, self._names = package, sorted(names)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._names

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._names:
            return None
        command = import_module(self._module(name)).command
        assert isinstance(command, click.Command)
        command.context_class = pages.Context
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Nothing is loaded for it."""
        if lang.foreign():
            with formatter.section("Commands"):
                formatter.write_dl([(name, pages.summary(self.help_of(name))) for name in self._names])
        else:
            listed = {name: click.Command(name, help=self.help_of(name)) for name in self._names}
            click.Group(commands=listed).format_commands(ctx, formatter)

    def help_of(self, name: str) -> str:
        """The docstring of the function, out of the compiled module."""
        spec = find_spec(self._module(name))
        code = spec and spec.loader and spec.loader.get_code(spec.name)  # type: ignore[attr-defined]  # InspectLoader's
        made = code.co_consts if code else ()
        consts = next((each.co_consts for each in made if isinstance(each, CodeType) and each.co_name == "command"), ())
        return cleandoc(consts[0]) if consts and isinstance(consts[0], str) else ""

    def _module(self, name: str) -> str:
        return f"{self._package}.{name}_" if iskeyword(name) else f"{self._package}.{name}"
