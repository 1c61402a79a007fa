"""`${NAME}` from the environment, `file:PATH` from disk and `credential:NAME` from systemd: the only ways for a secret
into the configuration."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from agent.config.files import Unreadable, read_bytes
from agent.config.guarded import guarded
from agent.config.problems import Mark, Report
from agent.model.text import Referenced

MAX_FILE = 64 << 10
MAX_TOTAL = 4 << 20  # characters that one load may take from elsewhere
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?")
_LONE = re.compile(r"(file|credential):(\S.*)", re.DOTALL)  # what is such a reference as a whole
_CREDENTIAL = re.compile(r"(?!\.\.?$)[^/\x00-\x1f\x7f]{1,255}")  # what systemd takes for a name
CREDENTIALS = "CREDENTIALS_DIRECTORY"


class Expanded(Referenced):
    """Text from elsewhere that still knows how the file spells it, so that a message can show that instead."""

    __slots__ = ("file", "parts", "source")

    source: str
    parts: tuple[str, ...]


class Unresolved(Expanded):
    """A reference that leads nowhere; the problem has been reported, later ones at its place are only echoes."""

    __slots__ = ()


class References:
    """Expands the references of one load; relative paths start at `folder`."""

    def __init__(self, environ: Mapping[str, str], folder: Path, report: Report) -> None:
        self._environ = environ
        self._folder = folder
        self._report = report
        self._left = MAX_TOTAL

    def __call__(self, text: str, mark: Mark) -> str:
        """`text` with its references replaced; `$${` stands for a literal `${`."""
        lone = _LONE.fullmatch(text)
        if lone is None:
            parts = self._values(text, mark)
            if parts is None or not self._affords(parts, mark):
                return _expanded(text, "", None)
            known = iter(parts)
            value = _REFERENCE.sub(lambda found: next(known) if found[1] else "${", text)
            return _expanded(text, value, parts) if parts else value
        path = self._folder / lone[2] if lone[1] == "file" else self._credential(lone[2], mark)
        content = None if path is None else self._content(path, f"{lone[1]} {lone[2]!r}", mark)
        if path is None or content is None or not self._affords([content], mark):
            return _expanded(text, "", None)
        return _expanded(text, content, [content], str(path.absolute()))

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

    def _credential(self, name: str, mark: Mark) -> Path | None:
        """Where systemd has put it; None after a problem."""
        folder, unit = self._environ.get(CREDENTIALS, ""), f"`LoadCredential={name}:/etc/floorgate/credentials/{name}`"
        if not _CREDENTIAL.fullmatch(name):
            self._report.add(mark, f"credential {name!r}: this is not a name", "such as credential:mqtt-password")
        elif not folder:
            what = f"credential {name!r}: systemd has given us none (no {CREDENTIALS} in the environment)"
            self._report.add(mark, what, f"add {unit} to [Service] of the unit; by hand, set {CREDENTIALS} to a folder")
        elif _is_missing(Path(folder) / name):
            what = f"credential {name!r}: systemd has given us none of this name"
            self._report.add(mark, what, f"add {unit} to [Service] of the unit")
        else:
            return Path(folder) / name
        return None

    def _content(self, path: Path, what: str, mark: Mark) -> str | None:
        """The text of a file that is kept from others, or None after a problem."""
        given = self._environ.get(CREDENTIALS, "")
        try:
            by_systemd = bool(given) and path.resolve().is_relative_to(Path(given).resolve())
            data = read_bytes(path, MAX_FILE, partial(guarded, path, by_systemd=by_systemd))
            content = data.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            self._report.add(mark, f"{what}: this is not UTF-8 text")
        except Unreadable as error:
            self._report.add(mark, f"{what}: {error.args[0]}", error.hint)
        except (OSError, ValueError) as error:
            self._report.add(mark, f"{what}: {getattr(error, 'strerror', None) or 'this cannot be a path'}")
        else:
            if content:
                return content
            self._report.add(mark, f"{what}: it is empty")
        return None


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:  # told when it is read
        return False


def _expanded(source: str, value: str, parts: list[str] | None, file: str = "") -> Expanded:
    found = Unresolved(source) if parts is None else Expanded(value)
    found.source, found.file = source, file
    found.parts = tuple(parts or ())
    return found
