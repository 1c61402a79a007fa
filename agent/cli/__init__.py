"""The commands, one per file; a command's imports load only when it is chosen."""

from typing import Any

import click

from agent import __version__
from agent.cli.lazy import Lazy
from agent.model.errors import AgentError, ConfigError

COMMANDS = (
    "audit",
    "browse",
    "call",
    "check",
    "demo",
    "ledger",
    "pki",
    "probe",
    "read",
    "run",
    "scan",
    "schema",
    "store",
    "version",
    "write",
)
BAD_CONFIG = 78  # sysexits.h EX_CONFIG


class Commands(Lazy):
    """Ends every command with a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            click.echo(f"floorgate: {error}", err=True)
            ctx.exit(BAD_CONFIG)
        except AgentError as error:
            click.echo(f"floorgate: {error}", err=True)
            ctx.exit(1)


@click.command(
    cls=Commands, package="agent.cli", names=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="floorgate", message="%(prog)s %(version)s")
def main() -> None:
    """Reads PLCs and meters, keeps what it read on disk until the platform has it."""
