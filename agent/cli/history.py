"""`floorgate history`"""

from dataclasses import asdict
from pathlib import Path

import click

from agent import lang
from agent.cli import records, voice
from agent.cli.options import data_option, iso, json_option
from agent.cli.tables import cell, show, table
from agent.runtime.history import History, State, Version

_STYLES = {"reverted": "red", "trial": "yellow", "kept": "dim"}


@click.command("history")
@data_option
@json_option
def command(data: Path, as_json: bool) -> None:
    """List the last versions of the configuration: when and why each ran, whether it is good, what it changed."""
    state = History(data).state()
    if as_json:
        rows = [{**asdict(each), "floorgate": state.programs.get(each.n, "")} for each in state.versions]
        records.show({"running": state.running, "good": state.good, "versions": rows})
    elif not state.versions:
        voice.echo(f"no version has run on {data} yet")
    else:
        _show(state)


def _show(state: State) -> None:
    rows = table(version="right", when="left", floorgate="left", why="left", outcome="left", changes="left")
    for each in reversed(state.versions):
        runs = "current" if each.n == state.running and each.outcome == "good" else each.outcome
        why = f"{each.why} by {each.who}" if each.who else each.why
        style = "green" if runs == "current" else _STYLES.get(each.outcome, "")
        rows.add_row(
            cell(each.n),
            cell(iso(each.at * 10**6)[:19] + "Z"),
            cell(state.programs.get(each.n, "")),
            cell(lang.word(why)),
            cell(lang.word(runs), style),
            cell(_changes(each)),
        )
    show(rows)


def _changes(each: Version) -> str:
    return f"{each.text}; {each.reason}" if each.text and each.reason else each.text or each.reason
