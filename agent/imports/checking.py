"""The last look: our own check over what was made. Tags that it refuses are taken out and told, not left to fail."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.config import Files, Invalid, load
from agent.config.problems import Problem
from agent.imports.draft import Draft
from agent.imports.notes import Notes
from agent.imports.writing import Text
from agent.model.errors import AgentError

ROUNDS = 50  # each takes what the check says at once, up to 200
_PLACE = re.compile(r"^tags\[\d+\]\.")


class Anything(Mapping[str, str]):
    """An environment in which every variable is set."""

    def __getitem__(self, name: str) -> str:
        return "192.0.2.1"

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def problems(path: Path, texts: Mapping[Path, Text]) -> tuple[Problem, ...]:
    """What the check says of a site that is not on disk."""
    try:
        load(path, Anything(), files=Files({file.absolute(): str(text).encode() for file, text in texts.items()}))
    except Invalid as error:
        return error.problems
    return ()


def taken_out(found: tuple[Problem, ...], texts: Mapping[Path, Text], draft: Draft, notes: Notes) -> None:
    """Take the tags and devices out at which the problems are. Raises AgentError when none of them is at one."""
    before = _size(draft)
    for problem in found:
        text = texts.get(Path(problem.file))
        if text is None:
            continue
        message = _PLACE.sub("", problem.message.rpartition("': ")[2] or problem.message)
        if problem.line in text.tags:
            device, tag = text.tags[problem.line]
            if tag.keys.get("enabled", True) and tag in device.tags:
                tag.keys["enabled"] = False  # what lies across another tag may stay then
                notes.add(
                    "not carried", tag.place, f"a tag is disabled, for our check refuses it: {message}", problem.hint
                )
            elif tag in device.tags:
                device.tags.remove(tag)
                notes.add(
                    "not carried", tag.place, f"a tag is left out, for our check refuses it: {message}", problem.hint
                )
        elif (wrong := text.devices.get(problem.line)) is not None and wrong in draft.devices:
            draft.devices.remove(wrong)
            notes.add(
                "not carried", wrong.place, f"a device is left out, for our check refuses it: {message}", problem.hint
            )
    draft.settle()
    if _size(draft) == before:
        raise AgentError(
            f"what was made of the files is not right: {found[0]}", hint="this is a fault of ours: tell us"
        )


def _size(draft: Draft) -> int:
    """What changes with each tag that is disabled or taken out."""
    tags = [tag for device in draft.devices for tag in device.tags]
    return len(draft.devices) + len(tags) + sum("enabled" not in tag.keys for tag in tags)
