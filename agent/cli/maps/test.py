"""`floorgate maps test`"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from agent.cli import BAD_CONFIG, records, voice
from agent.cli.maps.cases import cases, judged
from agent.cli.online import online, said
from agent.cli.options import json_option
from agent.cli.shelf import devices_of, named, paths, site_of
from agent.config import Invalid, Problem, Report, load_map, load_vocabulary
from agent.model.errors import AgentError
from agent.model.text import plain
from drivers.modbus.config import PORTS
from drivers.transport import parse_endpoint


@click.command("test")
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--all", "all_of_them", is_flag=True, help="All maps that come with floorgate.")
@click.option(
    "--cases",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Golden cases: *.hex with *.yaml, or a folder of them for each map.",
)
@click.option("--endpoint", default="", help="Also read a device with the map, such as rtu:///dev/ttyUSB0?baud=9600.")
@click.option("--unit", type=click.IntRange(0, 255), help="The device's unit id.  [default: 1]")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    all_of_them: bool,
    folder: Path | None,
    endpoint: str,
    unit: int | None,
    as_json: bool,
) -> None:
    """Whether maps hold: every problem, what is doubtful, golden cases, and with --endpoint a device itself.

    Exit code 78 for a map that is wrong, 1 for a case that differs or a device that is not well.
    """
    files = [named(name) for name in names] + (paths() if all_of_them else [])
    if not files:
        raise click.UsageError("which maps? name them, or say --all")
    if unit is not None and not endpoint:
        raise click.UsageError("--unit is that of a device: --endpoint says where it is")
    rows = [_tested(file, folder, endpoint, 1 if unit is None else unit) for file in files]
    if as_json:
        records.show(rows)
    else:
        for row in rows:
            for line in _lines(row):
                voice.echo(line)
    failed = any(row["differences"] or any(each["state"] != "ok" for each in row["online"]) for row in rows)
    ctx.exit(BAD_CONFIG if any(row["problems"] for row in rows) else int(failed))


def _tested(file: Path, folder: Path | None, endpoint: str, unit: int) -> dict[str, Any]:
    report = Report(load_vocabulary())
    row: dict[str, Any] = {
        "map": file.stem,
        "file": str(file),
        "tags": 0,
        "areas": 0,
        "status": "",
        "problems": [],
        "warnings": [],
    }
    row |= {"cases": 0, "differences": [], "online": []}
    try:
        found = load_map(file, report)
    except Invalid as error:
        return row | {"problems": list(map(Problem.as_dict, error.problems))}
    row |= {"tags": len(found.tags or ()), "areas": len(found.areas), "status": found.head.status}
    row["warnings"] = [warning.as_dict() for warning in report.warnings]
    if not found.tags and endpoint:
        hint = "put a device with tags of its own into a site, and `floorgate check --online`"
        raise AgentError(f"{file.stem}: lists no tags that could be read", hint=hint)
    if found.head.driver == "modbus" and found.tags:
        if folder is not None:
            row |= _cases(file, folder)
        if endpoint:
            row["online"] = _read(file, endpoint, unit)
    elif endpoint:
        raise AgentError(
            f"{file.stem}: is for {found.head.driver}",
            hint="--endpoint reads Modbus devices; put others into a site and `floorgate check --online`",
        )
    return row


def _cases(file: Path, folder: Path) -> dict[str, Any]:
    own = folder / file.stem
    found = cases(own if own.is_dir() else folder)
    (config,) = devices_of([file]).values()
    differences = [
        {"case": case.stem, "tag": each.tag, "found": each.found, "expected": each.expected}
        for case in found
        for each in judged(config, case)
    ]
    return {"cases": len(found), "differences": differences}


def _read(file: Path, endpoint: str, unit: int) -> list[dict[str, Any]]:
    try:
        parse_endpoint(endpoint, PORTS)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--endpoint") from error
    with tempfile.TemporaryDirectory() as data:
        return [seen.row() for seen in online(site_of(file, endpoint, unit), Path(data)) if seen.kind == "device"]


def _lines(row: dict[str, Any]) -> Iterator[str]:
    if row["problems"]:
        yield f"{row['map']}: wrong"
        yield from (plain(str(Problem(**problem))) for problem in row["problems"])
        return
    counts = [f"{row['areas']} areas"] if row["areas"] else []
    counts += [f"{row['tags']} tags"] if row["tags"] or not row["areas"] else []
    counts += [row["status"], _n(row["cases"], "case")]
    counts += [_n(len(row["warnings"]), "warning")] if row["warnings"] else []
    verdict = "differs" if row["differences"] else "fine"
    yield f"{row['map']}: {verdict}: {', '.join(counts)}"
    yield from (plain("  " + Problem(**warning).said("warning")) for warning in row["warnings"])
    yield from _differences(row["differences"])
    yield from said(row["online"])


def _differences(found: Sequence[dict[str, str]]) -> Iterator[str]:
    for each in found:
        yield plain(f"  case {each['case']}: {each['tag']}: {each['found']}, and should be {each['expected']}")


def _n(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
