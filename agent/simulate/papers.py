"""The certificate of the plant's servers: made once and kept, so that who trusts it need not do so again."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from agent.model.errors import AgentError

HOSTNAME = "localhost"  # for which it is made out
URI = "urn:floorgate:simulated"


class Papers:
    """Files in `folder`, which is made when the first of them is wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def der(self) -> Path:
        return self.folder / "server.der"

    def pem(self) -> tuple[Path, Path]:
        """Certificate and key, in PEM. Raises AgentError."""
        cert, key = self.folder / "server.pem", self.folder / "key.pem"
        if cert.exists() and key.exists():
            return cert, key
        from drivers.opcua.certificates import make  # noqa: PLC0415  # loads only where something is encrypted

        try:
            private, public = make(URI, HOSTNAME, datetime.now(UTC))
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            key.touch(0o600)
            key.write_bytes(private)
            self.der.write_bytes(public)
            cert.write_text(ssl.DER_cert_to_PEM_cert(public), "ascii")
        except OSError as error:
            said = f"{error.filename or self.folder}: {error.strerror}"
            raise AgentError(said, hint="name a file in a folder of yours with --out") from error
        except ValueError as error:
            raise AgentError(f"the plant gets no certificate: {error}") from error
        return cert, key
