"""The last versions of the configuration that ran here, and which of them is good; in the data directory, `config/`.

`history.json` is the truth, and is replaced as a whole; the content of a version lies beside it
(`history_files.py`) and is there before anything speaks of it. So a kill at any moment leaves the state before or the
state after. A running agent is the only one that writes; without one `floorgate rollback` does.

A version is **good** when it ran without a trial or was confirmed in one, **trial** while it is on trial, **reverted**
when it was not confirmed; **kept** is what only stood on the disk. What was reverted is not run again by itself,
neither at a start nor because its file was touched: only `apply` and `rollback` do that, by a new version of the same
content.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from agent import __version__
from agent.model import host
from agent.model.clock import SYSTEM
from agent.runtime.history_files import (
    HistoryError,
    Taken,
    digest_of,
    keep,
    kept,
    put,
    size,
    sweep,
)

__all__ = ["FOLDER", "History", "HistoryError", "State", "Version", "digest_of"]

FOLDER = "config"
FILE = "history.json"
MOST = 20  # versions
MOST_BYTES = 64 << 20  # of all contents together, as they lie on the disk
LONGEST = 300  # characters of a text
FORMAT = 1
Outcome = Literal["good", "trial", "reverted", "kept"]
Why = Literal["start", "file", "SIGHUP", "apply", "rollback"]


@dataclass(frozen=True, slots=True)
class Version:
    """`at` is ms UTC; `file` the site file; `who` is known where a person asked; `text` says what changed in a line,
    `reason` why it was reverted."""

    n: int
    at: int
    digest: str
    file: str
    why: Why
    outcome: Outcome
    who: str = ""
    text: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """`versions` from the oldest to the newest; `running` is the number of the one that runs, or ran last, `good` that
    of the last one that is good. 0: there is none. `programs` says by number which floorgate ran it last."""

    versions: tuple[Version, ...] = ()
    running: int = 0
    good: int = 0
    next: int = 1
    programs: Mapping[int, str] = field(default_factory=dict)

    def __getitem__(self, n: int) -> Version:
        """Raises HistoryError."""
        found = next((each for each in self.versions if each.n == n), None)
        if found is None:
            numbers = [each.n for each in self.versions]
            known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none yet"
            raise HistoryError(f"there is no version {n}", hint=f"there are {known}: `floorgate history`")
        return found

    @property
    def trial(self) -> Version | None:
        return next((each for each in self.versions if each.outcome == "trial"), None)

    def last(self, digest: str) -> Version | None:
        """The newest one of this content that ran."""
        ran = (each for each in reversed(self.versions) if each.outcome != "kept")
        return next((each for each in ran if each.digest == digest), None)

    def barred(self, digest: str) -> Version | None:
        """The version by which this content was reverted, or is not confirmed yet."""
        found = self.last(digest)
        return found if found and found.outcome in ("reverted", "trial") else None

    def before(self) -> Version | None:
        """The good one that ran before the one that runs."""
        now = next((each.digest for each in self.versions if each.n == self.running), "")
        older = (each for each in reversed(self.versions) if each.n < self.running and each.outcome == "good")
        return next((each for each in older if each.digest != now), None)


class History:
    """In one data directory. Every call that reads or writes raises HistoryError."""

    def __init__(self, data: Path, wall: Callable[[], int] = SYSTEM.wall) -> None:
        self.folder, self._wall = data / FOLDER, wall
        self.remarks: list[str] = []  # what a person should hear of

    def state(self) -> State:
        """As it stands; a file that makes no sense is as none."""
        try:
            data = (self.folder / FILE).read_bytes()
        except FileNotFoundError:
            return State()
        except OSError as error:
            hint = "run it as the user whose the data directory is"
            raise HistoryError(f"{self.folder / FILE}: {error.strerror}", hint=hint) from error
        try:
            said = json.loads(data)
            self._refuse_newer(said)
            return _state(said)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise Damaged(
                f"{self.folder / FILE}: it makes no sense: {error}", hint="remove it to begin anew"
            ) from error

    def _refuse_newer(self, said: Any) -> None:
        """It stays as it is: what it says that this version does not know would be lost."""
        if type(number := said["format"]) is int and number > FORMAT:
            raise HistoryError(
                f"{self.folder / FILE} was written by a newer floorgate in format {number}; this is floorgate"
                f" {__version__}, which knows formats up to {FORMAT}",
                hint="install the newer version again, or move the file away to begin anew",
            )

    def content(self, n: int) -> dict[Path, bytes]:
        """The files of a version by their absolute paths."""
        return kept(self.folder, self.state()[n].digest)

    def add(
        self, taken: Taken, file: Path, why: Why, outcome: Outcome, *, who: str = "", text: str = "", reason: str = ""
    ) -> Version:
        """One more version: it runs now, unless it is only `kept`."""
        digest = digest_of(taken)
        with self._changing() as state:
            keep(self.folder, digest, taken)
            version = Version(
                state.next,
                self._wall() // 10**6,
                digest,
                str(file),
                why,
                outcome,
                who[:LONGEST],
                text[:LONGEST],
                reason,
            )
            runs = outcome != "kept"
            self._put(
                State(
                    (*state.versions, version),
                    version.n if runs else state.running,
                    version.n if outcome == "good" else state.good,
                    state.next + 1,
                    _ran(state, version.n) if runs else state.programs,
                )
            )
        return version

    def settle(self, n: int, outcome: Outcome, reason: str = "") -> None:
        """The trial of a version is over: it is good, or reverted and the last good one runs."""
        with self._changing() as state:
            versions = tuple(
                replace(each, outcome=outcome, reason=reason[:LONGEST]) if each.n == n else each
                for each in state.versions
            )
            good = n if outcome == "good" else state.good
            self._put(
                replace(state, versions=versions, running=good if state.running == n else state.running, good=good)
            )

    def runs(self, n: int) -> None:
        """This one runs, which was there before."""
        with self._changing() as state:
            if state.running != n or state.programs.get(n) != __version__:
                self._put(replace(state, running=n, programs=_ran(state, n)))

    def tell(self, n: int, text: str) -> None:
        """What changed with a version."""
        with self._changing() as state:
            versions = tuple(replace(each, text=text[:LONGEST]) if each.n == n else each for each in state.versions)
            self._put(replace(state, versions=versions))

    @contextmanager
    def _changing(self) -> Iterator[State]:
        """One process after the other; a state that makes no sense is put aside."""
        try:
            if not self.folder.exists():
                self.folder.mkdir(mode=0o700, exist_ok=True)
                if (owner := host.owner_of(self.folder.parent)) is not None:
                    host.give(self.folder, owner)
            with host.alone(self.folder):
                yield self._found()
        except OSError as error:
            what = f"{error.filename or self.folder}: {error.strerror}"
            raise HistoryError(
                f"history of the configuration: {what}", hint="is the disk full, or is it read-only?"
            ) from error

    def _found(self) -> State:
        try:
            return self.state()
        except Damaged as error:
            aside = self.folder / f"history-{self._wall() // 10**9}.damaged"
            (self.folder / FILE).replace(aside)
            self.remarks.append(f"{error.message}; it is now {aside.name}, and a new history begins")
            return State()

    def _put(self, state: State) -> None:
        state = self._bounded(state)
        said = {"format": FORMAT, **asdict(state)}
        put(self.folder / FILE, json.dumps(said, indent=1).encode(), owner=host.owner_of(self.folder))
        sweep(self.folder, {each.digest for each in state.versions})
        host.sync_folder(self.folder)

    def _bounded(self, state: State) -> State:
        """The newest ones, and always what runs, what is good and what is on trial."""
        needed = {state.running, state.good} | {each.n for each in state.versions if each.outcome == "trial"}
        found: list[Version] = []
        sizes: dict[str, int] = {}
        left = MOST - len(needed & {each.n for each in state.versions})
        for each in reversed(state.versions):
            if each.n not in needed:
                more = sizes | {each.digest: size(self.folder, each.digest)}
                if left <= 0 or sum(more.values()) > MOST_BYTES:
                    left = 0
                    continue
                left -= 1
            sizes[each.digest] = size(self.folder, each.digest)
            found.append(each)
        kept = {each.n for each in found}
        programs = {n: program for n, program in state.programs.items() if n in kept}
        return replace(state, versions=tuple(reversed(found)), programs=programs)


class Damaged(HistoryError):
    """The state makes no sense."""


_KEYS = {each.name for each in fields(Version)}


def _ran(state: State, n: int) -> dict[int, str]:
    return {**state.programs, n: __version__}


def _state(said: Any) -> State:
    """Raises ValueError, TypeError or LookupError. What a newer version has added to a version is passed over."""
    if said["format"] != FORMAT:
        raise ValueError(f"its format is {said['format']!r}")
    versions = tuple(
        Version(**{key: value for key, value in each.items() if key in _KEYS}) for each in said["versions"]
    )
    numbers = said["running"], said["good"], said["next"]
    if not all(type(n) is int for n in (*numbers, *(each.n for each in versions), *(each.at for each in versions))):
        raise TypeError("a number is none")
    if not all(each.outcome in get_args(Outcome) for each in versions):
        raise ValueError("an outcome is none")
    numbered = [each.n for each in versions]
    if (
        not {said["running"], said["good"]} <= {0, *numbered}
        or sorted({*numbered}) != numbered
        or said["next"] <= max(numbered, default=0)
    ):
        raise ValueError("its numbers do not fit together")
    programs = {int(n): str(program)[:LONGEST] for n, program in said.get("programs", {}).items()}
    return State(versions, *numbers, programs)
