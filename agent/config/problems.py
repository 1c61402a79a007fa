"""What is wrong with a file, and what is odd about it: each problem and warning with its place, all of them at once."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agent.model.errors import ConfigError

if TYPE_CHECKING:
    from agent.config.vocabulary import Vocabulary

GUESSES = ("did you mean ", "one of: ")  # how a hint begins that guesses what a word should have been
MOST = 200  # problems kept of one load, and as many warnings; nobody reads more, and a hostile file must stay cheap


class Sheet(Protocol):
    """A table whose places have other names for people than line and column."""

    def cell(self, line: int, column: int) -> str: ...


class Mark(NamedTuple):
    """A place in a file; line and column count from 1. In a table these are row and column of a cell of its `sheet`."""

    file: str
    line: int
    column: int
    sheet: Sheet | None = None


Label = Callable[[Mark], str]


@dataclass(frozen=True, slots=True)
class Problem:
    """`file:line:column: message (hint)`; a warning is one that nothing is refused for."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return self.said()

    def said(self, word: str = "") -> str:
        """With a word such as `warning` before the message."""
        said = f"{self.file}:{self.line}:{self.column}: {f'{word}: ' * bool(word)}{self.message}"
        return f"{said} ({self.hint})" if self.hint else said

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Invalid(ConfigError):
    """The configuration cannot be used; `problems` says why, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Report:
    """Collects the problems of one load. What is said twice of one place is one problem, whoever uses that place: two
    devices a map, several tags an alias or a map's `defaults`.

    Warnings are collected beside them, for whoever asks. `places` says where the file speaks of what a caller may find
    out about it (`device/NAME`, `buffer`). `vocabulary` is what names are compared with, where somebody
    wants to be told of them. `devices` gets what the files say of each, where somebody has set it to a mapping.
    """

    def __init__(self, vocabulary: "Vocabulary | None" = None) -> None:
        self.vocabulary = vocabulary
        self.devices: dict[str, Any] | None = None
        self.needs = ""  # the newer version that the file is for
        self.places: dict[str, Mark] = {}
        self.sections: dict[tuple[str, str], Any] = {}  # of tags, that were found right: see `equal.py`
        self._found: dict[Problem, None] = {}
        self._warned: dict[Problem, None] = {}
        self._said: set[tuple[Mark, str]] = set()
        self._files: dict[str, int] = {}

    @property
    def found(self) -> bool:
        """Whether there is any problem."""
        return bool(self._found)

    @property
    def full(self) -> bool:
        return len(self._found) >= MOST

    def add(self, mark: Mark, message: str, hint: str = "", of: str = "") -> None:
        """`of` is whose problem it is, for people."""
        if not self.full:
            self._keep(self._found, mark, message, hint, of)

    def warn(self, mark: Mark, message: str, hint: str = "", of: str = "") -> None:
        if len(self._warned) < MOST:
            self._keep(self._warned, mark, message, hint, of)

    def _keep(self, found: dict[Problem, None], mark: Mark, message: str, hint: str, of: str) -> None:
        if (mark, message) in self._said:
            return
        self._said.add((mark, message))
        message = f"{of}: {message}" if of else message
        if mark.sheet is not None:
            message = f"{mark.sheet.cell(mark.line, mark.column)}: {message}"
        self._files.setdefault(mark.file, len(self._files))
        found[Problem(mark.file, mark.line, mark.column, message, hint)] = None

    @property
    def warnings(self) -> list[Problem]:
        """In the order of the files."""
        return self._sorted(self._warned)

    def settle(self) -> None:
        """Raises Invalid when there was any problem."""
        if self._found:
            raise Invalid(map(self._perhaps_newer, self._sorted(self._found)))

    def _perhaps_newer(self, problem: Problem) -> Problem:
        """A word that nobody knows may be one of the version that the file is for."""
        if not self.needs or not problem.hint.startswith(GUESSES):
            return problem
        return replace(problem, hint=f"{problem.hint}; or is it one of floorgate {self.needs}?")

    def _sorted(self, found: Iterable[Problem]) -> list[Problem]:
        return sorted(found, key=lambda at: (self._files[at.file], at.line, at.column))


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
        self.report.add(mark, message, hint, self.label(mark))

    def warn(self, mark: Mark, message: str, hint: str = "") -> None:
        """Of what is odd and nothing is refused for: `floorgate check` tells it."""
        self.report.warn(mark, message, hint, self.label(mark))

    def within(self, name: str) -> "Scope":
        """The same, with one more name: "device 'press-3', tag 'count'"."""
        return Scope(self.report, lambda mark: ", ".join(filter(None, (self.label(mark), name))))
