"""What is wrong with a file: each problem with its place, all of them at once."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from agent.model.errors import ConfigError

MOST = 200  # problems kept of one load; nobody reads more, and a hostile file must stay cheap


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int


Label = Callable[[Mark], str]


@dataclass(frozen=True, slots=True)
class Problem:
    """`file:line:column: message (hint)`"""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.message} ({self.hint})" if self.hint else f"{place}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Invalid(ConfigError):
    """The configuration cannot be used; `problems` says why, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Report:
    """Collects the problems of one load; the same problem seen twice, as by two users of one map, is one."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._files: dict[str, int] = {}

    @property
    def full(self) -> bool:
        return len(self._found) >= MOST

    def add(self, mark: Mark, message: str, hint: str = "") -> None:
        self._files.setdefault(mark.file, len(self._files))
        if not self.full:
            self._found[Problem(mark.file, mark.line, mark.column, message, hint)] = None

    def settle(self) -> None:
        """Raises Invalid when there was any problem."""
        if self._found:
            raise Invalid(sorted(self._found, key=lambda at: (self._files[at.file], at.line, at.column)))


def _nothing(_mark: Mark) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where problems go and what they are said of: `label` names it for a place, as "device 'press-3'", or is empty
    where the file alone says enough."""

    report: Report
    label: Label = _nothing

    @property
    def full(self) -> bool:
        return self.report.full

    def add(self, mark: Mark, message: str, hint: str = "") -> None:
        label = self.label(mark)
        self.report.add(mark, f"{label}: {message}" if label else message, hint)

    def within(self, name: str) -> "Scope":
        """The same, with one more name: "device 'press-3', tag 'count'"."""
        return Scope(self.report, lambda mark: ", ".join(filter(None, (self.label(mark), name))))
