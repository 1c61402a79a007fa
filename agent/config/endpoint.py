"""Endpoints compared as wires: `tcp://plc` and `tcp://PLC:502/` are one, and a serial port is one at any speed."""

from urllib.parse import urlsplit

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
        return f"serial://{parts.path}"
    if parts.scheme not in _PORTS or not host:
        return endpoint
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}{parts.path.rstrip('/')}"
