"""How commands speak to people: in their language. What is for machines (JSON, a file) goes by `click.echo`."""

import sys
from typing import Any

import click

from agent import lang


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """`style` as click.style has it."""
    told = lang.said(str(text))
    click.echo(click.style(told, **style) if style else told, err=err, nl=nl)


def show(text: str) -> None:
    """What is in the person's language already."""
    click.echo(text)


def confirm(text: str) -> None:
    """Asks on stderr, and breaks off unless the answer is yes."""
    click.confirm(lang.said(text), abort=True, err=True)


def prompt(text: str, **options: Any) -> Any:
    return click.prompt(lang.said(text), **options)


def standalone(run: Any) -> None:
    """What click does with the outcome of a command, but its own messages are in the person's language, too."""
    try:
        code = run()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # the help page, which is in the person's language already
        sys.exit(error.exit_code)
    except click.UsageError as error:
        if error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
            help_names = error.ctx.command.get_help_option_names(error.ctx)
            echo(f"Try '{error.ctx.command_path} {max(help_names, key=len)}' for help.", err=True)
            click.echo(err=True)
        echo(f"Error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        echo(f"Error: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        echo("Aborted!", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
