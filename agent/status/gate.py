"""Who may ask: which names this server goes by, what a browser may not do in somebody's name, and how often one may be
wrong about a token."""

import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from ipaddress import ip_address

from agent.status.web import Refusal, Request

SAFE = ("GET", "HEAD")
FREE = 5  # wrong tokens before anybody has to wait
FIRST, LONGEST = 5.0, 60.0  # seconds
REMEMBERED = 1000  # addresses; the one that was quiet for longest is forgotten
FORGIVEN = 600.0  # seconds without a wrong token
_PORTS = {False: 80, True: 443}
HERE = ("127.0.0.1", "[::1]", "localhost")


class Hosts:
    """The names in a Host header that are ours, each with the port. Any other is a page of somebody else that had its
    name pointed at us (DNS rebinding)."""

    def __init__(self, listen: str, port: int, named: Iterable[str], *, tls: bool) -> None:
        self._scheme = "https" if tls else "http"
        names = {f"{host}:{port}" for host in (*HERE, listen)}
        for each in named:
            names |= {each.lower()} if _has_port(each) else {each.lower(), f"{each.lower()}:{port}"}
        default = f":{_PORTS[tls]}"
        self._names = names | {name.removesuffix(default) for name in names if name.endswith(default)}

    def check(self, request: Request) -> None:
        """Raises Refusal: 421 for a name that is not ours, 403 for a change that another page asks a browser for."""
        host = request.headers.get("host", "").lower()
        if host not in self._names:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "no such host here", "`status: hosts` names more of them")
        if request.method in SAFE:
            return
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "none")
        if origin not in (None, f"{self._scheme}://{host}") or site not in ("none", "same-origin"):
            raise Refusal(HTTPStatus.FORBIDDEN, "nothing is changed for a page of another site")


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal() and not name.endswith("]")


def from_here(remote: str) -> bool:
    try:
        return ip_address(remote).is_loopback
    except ValueError:
        return False


class Token:
    """A secret that is compared in the same time whatever is given."""

    def __init__(self, text: str) -> None:
        self._digest = digest(text)

    def opens(self, given: bytes) -> bool:
        """`given` is a digest."""
        return compare_digest(self._digest, given)


def digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


class Patience:
    """How long an address has to wait after wrong tokens: 5 s after the sixth, then twice as long each time, up to 60.

    A token that is wrong again and again counts once: a forgotten job must not lock out its neighbours.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: dict[str, _Tries] = {}

    def left(self, remote: str) -> float:
        """Seconds; 0: it may try."""
        tries = self._wrong.get(remote)
        return max(0.0, tries.until - self._now()) if tries else 0.0

    def failed(self, remote: str, given: bytes) -> None:
        now = self._now()
        tries = self._wrong.pop(remote, None)
        if tries is None or now - tries.last > FORGIVEN:
            tries = _Tries()
        self._wrong[remote] = tries
        if len(self._wrong) > REMEMBERED:
            del self._wrong[next(iter(self._wrong))]
        tries.last = now
        if given not in tries.given:
            tries.given = [*tries.given[-FREE:], given]
            tries.count += 1
            if tries.count > FREE:
                tries.until = now + min(LONGEST, FIRST * 2.0 ** min(tries.count - FREE - 1, 10))

    def passed(self, remote: str) -> None:
        self._wrong.pop(remote, None)


class _Tries:
    """Of one address."""

    __slots__ = ("count", "given", "last", "until")

    def __init__(self) -> None:
        self.count, self.until, self.last = 0, 0.0, 0.0
        self.given: list[bytes] = []


class Rate:
    """So many questions a second on average, and some more at once."""

    def __init__(self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = per_second, burst, now
        self._left, self._seen = float(burst), now()

    def take(self) -> float:
        """0: go on; else the seconds to wait."""
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return (1 - self._left) / self._rate
        self._left -= 1
        return 0.0
