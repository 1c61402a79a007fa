"""Which of a device's endpoints the next session is made with, and what expires that it needs."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from agent.model.errors import DeviceError, Refused, Unreachable
from drivers.opcua import certificates
from drivers.opcua.access import access
from drivers.opcua.channel import Left
from drivers.opcua.config import Config, every
from drivers.opcua.session import SESSION, Session

LOOK = 3600.0  # seconds between two looks at what expires
_WHOSE = {"our": "own", "the server's": "server"}
log = logging.getLogger("floorgate")


class Dial:
    """The endpoints of one device are tried in order, beginning with the one that worked last.

    `skew` is how many seconds the clock of the server that was tried last is ahead of ours, if it said so before a
    session (a secured one does, and signs it not); otherwise None.
    """

    def __init__(self, config: Config, timeout: float, data: Path | None) -> None:
        self._device, self._timeout, self._profile = config.name, timeout, config.profile
        self._access = access(config, data)
        self._endpoints, self._at = every(config.endpoint), 0
        self._last: dict[str, Session] = {}  # by endpoint: one that could not say goodbye is closed by the next
        self._expiry = Expiry(config.name)
        self.skew: float | None = None
        self.failed: Callable[[DeviceError], None] | None = None  # who wants to know that no session could be had

    @property
    def expiries(self) -> Mapping[str, float]:
        """Until when the certificates of the newest session are good: `own` and `server`, seconds UTC."""
        return self._expiry.ends

    async def session(self, idle: float = SESSION) -> Session:
        """A session that is open. Raises what the first endpoint raised, with what was wrong with the others."""
        failures: list[DeviceError] = []
        for step in range(len(self._endpoints)):
            at = (self._at + step) % len(self._endpoints)
            session = Session(
                self._endpoints[at],
                self._device,
                self._timeout,
                idle,
                self._access,
                profile=self._profile,
                before=self._left_at(self._endpoints[at]),
            )
            try:
                await session.open()
            except DeviceError as error:
                explain(error, session.skew, session.certificates.get("our"))
                failures.append(error)
                continue
            finally:
                self.skew = session.skew
                if session.left is not None:  # also by a try that failed
                    self._last[self._endpoints[at]] = session
            self._at = at
            self._expiry.watch(session)
            return session
        whole = _all(failures)
        if self.failed is not None:
            self.failed(whole)
        raise whole

    def _left_at(self, endpoint: str) -> Left | None:
        last = self._last.get(endpoint)
        return last.left if last else None


class Expiry:
    """Says once at 30, 7 and 1 days that a certificate expires, ours or the server's, and once that it has."""

    def __init__(self, device: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._device, self._now = device, now
        self._said: dict[str, int] = {}
        self._next = 0.0
        self.ends: Mapping[str, float] = {}  # of the newest session's certificates, seconds UTC

    def watch(self, session: Session) -> None:
        self.ends = {_WHOSE[of]: each.not_valid_after_utc.timestamp() for of, each in session.certificates.items()}
        session.tended = lambda: self.look(session.certificates)
        self._next = 0.0
        session.tended()

    def look(self, held: dict[str, x509.Certificate]) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK
        for whose, certificate in held.items():
            self._judge(whose, certificate)

    def _judge(self, whose: str, certificate: x509.Certificate) -> None:
        now = self._now()
        early = now < certificate.not_valid_before_utc  # it was made while this machine's clock was wrong
        level = 4 if early else certificates.alarm(certificate, now)
        name = certificates.fingerprint(certificate)
        before, self._said[name] = self._said.get(name, 0), level
        if level <= before:
            return
        moment = certificates.day(certificate.not_valid_before_utc if early else certificate.not_valid_after_utc)
        until = "expired at" if level > len(certificates.WARNINGS) else "expires at"
        until = "is not valid before" if early else until
        what = "make a new one with `floorgate pki renew`" if whose == "our" else "the server needs a new one"
        log.log(
            logging.ERROR if level > 2 else logging.WARNING,
            "device %s: %s certificate %s %s: %s",
            self._device,
            whose,
            until,
            moment,
            what,
            extra={"days": round(certificates.days_left(certificate, now), 1)},
        )


def explain(error: DeviceError, skew: float | None, ours: x509.Certificate | None) -> None:
    """Say it where our certificate is not in time by the server's clock: it refuses that, and seldom says why."""
    if skew is None or ours is None:
        return
    now = datetime.now(UTC) + timedelta(seconds=skew)
    if not ours.not_valid_before_utc <= now <= ours.not_valid_after_utc:
        begin, end = map(certificates.day, (ours.not_valid_before_utc, ours.not_valid_after_utc))
        error.message += f"; its clock says {certificates.day(now)}, our certificate is valid from {begin} to {end}"
        error.hint = "set the server's clock"


def _all(failures: list[DeviceError]) -> DeviceError:
    """As one: it is a refusal only when every server refused."""
    first = failures[0]
    if len(failures) == 1:
        return first
    kind = Refused if all(isinstance(each, Refused) for each in failures) else Unreachable
    hints = dict.fromkeys(each.hint for each in failures if each.hint)
    return kind("; ".join(each.message for each in failures), hint="; ".join(hints))
