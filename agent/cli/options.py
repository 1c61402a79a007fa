"""Options that several commands share."""

import os
from collections.abc import Mapping
from pathlib import Path

import click


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0  # not on Windows


def default_data() -> Path:
    return data_of(os.environ, root=is_root())


def data_of(environ: Mapping[str, str], *, root: bool) -> Path:
    """`/var/lib/floorgate` for root, the user's state directory otherwise (XDG base directories)."""
    if root:
        return Path("/var/lib/floorgate")
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "floorgate"


config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="The site's configuration file.",
)
data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data,
    help="The data directory. [default: /var/lib/floorgate for root, else the user's state directory]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
