"""The commands, one per file; a command's imports load only when it is chosen."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from agent import __version__, lang
from agent.cli import voice
from agent.cli.lazy import Lazy
from agent.model.errors import AgentError, ConfigError, Forbidden, Newer
from agent.model.text import plain

COMMANDS = (
    "alarms",
    "apply",
    "audit",
    "backup",
    "browse",
    "call",
    "check",
    "commission",
    "confirm",
    "demo",
    "explain",
    "export",
    "health",
    "history",
    "import",
    "init",
    "ledger",
    "log",
    "maps",
    "pki",
    "plan",
    "probe",
    "read",
    "record",
    "replay",
    "restore",
    "rollback",
    "run",
    "scan",
    "schema",
    "simulate",
    "store",
    "support",
    "version",
    "watch",
    "write",
)
BAD_CONFIG = 78  # sysexits.h EX_CONFIG: a person is needed, and to start it again and again does not help


class Commands(Lazy):
    """Ends every command with a message and an exit code, in the language of whoever reads it."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        _have_streams()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a character that it cannot show is no reason to fail
        given = sys.argv[1:] if args is None else list(args)
        encodings = [stream.encoding for stream in (sys.stdout, sys.stderr)]
        with lang.speaking(lang.chosen(given, os.environ, encodings)):
            run = partial(super().main, given, *more)
            if lang.foreign() and extra.get("standalone_mode", True):
                voice.standalone(partial(run, **{**extra, "standalone_mode": False}))
            return run(**extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AgentError as error:
            _say(str(error))
            ctx.exit(BAD_CONFIG if isinstance(error, ConfigError | Newer | Forbidden) else 1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # click's to end quietly
                raise
            _say(f"{error.filename or ctx.invoked_subcommand}: {error.strerror or error}")
            ctx.exit(1)


def _have_streams() -> None:
    """`>&-` leaves none, and what is said then is said to nobody."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the end


def _say(error: str) -> None:
    """A line each, with nothing that would steer the terminal: a device may have had a say in it."""
    click.echo("\n".join(map(plain, lang.said(f"floorgate: {error}").split("\n"))), err=True)


@click.command(
    cls=Commands, package="agent.cli", names=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--lang",
    type=click.Choice(lang.LANGUAGES),
    expose_value=False,
    is_eager=True,
    help="The language of texts for people; also FLOORGATE_LANG. [default: by the locale]",
)
@click.version_option(__version__, prog_name="floorgate", message="%(prog)s %(version)s")
def main() -> None:
    """Reads PLCs and meters, keeps what it read on disk until the platform has it."""
