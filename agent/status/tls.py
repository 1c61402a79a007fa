"""The server's certificate: TLS 1.2 or newer, and read anew when its files change."""

import ssl
from collections.abc import Callable
from pathlib import Path

from agent.model.errors import AgentError

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """Call it for what a new connection is to be encrypted with.

    Files that cannot be used any more are told of once, and the last good ones stay.
    """

    def __init__(self, cert: Path, key: Path, noticed: Callable[[str], None]) -> None:
        """Raises AgentError."""
        self._cert, self._key, self._noticed = cert, key, noticed
        self._stamp = self._look()
        try:
            self._context = self._load()
        except (OSError, ValueError) as error:
            raise AgentError(f"status: tls: {_said(error)}", hint=f"look at {cert} and {key}") from error

    def __call__(self) -> ssl.SSLContext:
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = self._load()
            except (OSError, ValueError) as error:
                self._noticed(f"the new certificate cannot be used, and the old one stays: {_said(error)}")
        return self._context

    def _look(self) -> Stamp:
        try:
            found = [path.stat() for path in (self._cert, self._key)]
        except OSError:
            return ()
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)

    def _load(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.load_cert_chain(self._cert, self._key, password="")  # an encrypted key fails instead of asking
        return made


def _said(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
