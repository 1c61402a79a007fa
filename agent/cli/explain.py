"""`floorgate explain`"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from agent.cli import explained, records, voice
from agent.cli.ask import Agent, find
from agent.cli.options import data_option, json_option
from agent.config import load
from agent.config.whence import Whence, whence
from agent.config.words import did_you_mean
from agent.model.errors import StoreError

_NOBODY = "start one with `floorgate run`, name it with --data, or give the file with -c: then the tag is read once"
_OLDER = "the file has changed since the agent took it: floorgate apply"


@click.command("explain")
@click.argument("device")
@click.argument("tag")
@click.option("-c", "--config", metavar="FILE", type=click.Path(path_type=Path), help="The site's configuration file.")
@data_option
@json_option
def command(device: str, tag: str, config: Path | None, data: Path, as_json: bool) -> None:
    """Why there is (no) data of TAG: from the file to the platform, stage by stage.

    The running agent is asked. Where none runs, -c FILE has the tag read once.
    """
    with find(data) as agent:
        if agent is not None:
            row = agent.get("/api/v1/explain", device=device, tag=tag)
            config = config or _file_of(agent)
        elif config is None:
            raise StoreError(f"no agent runs on {data}", hint=_NOBODY)
        else:
            from agent.cli.lone import Lone  # noqa: PLC0415  # only who reads needs drivers

            row = Lone(load(config), data).explain(device, tag)
    if config is not None:
        _placed(row, config, whence(config, device, tag))
    if as_json:
        records.show(row)
        return
    for line in explained.lines(row, time.time()):
        voice.show(line)


def _file_of(agent: Agent) -> Path | None:
    """The file that it was started with; None where this user may not read it."""
    with suppress(StoreError, LookupError):
        file = Path(agent.get("/api/v1/config")["file"])
        return file if os.access(file, os.R_OK) else None
    return None


def _placed(row: dict[str, Any], config: Path, found: Whence) -> None:
    """What the file says of it, put to the first stage."""
    stage = row["stages"][0]
    mark = found.tag or found.device
    if mark is not None:
        stage["seen"].insert(0, ["file", f"{mark.file}:{mark.line}:{mark.column}"])
    if stage["state"] == "ok":
        return
    device, tag = row["device"], row["tag"]
    if found.off and (found.tag or found.off == "device"):
        stage["wrong"] = f"the {found.off} is not enabled: it says `enabled: false`"
        stage["hint"] = "take that out, and apply the file" if row["by"] == "agent" else "take that out"
    elif found.device is None and found.devices:
        stage["wrong"] = f"{config} has no device {device!r}"
        stage["hint"] = did_you_mean(device, found.devices)
    elif found.device is not None and found.tag is None:
        stage["wrong"] = f"device {device!r} has no tag {tag!r} in {config}"
        stage["hint"] = did_you_mean(tag, found.tags) or stage["hint"]
    elif found.tag is not None and row["by"] == "agent":
        stage["hint"] = _OLDER
    if row["verdict"] is not None and row["verdict"]["stage"] == stage["stage"]:
        row["verdict"] = stage
