"""Endpoints compared as wires: `tcp://plc` and `tcp://PLC:502/` are one, and a serial port is one at any speed."""

from contextlib import suppress
from ipaddress import IPv6Address
from urllib.parse import parse_qs, parse_qsl, urlsplit

_PORTS = {
    "tcp": 502,
    "udp": 502,
    "tls": 802,
    "rtu+tcp": 502,
    "ascii+tcp": 502,
    "opc.tcp": 4840,
}
_SERIAL = frozenset({"rtu", "ascii"})


def canonical(endpoint: str) -> str:
    """The spelling that all endpoints of one wire share; text that is no endpoint stays as it is."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        return endpoint
    if parts.scheme in _SERIAL:
        return f"serial://{parts.netloc.upper()}{parts.path}"  # COM3 is no path, and no file has a name in this place
    if parts.scheme == "listen" and port:
        name = parse_qs(parts.query).get("id", [""])[0]
        name = name.lower() if name.startswith("0x") else name
        return f"listen://{_shown(host)}:{port}{'?id=' if name else ''}{name}"
    if parts.scheme not in _PORTS or not host:
        return endpoint
    return f"{parts.scheme}://{_shown(host)}:{port or _PORTS[parts.scheme]}{parts.path.rstrip('/')}"


def shared(endpoint: str) -> str:
    """The spelling that all endpoints share whose drivers are built together: devices that dial in at one port are."""
    wire = canonical(endpoint)
    return wire.partition("?")[0] if wire.startswith("listen:") else wire


def settings(endpoint: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """How a serial port is to be set, in an order of no meaning; the same for all endpoints that are none."""
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return "", frozenset()
    return (parts.scheme, frozenset(parse_qsl(parts.query))) if parts.scheme in _SERIAL else ("", frozenset())


def _shown(host: str | None) -> str:
    if not host or ":" not in host:
        return host or ""
    with suppress(ValueError):
        host = str(IPv6Address(host))
    return f"[{host}]"
