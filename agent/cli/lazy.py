"""A group of commands, one per file, of which only the one that is chosen is loaded."""

import gc
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from inspect import cleandoc
from keyword import iskeyword
from types import CodeType
from typing import Any

import click

from agent.cli.pages import Context, Group


class Lazy(Group):
    """`NAME` is the function `command` of the module `NAME` in `package`; a word of Python gets an underscore."""

    def __init__(self, *args: Any, package: str, names: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._package, self._names = package, sorted(names)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._names

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._names:
            return None
        gc.disable()  # what is loaded stays, and to look through it again and again takes a tenth of the time
        try:
            command = import_module(self.module_of(name)).command
            gc.freeze()
        finally:
            gc.enable()
        assert isinstance(command, click.Command)
        command.context_class = Context
        return command

    def help_of(self, name: str) -> str:
        """The docstring of the function, out of the compiled module: nothing is loaded for it."""
        spec = find_spec(self.module_of(name))
        code = spec and spec.loader and spec.loader.get_code(spec.name)  # type: ignore[attr-defined]  # InspectLoader's
        made = code.co_consts if code else ()
        consts = next((each.co_consts for each in made if isinstance(each, CodeType) and each.co_name == "command"), ())
        return cleandoc(consts[0]) if consts and isinstance(consts[0], str) else ""

    def module_of(self, name: str) -> str:
        return f"{self._package}.{name}_" if iskeyword(name) else f"{self._package}.{name}"
