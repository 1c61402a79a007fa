"""How the other side proves who it is, and how we do: TLS 1.2 or newer, chain and host name always verified."""

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from agent.model.errors import Denied

WARNINGS = (30, 7, 1)  # days before a certificate expires
LOOK = 3600.0  # seconds between looks at certificates in use
_DAY = 86400.0
_KEPT = 100  # certificates of which it is known what has been said


class Ends(NamedTuple):
    """When a certificate expires: seconds UTC. `kind` is `own`, `server` or `authority`."""

    whose: str
    until: float
    remedy: str
    kind: str = "server"


def context(where: str, ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Reads the files as they are now, so it belongs into a thread. Raises Denied when they cannot be used."""
    try:
        made = ssl.create_default_context(cafile=ca or None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if cert:
            made.load_cert_chain(cert, key, password="")  # an encrypted key fails instead of asking
    except (OSError, ValueError) as error:
        files = ", ".join(file for file in (ca, cert, key) if file)
        raise Denied(f"{where}: the certificates cannot be used: {error}", hint=f"look at {files}") from error
    return made


def files(ca: str, cert: str) -> list[Ends]:
    """When what is in our own files expires, as far as they can be read; it belongs into a thread too.

    Of the authorities in `ca` it is the last to expire that counts: beside a new one, an old one may.
    """
    found = []
    try:
        if ca:
            authorities = ssl.create_default_context(cafile=ca).get_ca_certs()
            until = max((_moment(each) for each in authorities), default=0.0)
            if until:
                found.append(Ends(f"the authority in {ca}", until, "put its successor into the file", "authority"))
        if cert:
            from cryptography import x509  # noqa: PLC0415  # 5 MB that only who shows a certificate needs

            ours = x509.load_pem_x509_certificate(Path(cert).read_bytes())
            found.append(
                Ends(f"our certificate in {cert}", ours.not_valid_after_utc.timestamp(), "put a new one there", "own")
            )
    except (OSError, ValueError):
        pass  # the next connection says what is wrong with them
    return found


def shown(sock: object, where: str) -> Ends | None:
    """When the certificate expires that the other side of a TLS connection has shown, and that was found good."""
    peer = sock.getpeercert() if isinstance(sock, ssl.SSLSocket | ssl.SSLObject) else None
    return Ends(f"the certificate of {where}", _moment(peer), "it needs a new one") if peer else None


def _moment(certificate: Mapping[str, object]) -> float:
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


class Expiry:
    """Says once at 30, 7 and 1 days that a certificate expires, and once that it has; lives as long as a sink.

    `tell` hears until when they are good, by their kind.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        now: Callable[[], float] = time.time,
        tell: Callable[[Mapping[str, float]], None] = lambda _: None,
    ) -> None:
        self._say, self._now, self._tell = say, now, tell
        self._ends: dict[str, float] = {}
        self._said: dict[tuple[str, float], int] = {}

    def judge(self, certificates: Iterable[Ends | None]) -> None:
        for each in certificates:
            if each is not None:
                self._ends[each.kind] = each.until
                self._judge(each)
        self._tell(dict(self._ends))

    def _judge(self, ends: Ends) -> None:
        days = (ends.until - self._now()) / _DAY
        level = sum(days <= limit for limit in (*WARNINGS, 0))
        which = ends.whose, ends.until
        before = self._said.pop(which, 0)
        self._said[which] = max(level, before)
        if len(self._said) > _KEPT:
            del self._said[next(iter(self._said))]
        if level > before:
            verb = "expired" if level > len(WARNINGS) else "expires"
            self._say(
                f"{ends.whose} {verb} at {datetime.fromtimestamp(ends.until, UTC):%Y-%m-%d %H:%M} UTC: {ends.remedy}"
            )
