"""What a file changes about what runs, in words and as data: shown by `plan`, and before `apply` and `rollback`."""

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from agent.cli import BAD_CONFIG, records, voice
from agent.cli.ask import Agent
from agent.cli.ask import environ as environ_of
from agent.cli.budget import budgets
from agent.config import Invalid, Site
from agent.config.difference import Change, Difference, Kind, difference
from agent.model.errors import ConfigError
from agent.model.text import plain, public
from agent.runtime import prints
from agent.runtime.history import State, Version
from agent.runtime.history_files import Taken
from agent.runtime.loading import Asked, Loaded, take
from agent.runtime.wiring import Unit

WORDS = {
    "devices": "device",
    "tags": "tag",
    "virtual": "virtual device",
    "lines": "line",
    "sinks": "sink",
    "sections": "",
}
SHOWN = 40  # lines of one kind of change


class Noted(Mapping[str, str]):
    """An environment that remembers what was asked for; with `lenient` a variable that is missing has its name for a
    value."""

    def __init__(self, environ: Mapping[str, str], *, lenient: bool = False) -> None:
        self._environ, self._lenient = environ, lenient
        self.given: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        found = self._environ.get(name, f"${{{name}}}") if self._lenient else self._environ[name]
        self.given[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return self._lenient or name in self._environ

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


@dataclass(frozen=True, slots=True)
class Compared:
    """`against` is the version that runs, or ran last; None when there is none."""

    file: Path
    against: Version | None
    loaded: Loaded
    found: Difference
    restarts: prints.Change
    members: Mapping[Unit, Sequence[str]]
    lines: list[dict[str, Any]]
    hidden: Mapping[str, str]  # what came from the environment, by its name
    alive: bool  # whether an agent runs now

    @property
    def changes(self) -> bool:
        return bool(self.found) or bool(self.restarts)

    def as_dict(self) -> dict[str, Any]:
        units, sinks = self.restarts.units, self.restarts.sinks
        return {
            "file": str(self.file),
            "against": self.against.n if self.against else None,
            "changes": self.changes,
            "summary": self.found.summary(),
            "difference": _hidden(asdict(self.found), self.hidden),
            "lines": {how: [_unit(unit) for unit in getattr(units, how)] for how in _HOW},
            "sinks": {how: list(getattr(sinks, how)) for how in _HOW},
            "sections": list(self.restarts.sections),
            "bus_time": self.lines,
        }


_HOW = ("started", "stopped", "restarted", "stayed")


def compare(file: Path, new: Taken | None, state: State, running: Taken | None, agent: Agent | None) -> Compared:
    """Between what runs, `running`, and `file`, as it is or with the bytes of `new`; with the secrets that the `agent`
    has, if one runs. Raises Invalid for the file."""
    theirs = {**os.environ, **(environ_of(agent.data) if agent else {})}
    environ, lenient = Noted(theirs), Noted(theirs, lenient=True)
    loaded = take(file, Asked(new or {}), environ)
    against = next((each for each in state.versions if each.n == state.running), None) if running is not None else None
    old: Site | None = None
    if against is not None and running is not None:
        try:
            old = take(Path(against.file), Asked(running), lenient).site
        except ConfigError as error:
            what = f"version {against.n}, which runs, cannot be read here: {error.message}"
            raise ConfigError(what, hint="run this as the user whom the agent runs as") from error
    before = prints.prints(old) if old else prints.Prints()
    after = prints.prints(loaded.site)
    return Compared(
        file,
        against,
        loaded,
        difference(old, loaded.site),
        prints.compared(before, after),
        {**before.members, **after.members},
        _bus_time(budgets(old) if old else [], budgets(loaded.site)),
        {**lenient.given, **environ.given},
        agent is not None,
    )


def _bus_time(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The share of its time that each wire needs, before and after."""
    before = {row["line"]: row["utilisation"] for row in old}
    after = {row["line"]: row["utilisation"] for row in new}
    return [
        {"line": line, "before": before.get(line), "after": after.get(line)}
        for line in dict.fromkeys((*before, *after))
    ]


def said(compared: Compared) -> Iterator[str]:
    """The whole plan, line by line."""
    n, runs = compared.against.n if compared.against else 0, "runs" if compared.alive else "ran last"
    if not compared.changes:
        yield f"nothing changes: {compared.file} says what version {n} says, which {runs}"
        return
    yield (
        f"{compared.file} against version {n}, which {runs}:" if n else f"{compared.file}, and no version has run here:"
    )
    for name, word in WORDS.items():
        yield from _kind(word, getattr(compared.found, name), compared.hidden)
    yield from _fates(compared)
    rows = [row for row in compared.lines if row["before"] != row["after"]]
    told = [f"  bus time of {row['line']}: {_percent(row['before'])} → {_percent(row['after'])}" for row in rows]
    yield from _some(told)


def _kind(word: str, kind: Kind, hidden: Mapping[str, str]) -> Iterator[str]:
    told = [f"  - {word} {plain(name)}" for name in kind.removed]
    told += [f"  + {word} {plain(name)}" for name in kind.added]
    for each in kind.changed:
        keys = "; ".join(_key(change, hidden) for change in each.keys)
        told.append(f"  ~ {f'{word} '.lstrip()}{plain(each.name)}: {keys}")
    yield from _some(told)


def _some(told: Sequence[str]) -> Iterator[str]:
    yield from told[:SHOWN]
    if len(told) > SHOWN:
        yield f"    and {len(told) - SHOWN:,} more of these"


def _key(change: Change, hidden: Mapping[str, str]) -> str:
    old, new = (plain(_masked(text, hidden)) for text in (change.old, change.new))
    return f"{change.key}: {old or 'not set'} → {new or 'not set'}" if old or change.new else change.key


def _fates(compared: Compared) -> Iterator[str]:
    units, sinks = compared.restarts.units, compared.restarts.sinks
    for how, word in (("stopped", "stops"), ("started", "starts"), ("restarted", "restarts")):
        told = []
        for unit in getattr(units, how):
            devices = compared.members[unit]
            some = ", ".join(devices[:3]) + (", …" if len(devices) > 3 else "")
            told.append(f"  {word}: connection {public(unit.endpoint) or unit.driver} ({some})")
        yield from _some([*told, *(f"  {word}: sink {sink}" for sink in getattr(sinks, how))])
    stay = [_n(len(units.stayed), "connection"), _n(len(sinks.stayed), "sink")]
    if any(stay):
        yield f"  untouched: {', '.join(filter(None, stay))}"


def _n(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}" if count else ""


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.{0 if share >= 0.1 else 1}f} %"


def _unit(unit: Unit) -> dict[str, str]:
    return {"driver": unit.driver, "endpoint": public(unit.endpoint), "device": unit.device}


def _masked(text: str, hidden: Mapping[str, str]) -> str:
    """What came from the environment is called by its name there."""
    for name, value in hidden.items():
        if value and value in text:
            text = text.replace(value, f"${{{name}}}")
    return text


def _hidden(found: Any, hidden: Mapping[str, str]) -> Any:
    if isinstance(found, dict):
        return {key: _hidden(each, hidden) for key, each in found.items()}
    if isinstance(found, list | tuple):
        return [_hidden(each, hidden) for each in found]
    return _masked(found, hidden) if isinstance(found, str) else found


def refuse(ctx: click.Context, error: Invalid, *, as_json: bool) -> None:
    """Tell the problems as `floorgate check` does, and end."""
    if as_json:
        records.show({"ok": False, "problems": [problem.as_dict() for problem in error.problems]})
    else:
        for problem in error.problems:
            voice.echo(str(problem), err=True)
        voice.echo(f"{len(error.problems)} problem{'s' * (len(error.problems) > 1)}", err=True)
    ctx.exit(BAD_CONFIG)


def who() -> str:
    """The person who asks, as far as the machine knows."""
    with suppress(OSError, KeyError, ImportError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return ""
