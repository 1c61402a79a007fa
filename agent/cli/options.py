"""Options that several commands share."""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from agent.model import host
from agent.model.text import duration

_EPOCH = datetime.fromtimestamp(0, UTC)


def default_data() -> Path:
    return host.data_dir(os.environ, root=host.is_root())


config_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, readable=False),  # what cannot be read is said by who reads it, with exit code 78
    help="The site's configuration file.",
)
running_option = click.option(
    "-c",
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The site's configuration file. [default: the one that runs, or ran last]",
)
data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, readable=False),  # who may not read it hears what to do
    default=default_data,
    help="The data directory. [default: /var/lib/floorgate for root, else the user's state directory]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


class Moment(click.ParamType[int]):
    """A time in ns UTC, from `24h` (so long ago) or ISO 8601; without a zone it is that of this machine."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        with suppress(ValueError):
            return time.time_ns() - round(duration(value) * 1e9)
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a duration such as 24h nor a time such as 2026-11-25T08:00", param, ctx)
        return int((moment - _EPOCH) / timedelta(microseconds=1)) * 1000


def iso(ts: int) -> str:
    """ns UTC as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(ts // 10**6 / 1e3, UTC).isoformat(timespec="milliseconds")
