"""Where secrets are: named by a configuration, in the environment, given by systemd, in the data directory."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from agent.cli.support.composed import of_csv, of_yaml
from agent.cli.support.redact import literals
from agent.cli.support.scrub import NAMES
from agent.config.references import CREDENTIALS, MAX_FILE

SERVICES = Path("/run/credentials")
LONG = 12  # characters of a piece of an address that may be a secret
MOST = 200  # files of credentials
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FILE = re.compile(r"\b(file|credential):(?!//)([^\s\"',}\]#]+)")
_QUOTED = re.compile(r"[\"'](file|credential):([^\"'\n]+)[\"']")
_KEY = re.compile(r"(?i)(?<![\w-])[\"']?(?:\w{0,40}key)[\"']?\s*:\s*[\"']?([^\s\"',}]+)")
_URL = re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>]+")
_OPEN = re.compile(r"(?i)\b(?:endpoint|url|id|host|hosts|listen|name|site|topic|timezone|path|map|interval)[\"']?\s*:")
_SECRET = re.compile(rf"(?i){NAMES}|key|auth|dsn|conn")


def known(texts: Mapping[Path, str], folder: Path, environs: Iterable[Mapping[str, str]], data: Path) -> set[str]:
    """Every secret that can be found: `texts` are the files of the configuration, paths in them start at `folder`."""
    found: set[str] = set()
    seen = list(environs)
    for path, text in texts.items():
        found.update(of_csv(text) if path.suffix.lower() == ".csv" else of_yaml(text))
        found.update(literals(text))
        found.update(_of_addresses(text))
        for line in text.splitlines():
            found.update(_of_line(line, folder, seen))
    for environ in seen:
        found.update(value for name, value in environ.items() if _SECRET.search(name) and not _is_place(value))
        found.update(_of_addresses("\n".join(environ.values())))
        found.update(_inside(Path(environ.get(CREDENTIALS, "") or os.devnull)))
    for service in _listed(SERVICES):
        found.update(_inside(service) if "floorgate" in service.name else ())
    found.update(_of_data(data))
    return {each for each in found if each.strip()}


def _is_place(value: str) -> bool:
    """A folder or a file: what is in it may be secret, where it is need not be."""
    with suppress(OSError, ValueError):
        return value.startswith("/") and Path(value).exists()
    return False


def _of_line(line: str, folder: Path, environs: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """What its references stand for. What is no secret by the key where it stands is none, but for what an address has
    in it."""
    is_open = _OPEN.search(line) and not _SECRET.search(line)
    for name in _VARIABLE.findall(line):
        for value in (environ[name] for environ in environs if name in environ):
            yield from _of_addresses(value)
            if not is_open:
                yield value
    for kind, name in {*_FILE.findall(line), *_QUOTED.findall(line)}:
        given = [Path(each[CREDENTIALS]) for each in environs if each.get(CREDENTIALS)]
        for each in [folder] if kind == "file" else given:
            yield from content(each / name)
    for name in _KEY.findall(line):
        yield from content(folder / name)


def content(path: Path) -> Iterator[str]:
    """The text of a file that holds a secret, as far as it can be read."""
    with suppress(OSError, ValueError):
        if path.is_file():
            with path.open("rb") as file:
                yield file.read(MAX_FILE).decode("utf-8-sig", "replace").strip()


def _of_addresses(text: str) -> Iterator[str]:
    """Users' passwords, and what is long in a path or a query of the web."""
    for url in _URL.findall(text):
        with suppress(ValueError):
            parts = urlsplit(url)
            for password in (parts.password, parts.username if not parts.password else None):
                if password:
                    yield password
                    yield unquote(password)
            web = parts.path.split("/") if parts.scheme.lower() in ("http", "https", "ws", "wss") else ()
            for piece in (*web, *(value for _, value in parse_qsl(parts.query))):
                if len(piece) >= LONG:
                    yield piece
                    yield unquote(piece)


def _of_data(data: Path) -> Iterator[str]:
    """The token of the agent's door, and private keys."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for said in content(data / "agent.json"):
            yield str(json.loads(said).get("token", ""))
    for key in ("own/key.pem", "next/key.pem"):
        yield from content(data / "pki" / key)


def _inside(folder: Path) -> Iterator[str]:
    for path in _listed(folder)[:MOST]:
        yield from content(path)


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []
