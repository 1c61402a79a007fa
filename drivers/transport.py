"""The seam to the wire: where a device is, and foreign errors turned into ours at the border."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.model.errors import AgentError

SCHEMES = ("tcp", "udp", "tls", "rtu", "ascii", "rtu+tcp", "ascii+tcp", "listen")
_HOST = re.compile(r"[\w.:%-]+")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a wire; `text` is the spelling of the configuration file, and errors use it."""

    text: str
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return self.text


def parse_endpoint(text: str, ports: Mapping[str, int]) -> Endpoint:
    """`tcp://plc-3`, `tcp://10.0.0.7:1502` or `tcp://[fe80::1]:502`.

    `ports` names the schemes that the driver speaks, each with its default port. Raises ValueError with the next step.
    """
    scheme, found, rest = text.partition("://")
    supported = " and ".join(f"{name}://HOST:PORT" for name in ports)
    if not found or scheme not in ports:
        known = "is not supported yet" if scheme in SCHEMES and found else "is not an endpoint"
        raise ValueError(f"{text!r} {known}: write {supported}")
    if rest.count(":") > 1 and not rest.startswith("["):
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as {scheme}://[::1]:502")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not an endpoint ({error}): write {supported}") from None
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"{text!r} has no usable host and port: write {supported}")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{text!r}: nothing may stand beside host and port: write {supported}")
    return Endpoint(text, scheme, host, ports[scheme] if port is None else port)


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
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
