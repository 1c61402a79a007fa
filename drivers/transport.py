"""The seam to the wire: where a device is, and foreign errors turned into ours at the border."""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from agent.model.errors import AgentError

SCHEMES = ("tcp", "udp", "tls", "rtu", "ascii", "rtu+tcp", "ascii+tcp", "listen")
SERIAL = ("rtu", "ascii")
PARITIES = {"N": "none", "E": "even", "O": "odd", "M": "mark", "S": "space"}
BAUDS = (50, 4_000_000)
MAX_ID = 64  # characters of a registration packet
LONGEST = 1024  # characters of an endpoint
_HEX = re.compile(r"0x([0-9A-Fa-f]{2})+")
_HOST = re.compile(r"[\w.:%-]+")
_PATH = re.compile(r"/[^\0?#]+|COM\d{1,3}|//\./COM\d{1,3}", re.IGNORECASE)
_SWITCH = {"on": True, "off": False, "1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Serial:
    """How a serial port is set. The defaults are those that most meters leave the factory with.

    `rs485` lets the driver of the port switch the direction by RTS; `before` and `after` are the seconds that it waits
    then around a frame, `rts` the level of RTS while it sends. `echo`: the adapter hears what it sends.
    """

    path: str
    baud: int = 9600
    data: int = 8
    parity: str = "N"
    stop: float = 1
    rs485: bool = False
    rts: bool = True
    before: float = 0.0
    after: float = 0.0
    echo: bool = False

    def __str__(self) -> str:
        return f"{self.path} {self.baud} {self.data}{self.parity}{self.stop:g}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a wire; `text` is the spelling of the configuration file, and errors use it.

    `serial` is there for serial ports, which have no host and port; `id` is what a device that dials in says first.
    """

    text: str
    scheme: str
    host: str
    port: int
    serial: Serial | None = None
    id: str = ""

    @property
    def ascii(self) -> bool:
        return self.scheme.startswith("ascii")

    def __str__(self) -> str:
        return self.text


def parse_endpoint(text: str, ports: Mapping[str, int]) -> Endpoint:
    """`tcp://plc-3`, `tcp://[fe80::1]:502`, `rtu:///dev/ttyUSB0?baud=9600&parity=E`, `listen://:8899?id=boiler-7`.

    `ports` names the schemes that the driver speaks, each with its default port. Raises ValueError with the next step.
    """
    scheme, found, rest = text.partition("://")
    supported = ", ".join(_shape(name) for name in ports)
    if len(text) > LONGEST:
        raise ValueError(f"{text[:40]!r}… is longer than {LONGEST} characters: write {supported}")
    if not found or scheme not in ports:
        known = "is not supported by this driver" if scheme in SCHEMES and found else "is not an endpoint"
        raise ValueError(f"{text!r} {known}: write {supported}")
    if scheme in SERIAL:
        return Endpoint(text, scheme, "", 0, _serial(text, rest, data=7 if scheme == "ascii" else 8))
    if rest.count(":") > 1 and not rest.startswith("["):
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as {scheme}://[::1]:502")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not an endpoint ({error}): write {_shape(scheme)}") from None
    if scheme == "listen":
        return _listening(text, parts, host, port)
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"{text!r} has no usable host and port: write {_shape(scheme)}")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r}: nothing may stand beside host and port: write {_shape(scheme)}")
    return Endpoint(text, scheme, host, ports[scheme] if port is None else port)


def _shape(scheme: str) -> str:
    if scheme in SERIAL:
        return f"{scheme}:///dev/ttyUSB0?baud=9600&parity=E"
    return "listen://:PORT?id=ID" if scheme == "listen" else f"{scheme}://HOST:PORT"


def _listening(text: str, parts: SplitResult, host: str, port: int | None) -> Endpoint:
    """A port of ours at which devices dial in; without a host on all interfaces."""
    if not port or (host and not _HOST.fullmatch(host)) or parts.path.strip("/") or "@" in parts.netloc:
        raise ValueError(f"{text!r} names no port of this machine: write {_shape('listen')}")
    found = _options(text, parts.query, ("id",))
    name = found.get("id", "")
    if len(name) > MAX_ID or not name.isascii() or (name.startswith("0x") and not _HEX.fullmatch(name)):
        raise ValueError(f"{text!r}: an id is at most {MAX_ID} characters of ASCII, or bytes as 0x7E01…")
    return Endpoint(text, "listen", host, port, id=name.lower() if name.startswith("0x") else name)


def _options(text: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known or key in found:
            wrong = "is said twice" if key in found else "is not known"
            raise ValueError(f"{text!r}: {key!r} {wrong}: one of {', '.join(known)}")
        found[key] = value
    return found


def _serial(text: str, rest: str, data: int) -> Serial:
    path, _, query = rest.partition("?")
    if not _PATH.fullmatch(path):
        raise ValueError(f"{text!r} names no serial port: write {text.partition(':')[0]}:///dev/ttyUSB0?baud=9600")
    given = _options(text, query, tuple(field.name for field in fields(Serial) if field.name != "path"))
    try:
        settings: dict[str, Any] = {key: _setting(key, value) for key, value in given.items()}
        return Serial(path, **{"data": data, **settings})
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _setting(key: str, value: str) -> bool | int | float | str:
    """One line setting. Raises ValueError."""
    if key in ("rs485", "rts", "echo"):
        if value.lower() not in _SWITCH:
            raise ValueError(f"{key}={value} must be on or off")
        return _SWITCH[value.lower()]
    if key == "parity":
        letter = {name: letter for letter, name in PARITIES.items()}.get(value.lower(), value.upper())
        if letter not in PARITIES:
            raise ValueError(f"parity={value} must be N, E, O, M or S")
        return letter
    if key in ("before", "after"):
        return _within(key, value, 0.0, 1.0)
    if key == "stop":
        return _one_of(key, value, (1.0, 1.5, 2.0))
    if key == "data":
        return int(_one_of(key, value, (7.0, 8.0)))
    return int(_within(key, value, *BAUDS))


def _one_of(key: str, value: str, known: tuple[float, ...]) -> float:
    found = _within(key, value, known[0], known[-1])
    if found not in known:
        raise ValueError(f"{key}={value} must be one of {', '.join(f'{each:g}' for each in known)}")
    return found


def _within(key: str, value: str, low: float, high: float) -> float:
    try:
        found = float(value)
    except ValueError:
        raise ValueError(f"{key}={value} must be a number") from None
    if not low <= found <= high:
        raise ValueError(f"{key}={value} must be between {low:g} and {high:g}")
    return found


@contextmanager
def mapped(table: Mapping[type[Exception], type[AgentError]], what: str, *, hint: str = "") -> Iterator[None]:
    """Raise ours for theirs: `with mapped({TimeoutError: Unreachable, OSError: Unreachable}, "plc-3: connect"): …`

    The first entry that fits decides, so narrow types stand before wide ones. `what` says what was tried with what.
    """
    try:
        yield
    except tuple(table) as error:
        ours = next(ours for theirs, ours in table.items() if isinstance(error, theirs))
        raise ours(f"{what}: {reason(error)}", hint=hint) from error


def reason(error: BaseException) -> str:
    """Why, in the words of the operating system where it has some."""
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved ({error.strerror})"
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    if len(error.args) == 2 and isinstance(error.args[1], str):  # termios.error: number and text, and no OSError
        return error.args[1].lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return f"no TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
