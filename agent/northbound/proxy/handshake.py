"""What is said to a proxy and what it may answer: CONNECT (RFC 9110 §9.3.6) and SOCKS5 (RFC 1928, 1929); no I/O.

A handshake is a generator: it yields what is to be sent, nothing when it wants to hear more, and is sent what came. It
ends when the tunnel stands. It raises Denied and Unavailable; the password is in none of them.
"""

import base64
import ipaddress
import re
from collections.abc import Generator

from agent.model.errors import Denied, SinkError, Unavailable
from agent.northbound.proxy.config import Proxy

Handshake = Generator[bytes, bytes, None]
LARGEST = 16_384  # bytes of an answer of HTTP

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: ([^\r\n]{0,80}))?")
_WANTS = re.compile(rb"^proxy-authenticate:[ \t]*([A-Za-z0-9_-]{1,20})", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")
_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
_SOCKS, _NOBODY, _BY_PASSWORD, _NO_WAY = 5, 0, 2, 0xFF
_NOT_ALLOWED = 2
_LENGTHS = {1: 4, 4: 16}  # bytes of an address, by its type; a name (3) has its own before it
_BY_NAME = 3


def handshake(proxy: Proxy, host: str, port: int, where: str) -> Handshake:
    """To `host`, which the proxy looks up when it is a name; `where` is what errors begin with."""
    where = f"{where} through the proxy {proxy.host}:{proxy.port}"
    return (_socks5 if proxy.scheme == "socks5" else _connect)(proxy, host, port, where)


def _connect(proxy: Proxy, host: str, port: int, where: str) -> Handshake:
    target = f"[{host}]:{port}" if ":" in host else f"{host.encode('idna').decode()}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user:
        login = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    answer = yield "\r\n".join([*lines, "", ""]).encode()
    while not (end := _END.search(answer)):
        if not b"HTTP/1."[: len(answer)] == answer[:7] or len(answer) > LARGEST:
            raise _no_proxy(where, "HTTP")
        answer += yield b""
    status = _STATUS.match(answer)
    if status is None:
        raise _no_proxy(where, "HTTP")
    if not status[1].startswith(b"2"):
        raise _refused(proxy, answer[: end.start()], status, port, where)
    if end.end() < len(answer):
        raise _too_much(where)


def _refused(proxy: Proxy, answer: bytes, status: re.Match[bytes], port: int, where: str) -> SinkError:
    code, phrase = int(status[1]), (status[2] or b"").decode("ascii", "replace")
    text = f"{where}: HTTP {code} {''.join(letter if letter.isprintable() else '?' for letter in phrase)}".rstrip()
    if code in {401, 407}:  # tinyproxy says 407 to who does not log in, and 401 to who gets it wrong
        wants = [scheme.decode() for scheme in _WANTS.findall(answer)]
        if wants and "basic" not in {scheme.lower() for scheme in wants}:
            return Denied(text, hint=f"the proxy wants {', '.join(wants[:5])}, and only Basic is spoken here")
        return Denied(text, hint="check `proxy_user` and `proxy_password`")
    if code == 403:
        return Denied(text, hint=f"the proxy's rules have to allow CONNECT to port {port}")
    if code in {400, 404, 405, 501}:
        return Denied(text, hint="is it a proxy, and does it know CONNECT?")
    return Unavailable(text, hint="does the proxy get there?")


class _Talk:
    """Pieces of a fixed size out of what comes."""

    def __init__(self) -> None:
        self.came = bytearray()

    def ask(self, question: bytes, size: int) -> Generator[bytes, bytes, bytes]:
        """The first `size` bytes of what comes after the question."""
        self.came += yield question
        return (yield from self.more(size))

    def more(self, size: int) -> Generator[bytes, bytes, bytes]:
        while len(self.came) < size:
            self.came += yield b""
        piece = bytes(self.came[:size])
        del self.came[:size]
        return piece


def _socks5(proxy: Proxy, host: str, port: int, where: str) -> Handshake:
    talk = _Talk()
    yield from _log_in(talk, proxy, where)
    question = b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big")
    version, reply, _, kind = yield from talk.ask(question, 4)
    if version != _SOCKS:
        raise _no_proxy(where, "SOCKS5")
    if reply:
        said = f"{where}: {_REPLIES.get(reply, 'unknown reason')} ({reply})"
        if reply == _NOT_ALLOWED:
            raise Denied(said, hint=f"the proxy's rules have to allow {host}:{port}")
        raise Unavailable(said, hint="does the proxy get there?")
    length = (yield from talk.more(1))[0] if kind == _BY_NAME else _LENGTHS.get(kind)
    if length is None:
        raise _no_proxy(where, "SOCKS5")
    yield from talk.more(length + 2)
    if talk.came:
        raise _too_much(where)


def _log_in(talk: _Talk, proxy: Proxy, where: str) -> Handshake:
    ways = bytes((_NOBODY, _BY_PASSWORD)) if proxy.user else bytes((_NOBODY,))
    version, way = yield from talk.ask(bytes((_SOCKS, len(ways))) + ways, 2)
    if version != _SOCKS or way not in {*ways, _NO_WAY}:
        raise _no_proxy(where, "SOCKS5")
    if way == _NO_WAY:
        raise Denied(f"{where}: it takes none of our ways to log in", hint="check `proxy_user` and `proxy_password`")
    if way == _BY_PASSWORD:
        user, password = proxy.user.encode(), proxy.password.encode()
        login = b"\x01%c%b%c%b" % (len(user), user, len(password), password)
        if (yield from talk.ask(login, 2))[1]:
            raise Denied(f"{where}: it does not let us in", hint="check `proxy_user` and `proxy_password`")


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        return bytes((_BY_NAME, len(name))) + name
    return bytes((1 if address.version == 4 else 4,)) + address.packed


def _no_proxy(where: str, kind: str) -> SinkError:
    return Unavailable(f"{where}: what answers is no {kind} proxy", hint="is `proxy` right?")


def _too_much(where: str) -> SinkError:
    return Unavailable(f"{where}: it says more than that the way is free", hint="is `proxy` right?")
