"""How the servers of one device are reached: which security, whose certificates, which user; read anew each time."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicy
from cryptography import x509

from agent.model.errors import Refused
from drivers.opcua import certificates
from drivers.opcua.certificates import Distrusted, Peer
from drivers.opcua.config import Config, address
from drivers.opcua.pki import Own, Pki, private_key
from drivers.opcua.security import ANONYMOUS, MODES, POLICIES, PREFIX, Login


class Papers(NamedTuple):
    """What a secured connection is made with: who we are, who the server is, who the user is."""

    own: Own
    server: x509.Certificate
    login: Login

    def policy(self, endpoint: ua.EndpointDescription, mode: str) -> SecurityPolicy:
        name = str(endpoint.SecurityPolicyUri).removeprefix(PREFIX).replace("_", "")
        return POLICIES[name](self.server, self.own.certificate, self.own.key, MODES[mode])


@dataclass(frozen=True, slots=True)
class Access:
    """What the configuration says; `pki` is None when there is no data directory."""

    security: str = "none"
    mode: str = "encrypt"
    host: str = ""  # that the certificate must name, unless it is the endpoint's
    user: str = ""
    password: str = ""
    certificate: str = ""
    key: str = ""
    pki: Pki | None = None

    @property
    def secured(self) -> bool:
        return self.security != "none"

    def papers(self, endpoint: str, chosen: ua.EndpointDescription) -> Papers:
        """Blocks. Raises Refused: the server is not trusted, or something of ours cannot be used."""
        if self.pki is None:
            raise Refused(f"{endpoint}: there is no data directory for certificates", hint="name one with --data")
        try:
            own = self.pki.own()
            peer = Peer(str(chosen.Server.ApplicationUri or ""), self.host or address(endpoint)[0])
            return Papers(own, self.pki.vet(chosen.ServerCertificate or b"", peer), self._login())
        except Refused as error:
            raise Refused(f"{endpoint}: {error.message}", hint=error.hint) from error
        except OSError as error:
            raise Refused(f"{endpoint}: {error}", hint="can the agent read and write its data directory?") from error

    def _login(self) -> Login:
        if not self.certificate:
            return Login(self.user, self.password) if self.user else ANONYMOUS
        try:
            with Path(self.certificate).open("rb") as file:
                certificate = certificates.read(file.read(certificates.LONGEST + 1))[0]
            key = private_key(Path(self.key))
        except (Distrusted, OSError) as error:
            raise Refused(f"the user's certificate cannot be used: {error}") from error
        if key.public_key() != certificate.public_key():
            raise Refused(f"the user's key {self.key} does not belong to {self.certificate}")
        return Login(certificate=certificate, key=key)


OPEN = Access()


def access(config: Config, data: Path | None) -> Access:
    """What a device's configuration says of it; `data` is the data directory."""
    return Access(
        config.security,
        config.security_mode,
        config.certificate_host,
        config.user,
        config.password.get_secret_value() if config.password else "",
        config.user_certificate,
        config.user_key,
        None if data is None else Pki(data / "pki"),
    )
