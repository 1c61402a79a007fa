"""`${NAME}` from the environment and `file:PATH` from disk: the only ways for a secret into the configuration."""

import re
from collections.abc import Mapping
from pathlib import Path

from agent.config.files import Unreadable, read_bytes
from agent.config.problems import Mark, Report
from agent.model.text import Referenced

MAX_FILE = 64 << 10
MAX_TOTAL = 4 << 20  # characters that one load may take from elsewhere
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")
_FILE = re.compile(r"file:(?=\S)")


class Expanded(Referenced):
    """Text from elsewhere that still knows how the file spells it, so that a message can show that instead."""

    __slots__ = ("file", "parts", "source")

    source: str
    parts: tuple[str, ...]


class Unresolved(Expanded):
    """A reference that leads nowhere; the problem has been reported, later ones at its place are only echoes."""

    __slots__ = ()


class References:
    """Expands the references of one file; relative paths start at its folder."""

    def __init__(self, environ: Mapping[str, str], folder: Path, report: Report) -> None:
        self._environ = environ
        self._folder = folder
        self._report = report
        self._left = MAX_TOTAL

    def __call__(self, text: str, mark: Mark) -> str:
        """`text` with its references replaced; `$${` stands for a literal `${`."""
        is_file = _FILE.match(text)
        parts = self._file(text[len("file:") :], mark) if is_file else self._values(text, mark)
        if parts is None or not self._affords(parts, mark):
            return _expanded(text, "", None)
        file = str((self._folder / text[len("file:") :]).absolute()) if is_file else ""
        known = iter(parts)
        value = parts[0] if is_file else _REFERENCE.sub(lambda found: next(known) if found[1] else "${", text)
        return _expanded(text, value, parts, file) if parts else value

    def _affords(self, parts: list[str], mark: Mark) -> bool:
        self._left -= sum(map(len, parts))
        if self._left < 0:
            self._report.add(mark, "references bring in too much text", f"at most {MAX_TOTAL:,} characters in a file")
        return self._left >= 0

    def _values(self, text: str, mark: Mark) -> list[str] | None:
        """The value of each reference in order, or None when one leads nowhere."""
        names = [found[1] for found in _REFERENCE.finditer(text) if found[0] != "$${"]
        known = {name: self._variable(name, mark) for name in dict.fromkeys(names)}
        values = [value for name in names if (value := known[name]) is not None]
        return values if len(values) == len(names) else None

    def _variable(self, name: str | None, mark: Mark) -> str | None:
        if name is None:
            self._report.add(mark, "'${' is not followed by NAME}", "write ${NAME}, or $${ for a literal ${")
        elif name not in self._environ:
            self._report.add(mark, f"the environment has no variable {name}", f"set {name} where the agent is started")
        else:
            return self._environ[name]
        return None

    def _file(self, name: str, mark: Mark) -> list[str] | None:
        try:
            content = read_bytes(self._folder / name, MAX_FILE).decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            self._report.add(mark, f"file {name!r}: this is not UTF-8 text")
        except Unreadable as error:
            self._report.add(mark, f"file {name!r}: {error.args[0]}", error.hint)
        else:
            if content:
                return [content]
            self._report.add(mark, f"file {name!r}: it is empty")
        return None


def _expanded(source: str, value: str, parts: list[str] | None, file: str = "") -> Expanded:
    found = Unresolved(source) if parts is None else Expanded(value)
    found.source, found.file = source, file
    found.parts = tuple(parts or ())
    return found
