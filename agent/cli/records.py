"""What a command prints with `--json`: JSON and nothing else, whatever a device holds."""

import json
import math
import sys
from typing import Any

import click


def show(rows: Any) -> None:
    click.echo(dumped(rows, sys.stdout.encoding))


def dumped(rows: Any, encoding: str = "utf-8") -> str:
    """Numbers that JSON does not have go by their names (`"nan"`), text that the terminal cannot show is spelt out."""
    known = _known(rows)
    text = json.dumps(known, ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(known)
    return text


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
