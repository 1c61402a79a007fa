"""The last look: our own check over what was made. Tags that it refuses are taken out and told, not left to fail."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent.config import Files, Invalid, Problem, Report, load
from agent.imports.draft import Device, Draft, Tag
from agent.imports.notes import Notes
from agent.imports.writing import Text
from agent.model.errors import AgentError

ROUNDS = 40  # each takes up to 200 problems of a device
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ACROSS = re.compile(r" and '(.*)' reads registers? ")
_PLACE = re.compile(r"^tags\[\d+\]\.")


def environment(*texts: str) -> dict[str, str]:
    """All variables that the texts name, set to something."""
    return dict.fromkeys((name for text in texts for name in _VARIABLE.findall(text)), "192.0.2.1")


class Patient(Report):
    """A report that takes more than a person would read: each problem is a tag that has to go."""

    @property
    def full(self) -> bool:
        return False


def problems(path: Path, texts: Mapping[Path, Text]) -> tuple[Problem, ...]:
    """What the check says of a site that is not on disk."""
    whole = {file.absolute(): str(text) for file, text in texts.items()}
    files = Files({file: text.encode() for file, text in whole.items()})
    try:
        load(path, environment(*whole.values()), Patient(), files)
    except Invalid as error:
        return error.problems
    return ()


def taken_out(found: tuple[Problem, ...], texts: Mapping[Path, Text], draft: Draft, notes: Notes) -> None:
    """Take the tags and devices out at which the problems are. Raises AgentError when none of them is at one."""
    before = _size(draft)
    gone: set[tuple[str, str]] = set()  # of this round, as (device, tag)
    for problem in found:
        text = texts.get(Path(problem.file))
        if text is not None and problem.line in text.tags:
            _without_tag(*text.tags[problem.line], problem, gone, notes)
            continue
        wrong = text and text.devices.get(problem.line)
        if wrong and wrong in draft.devices:
            draft.devices.remove(wrong)
            notes.add("not carried", wrong.place, f"a device is left out, for our check refuses it: {_said(problem)}")
    draft.settle()
    if _size(draft) == before:
        raise AgentError(
            f"what was made of the files is not right: {found[0]}", hint="this is a fault of ours: tell us"
        )


def _without_tag(device: Device, tag: Tag, problem: Problem, gone: set[tuple[str, str]], notes: Notes) -> None:
    """At first it is disabled: what lies across another tag may stay so. Where that other one just went, it stays."""
    across = _ACROSS.search(problem.message)
    if tag not in device.tags or (across and (device.name, across[1]) in gone):
        return
    gone.add((device.name, str(tag.keys["name"])))
    if tag.keys.get("enabled", True):
        tag.keys["enabled"] = False
        notes.add(
            "not carried", tag.place, f"a tag is disabled, for our check refuses it: {_said(problem)}", problem.hint
        )
        return
    device.tags.remove(tag)
    notes.add("not carried", tag.place, f"a tag is left out, for our check refuses it: {_said(problem)}", problem.hint)


def _said(problem: Problem) -> str:
    """Without the names of the device and the tag, which the place of the note tells."""
    return _PLACE.sub("", problem.message.rpartition("': ")[2] or problem.message)


def _size(draft: Draft) -> int:
    """What changes with each tag that is disabled or taken out."""
    tags = [tag for device in draft.devices for tag in device.tags]
    return len(draft.devices) + len(tags) + sum("enabled" not in tag.keys for tag in tags)
