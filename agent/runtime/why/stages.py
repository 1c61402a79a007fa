"""What is found at each stage of a value's way, in words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.health import Part

State = Literal["ok", "held", "doubt", "failed", "unreached"]
NORTH = ("store", "sink")  # the first words of the stages behind the steps
Seen = tuple[str, str]  # a word, and what it is


@dataclass(frozen=True, slots=True)
class Hex:
    """A request and its answer as they were on the wire; `mine` are the bytes of the answer that are the tag's."""

    sent: bytes
    received: bytes
    mine: tuple[int, int]

    def as_row(self) -> dict[str, Any]:
        return {"sent": self.sent.hex(), "received": self.received.hex(), "mine": list(self.mine)}


@dataclass(frozen=True, slots=True)
class Stage:
    """`held`: what was seen was left out on purpose; `doubt`: it goes on and can hardly be right. `wrong` says what is,
    and `hint` what to do about it."""

    name: str
    state: State = "ok"
    seen: Sequence[Seen] = ()
    wrong: str = ""
    hint: str = ""
    hex: Hex | None = None

    def as_row(self) -> dict[str, Any]:
        found: dict[str, Any] = {"stage": self.name, "state": self.state, "seen": [list(each) for each in self.seen]}
        if self.hex is not None:
            found["hex"] = self.hex.as_row()
        return {**found, "wrong": self.wrong, "hint": self.hint}


@dataclass(slots=True)
class Explanation:
    """`by` is who has looked: the running `agent`, or the command itself, which has `read` once. `value` is the newest
    one, as it leaves. Of a tag that is made, `origin` says how and of what, and `source` explains the tag that matters.
    """

    device: str
    tag: str
    by: Literal["agent", "read"]
    stages: list[Stage] = field(default_factory=list)
    value: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] | None = None
    source: "Explanation | None" = None

    @property
    def verdict(self) -> Stage | None:
        """The stage that is to be looked at: where the value is lost, or may be; else what was left out on purpose."""
        found = self.ill or self._first("failed", north=True) or self._first("doubt", north=True)
        return found or self._first("held", north=False)

    @property
    def ill(self) -> Stage | None:
        """What is wrong up to the steps, before anything is stored."""
        return self._first("failed", north=False) or self._first("doubt", north=False)

    def _first(self, state: State, *, north: bool) -> Stage | None:
        stages = (stage for stage in self.stages if stage.name.startswith(NORTH) == north)
        return next((stage for stage in stages if stage.state == state), None)

    def as_row(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "device": self.device,
            "tag": self.tag,
            "by": self.by,
            "value": self.value,
            "stages": [stage.as_row() for stage in self.stages],
            "verdict": None if verdict is None else verdict.as_row(),
            "origin": self.origin,
            "source": None if self.source is None else self.source.as_row(),
        }


def facts(pairs: Iterable[tuple[str, object]]) -> list[Seen]:
    """Those that say something."""
    return [(what, str(how)) for what, how in pairs if how not in ("", None)]


def said(part: Part) -> str:
    """What is wrong with a part, without the hint, which is told by itself."""
    return part.error.removesuffix(f" ({part.hint})") if part.hint else part.error
