"""The walk through all tags of a site: what is to be tried, what was answered, and whether the two readings agree.

Pure but for `kept` and `Walk.save`: the answers are in a file after each one, so that nothing that was typed at a
cabinet is lost when the laptop's battery is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from agent.cli.draft import draft
from agent.config import Site
from agent.model.errors import AgentError, Newer
from agent.model.frame import Value
from drivers.api import TagConfig

Verdict = Literal["pass", "fail", "skip"]
STATE = "state.json"
MOST = 64 << 20  # bytes of a state
FORMAT = 1
_NUMBER = re.compile(r"([+-]?)([0-9]*)(?:[.,]([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Item:
    """One tag that is to be tried. `digest` is of what the file says of it: when that changes it is tried anew."""

    device: str
    tag: str
    unit: str
    description: str
    digest: str

    @property
    def key(self) -> str:
        return f"{self.device}/{self.tag}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: `error` says why there is nothing to see, `raw` and `address` what the value was made of."""

    value: Value = None
    quality: str = ""
    unit: str = ""
    raw: str = ""
    address: str = ""
    error: str = ""
    digits: int = 15  # that the type can vouch for

    @property
    def text(self) -> str:
        if isinstance(self.value, float):
            return f"{self.value:.{self.digits}g}"
        return "" if self.value is None else str(self.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person found, in the words of the report; `at` is ISO 8601 in local time."""

    verdict: Verdict
    digest: str
    value: str = ""
    unit: str = ""
    quality: str = ""
    raw: str = ""
    address: str = ""
    expected: str = ""
    note: str = ""
    by: str = ""
    at: str = ""


@dataclass(slots=True)
class State:
    """What stands in the file."""

    gateway: str
    file: str
    answers: dict[str, Answer] = field(default_factory=dict)
    format: int = FORMAT


_decode = msgspec.json.Decoder(State).decode


def items(site: Site, devices: Iterable[str], tags: Mapping[str, Iterable[TagConfig]]) -> Iterator[Item]:
    """Every tag that is read, in the order of the file; `tags` are those of each device."""
    units = {device.name: getattr(device, "unit", None) for device in site.devices}
    for device in devices:
        for tag in tags[device]:
            if tag.enabled:
                place = f"{units[device]} {tag.model_dump_json()}"
                digest = sha256(place.encode()).hexdigest()[:16]
                yield Item(device, tag.name, tag.as_ or tag.unit, tag.description, digest)


class Walk:
    """The answers so far. One whose tag has changed since counts as not given."""

    def __init__(self, path: Path, state: State, todo: Iterable[Item]) -> None:
        self._path, self._state = path, state
        self.items = list(todo)

    def answer(self, item: Item) -> Answer | None:
        found = self._state.answers.get(item.key)
        return found if found is not None and found.digest == item.digest else None

    def put(self, item: Item, answer: Answer) -> None:
        """Raises AgentError when it cannot be kept."""
        self._state.answers[item.key] = answer
        self.save()

    def save(self) -> None:
        with draft(self._path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self._state)))

    def first(self) -> int:
        """The place of the first tag that has no answer, or how many there are."""
        return next((at for at, item in enumerate(self.items) if self.answer(item) is None), len(self.items))

    def count(self, verdict: Verdict | None) -> int:
        """How many have this answer; None: none yet."""
        found = (self.answer(item) for item in self.items)
        return sum((answer.verdict if answer else None) == verdict for answer in found)


def kept(path: Path) -> State | None:
    """What an earlier walk has left there; None: nothing. Raises AgentError for a file that is something else."""
    try:
        if path.stat().st_size > MOST:
            raise AgentError(f"{path}: too large for the answers of a walk", hint="name another folder with -o")
        found = _decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AgentError(f"{path}: cannot be read: {error.strerror}", hint="may this user read it?") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise AgentError(f"{path}: no answers of a walk: {error}", hint="name another folder with -o") from error
    if found.format > FORMAT:
        what = (
            f"{path} was written by a newer floorgate in format {found.format}; this one knows formats up to {FORMAT}"
        )
        raise Newer(what, hint="use that version, or name another folder with -o")
    return found


def agree(reading: Reading, typed: str, tolerance: float) -> bool:
    """Whether what was read is what a person reads off the display: within `tolerance` (a share), or within half of the
    last digit that was typed. Text and switches have to be the same, whatever their case."""
    value = reading.value
    if isinstance(value, bool):
        return typed.strip().lower() in (("1", "on", "true", "yes") if value else ("0", "off", "false", "no"))
    number = parsed(typed)
    if isinstance(value, str) or value is None or number is None:
        return str(value).strip().casefold() == typed.strip().casefold() and value is not None
    meant, half = number
    return abs(value - meant) <= max(half, abs(meant) * tolerance) * (1 + 1e-9)


def parsed(typed: str) -> tuple[float, float] | None:
    """A number as typed, and half a unit of its last digit; a comma is a decimal point. None: it is no number."""
    match = _NUMBER.fullmatch(typed.strip().replace(" ", ""))
    if match is None or not (match[2] or match[3]):
        return None
    sign, whole, part, power = match.groups()
    number = float(f"{sign}{whole or '0'}.{part or '0'}e{power or '0'}")
    half = 0.5 * 10.0 ** (int(power or 0) - len(part or ""))
    return number, half
