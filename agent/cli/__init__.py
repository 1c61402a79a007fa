"""The commands, one per file; a command's imports load only when it is chosen."""

import errno
import io
import sys
from typing import Any

import click

from agent import __version__
from agent.cli.lazy import Lazy
from agent.model.errors import AgentError, ConfigError
from agent.model.text import plain

COMMANDS = (
    "alarms",
    "audit",
    "browse",
    "call",
    "check",
    "demo",
    "ledger",
    "pki",
    "probe",
    "read",
    "record",
    "replay",
    "run",
    "scan",
    "schema",
    "simulate",
    "store",
    "version",
    "write",
)
BAD_CONFIG = 78  # sysexits.h EX_CONFIG


class Commands(Lazy):
    """Ends every command with a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a character that it cannot show is no reason to fail
        try:
            return super().invoke(ctx)
        except AgentError as error:
            _say(str(error))
            ctx.exit(BAD_CONFIG if isinstance(error, ConfigError) else 1)
        except OSError as error:
            if error.errno == errno.EPIPE:  # click's to end quietly
                raise
            _say(f"{error.filename or ctx.invoked_subcommand}: {error.strerror or error}")
            ctx.exit(1)


def _say(error: str) -> None:
    """A line each, with nothing that would steer the terminal: a device may have had a say in it."""
    click.echo("\n".join(map(plain, f"floorgate: {error}".split("\n"))), err=True)


@click.command(
    cls=Commands, package="agent.cli", names=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="floorgate", message="%(prog)s %(version)s")
def main() -> None:
    """Reads PLCs and meters, keeps what it read on disk until the platform has it."""
