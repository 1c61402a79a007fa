"""`floorgate check`"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from agent import lang, registry
from agent.cli import BAD_CONFIG, blocks, forecast, records, voice
from agent.cli.budget import budgets, said
from agent.cli.options import data_option, json_option
from agent.config import Invalid, Problem, Report, is_map, load, load_map, load_vocabulary
from drivers.api import DriverConfig


@click.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--blocks", "with_blocks", is_flag=True, help="Show the requests by which Modbus devices are read.")
@click.option("--online", "is_online", is_flag=True, help="Connect to all devices and sinks, read each tag once.")
@data_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], with_blocks: bool, is_online: bool, data: Path, as_json: bool
) -> None:
    """Report every problem of each FILE, a site or a device map, and what is odd; nothing is started.

    With --online each device is connected to and each tag read once, and each sink is logged in to. Where an agent runs
    on the data directory it is asked how they are: it has the wires. Exit code 1 when something is not well.
    """
    ask = _Ask(data, with_blocks, is_online)
    problems: list[Problem] = []
    warnings: dict[Problem, None] = {}
    summaries: list[dict[str, Any]] = []
    vocabulary = load_vocabulary()
    for file in files:
        report = Report(vocabulary)
        try:
            found = _map(file, with_blocks, report) if is_map(file) else _site(file, ask, report)
            summaries.append(found)
        except Invalid as error:
            problems += error.problems
        warnings |= dict.fromkeys(report.warnings)
    if as_json:
        told = {"problems": _dicts(problems), "warnings": _dicts(warnings)}
        records.show({"ok": not problems, **told, "files": summaries})
    else:
        _say(summaries, problems, warnings)
    unwell = any(row["state"] != "ok" for found in summaries for row in found.get("online", ()))
    ctx.exit(BAD_CONFIG if problems else int(unwell))


class _Ask(NamedTuple):
    """What is wanted of a site beyond its problems."""

    data: Path
    blocks: bool
    online: bool


def _dicts(found: Iterable[Problem]) -> list[dict[str, Any]]:
    return [problem.as_dict() for problem in found]


def _site(file: Path, ask: _Ask, report: Report) -> dict[str, Any]:
    site = load(file, report=report)
    devices = [_device(device, ask.data) for device in site.devices]
    sinks = [{"name": sink.name, "type": sink.type, "enabled": sink.enabled} for sink in site.sinks]
    virtual = [{"name": each.name, "tags": len(each.derived), "oee": each.oee is not None} for each in site.virtual]
    found = {"file": str(file), "gateway": site.gateway.id, "devices": devices, "virtual": virtual, "sinks": sinks}
    found |= {"lines": budgets(site, report)}
    forecast.warn(site, ask.data, report)
    if ask.blocks:
        found["blocks"] = blocks.of_site(site)
    if ask.online:
        from agent.cli.online import online  # noqa: PLC0415  # the runtime, which a check without it does not need

        seen = online(site, ask.data)
        found |= {"online": [each.row() for each in seen]}
    return found


def _device(device: DriverConfig, data: Path) -> dict[str, Any]:
    kept = registry.kept(device, data)
    about: dict[str, Any] = {"name": device.name, "driver": device.driver, "endpoint": _public(device.endpoint)}
    about["tags"] = sum(tag.enabled for tag in kept.tags)
    patterns = {"patterns": kept.patterns, "found": kept.found, "remarks": list(kept.remarks)}
    return about | (patterns if kept.patterns else {})


def _map(file: Path, with_blocks: bool, report: Report) -> dict[str, Any]:
    found = load_map(file, report)
    device = found.head.device
    summary = {
        "file": str(file),
        "vendor": device.vendor,
        "model": device.model,
        "driver": found.head.driver,
        "tags": len(found.tags or ()),
        "areas": len(found.areas),
        "status": found.head.status,
        "sources": len(found.head.sources),
    }
    return {**summary, "blocks": blocks.of_map(found, file)} if with_blocks else summary


def _public(endpoint: str) -> str:
    """Without a password that somebody put into it."""
    return re.sub(r"//[^/]*@", "//", endpoint)


def _say(summaries: Sequence[dict[str, Any]], problems: Sequence[Problem], warnings: Collection[Problem]) -> None:
    for summary in summaries:
        for line in _lines(summary):
            voice.echo(line)
        blocks.say(summary.get("blocks", ()))
    for warning in warnings:
        voice.echo(warning.said(lang.word("warning")), err=True)
    for problem in problems:
        voice.echo(str(problem), err=True)
    if warnings:
        voice.echo(_n(len(warnings), "warning"), err=True)
    if problems:
        voice.echo(_n(len(problems), "problem"), err=True)


def _lines(summary: dict[str, Any]) -> list[str]:
    if "vendor" in summary:
        model = f"{summary['vendor']} {summary['model']}"
        known = f"{summary['status']}, {_n(summary['sources'], 'source')}"
        count = f"{summary['tags']} tags" if summary["tags"] else _n(summary["areas"], "area")
        return [f"{summary['file']}: fine: {model}, {count} for {summary['driver']}; {known}"]
    devices, virtual, sinks = summary["devices"], summary["virtual"], summary["sinks"]
    tags = sum(device["tags"] for device in devices)
    counts = [_n(len(devices), "device"), _n(tags, "tag")]
    counts += [_n(len(virtual), "virtual device")] if virtual else []
    head = f"{summary['file']}: fine: {', '.join([*counts, _n(len(sinks), 'sink')])}"
    width = max((len(device["name"]) for device in (*devices, *virtual)), default=0)
    each_device = (
        f"  {each['name']:{width}}  {each['tags']:5} tags  {each['endpoint']}{_found(each)}" for each in devices
    )
    worked_out = (
        f"  {each['name']:{width}}  {each['tags']:5} tags  virtual{', oee' if each['oee'] else ''}" for each in virtual
    )
    remarks = [f"  {each['name']}: {remark}" for each in devices for remark in each.get("remarks", ())]
    found = [head, *each_device, *worked_out, *remarks, *said(summary["lines"])]
    if "online" in summary:
        from agent.cli import online  # noqa: PLC0415  # as above

        found += ["as it is online:", *online.said(summary["online"])]
    return found


def _found(device: dict[str, Any]) -> str:
    """How many of a device's tags its patterns have found."""
    if not device.get("patterns"):
        return ""
    by = _n(device["patterns"], "pattern")
    return f"  ({device['found']:,} found by {by})" if device["found"] else f"  ({by}, nothing found yet)"


def _n(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
