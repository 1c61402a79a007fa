"""The certificates of the plant's servers: made once and kept, so that who trusts them need not do so again."""

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from agent.model.errors import AgentError

HOSTNAME = "localhost"  # at which servers that encrypt are reached
URI = "urn:floorgate:simulated"


class Papers:
    """Files in `folder`, which is made when the first of them is wanted; one certificate for each host name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def der(self, host: str = "") -> Path:
        return self._file(host, "der")

    def _file(self, host: str, ending: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', host or HOSTNAME).lstrip('.')}.{ending}"

    def pem(self, host: str = "") -> tuple[Path, Path]:
        """Certificate and key, in PEM. Raises AgentError."""
        host = host or HOSTNAME
        cert, key = self._file(host, "pem"), self._file(host, "key.pem")
        if cert.exists() and key.exists():
            return cert, key
        from drivers.opcua.certificates import make  # noqa: PLC0415  # loads only where something is encrypted

        try:
            private, public = make(URI, host, datetime.now(UTC))
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            key.touch(0o600)
            key.write_bytes(private)
            self.der(host).write_bytes(public)
            cert.write_text(ssl.DER_cert_to_PEM_cert(public), "ascii")
        except OSError as error:
            said = f"{error.filename or self.folder}: {error.strerror}"
            raise AgentError(said, hint="name a file in a folder of yours with --out") from error
        except ValueError as error:
            raise AgentError(f"the plant gets no certificate: {error}") from error
        return cert, key
