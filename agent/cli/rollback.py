"""`floorgate rollback`"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent import __version__
from agent.cli import records, voice
from agent.cli.agree import agree
from agent.cli.ask import Agent, find
from agent.cli.compared import Compared, compare, said, who
from agent.cli.options import data_option, json_option
from agent.cli.putback import Restoring, restoring
from agent.cli.standing import changed
from agent.config import Invalid
from agent.model.errors import AgentError, ConfigError
from agent.runtime.history import History, State, Version
from agent.runtime.history_files import Taken, digest_of


@click.command("rollback")
@click.argument("number", metavar="[N]", required=False, type=click.IntRange(1))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@data_option
@json_option
def command(number: int | None, yes: bool, data: Path, as_json: bool) -> None:
    """Go back to version N of the history; without N to the one before. See `floorgate history`.

    Its files are put back where they stood, so that the next start finds them; what stood there is kept in the history.
    The agent that runs goes over to them at once. A trial ends.
    """
    history = History(data)
    state = history.state()
    version = _wanted(state, number)
    content = history.content(version.n)
    files = restoring(Path(version.file), content)
    running, trouble = history.content(state.running) if state.running else None, files.trouble()
    with find(data) as agent:
        found = _compared(version, content, state, running, agent)
        for line in (*(said(found) if found.changes else ()), *_files(files)):
            voice.echo(line, err=as_json)
        if trouble and agent is None:
            raise AgentError(f"the files cannot be put back: {trouble}", hint="run this as a user who may write there")
        if trouble:
            voice.echo(
                f"the files cannot be put back: {trouble}\n"
                f"version {version.n} would run now, but the next start of the agent takes the files as they are",
                err=True,
            )
        if files or found.changes or state.trial:
            agree(f"Go back to version {version.n}?", yes=yes)
        if not trouble:
            _keep(history, state, files)
            files.do()
        answer = _go(agent, history, state, version, content)
    if as_json:
        records.show({**answer, "written": not trouble})
    else:
        voice.echo(_outcome(answer, version, running=agent is not None))


def _compared(version: Version, content: Taken, state: State, running: Taken | None, agent: Agent | None) -> Compared:
    """Raises ConfigError for one that cannot run any more: its places are not those of the files as they are."""
    try:
        return compare(Path(version.file), content, state, running, agent)
    except Invalid as error:
        first = error.problems[0]
        program = state.programs.get(version.n, __version__)
        which = f"version {version.n}" if program == __version__ else f"version {version.n}, of floorgate {program},"
        what = f"{which} cannot run as it is: {first.file}:{first.line}:{first.column}: {first.message}"
        raise ConfigError(what, hint=first.hint or "`floorgate history` shows which others there are") from error


def _wanted(state: State, number: int | None) -> Version:
    """Without a number: what ran before; when the file on disk was reverted and an older one runs, that one."""
    if number is not None:
        return state[number]
    if state.trial is not None and state.good:
        return state[state.good]
    newest = next((each for each in reversed(state.versions) if each.outcome != "kept"), None)
    if newest is not None and newest.outcome == "reverted" and state.running and newest.n > state.running:
        return state[state.running]
    version = state.before()
    if version is None:
        raise AgentError("there is no good version before the one that runs", hint="`floorgate history` lists them")
    return version


def _files(files: Restoring) -> Iterator[str]:
    yield from (f"  writes {path}" for path in files.writes)
    yield from (f"  removes {path}" for path in files.removes)
    for path in files.ours:
        yield f"  leaves {path}: it comes with floorgate, and the next start takes it as it is"


def _keep(history: History, state: State, files: Restoring) -> None:
    """What is about to be overwritten, unless a version has it already."""
    if files and files.stood and not any(each.digest == digest_of(files.stood) for each in state.versions):
        text = "what stood there before a rollback"
        history.add(files.stood, files.file, "rollback", "kept", who=who(), text=text)


def _go(
    agent: Agent | None, history: History, state: State, version: Version, content: dict[Path, bytes]
) -> dict[str, Any]:
    if agent is not None:
        return changed(agent, history.folder.parent, "/api/v1/config/rollback", version=version.n, who=who())
    if state.running == version.n:
        return {"changed": False, "version": version.n}
    text = f"as version {version.n}"
    added = history.add(content, Path(version.file), "rollback", "good", who=who(), text=text)
    return {"changed": True, "version": added.n}


def _outcome(answer: dict[str, Any], version: Version, *, running: bool) -> str:
    if not answer["changed"]:
        return f"version {answer['version']} runs, and its files are in place" if running else "its files are in place"
    if not running:
        return f"the files of version {version.n} are in place; the next start of the agent takes them"
    same = answer["version"] == version.n
    return (
        f"version {version.n} runs" if same else f"version {answer['version']} runs, which is version {version.n} again"
    )
