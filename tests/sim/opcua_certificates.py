"""Certificates of servers and issuers for tests; the keys, which are slow to make, are made once for each process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER = "urn:floorgate:press:server"  # the application URI of `node/opcua_server.js`
NOW = datetime.now(UTC)


@cache
def key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def sha256(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def files(self, folder: Path, name: str = "server") -> dict[str, Path]:
        """As PEM files, for `node_opcua_server(**made.files(…))`."""
        folder.mkdir(parents=True, exist_ok=True)
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        certificate, secret = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem)
        secret.write_bytes(self.key.private_bytes(*pem))
        secret.chmod(0o600)
        return {"certificate": certificate, "key": secret}


def made(
    name: str = "press",
    *,
    uri: str = SERVER,
    hosts: Sequence[str] = ("127.0.0.1", "localhost"),
    begins: datetime = NOW - timedelta(days=1),
    ends: datetime = NOW + timedelta(days=365),
    issuer: Made | None = None,
    ca: bool = False,
    bits: int = 2048,
    number: int = 0,
    purposes: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    length: int | None = None,
    critical: Sequence[x509.ExtensionType] = (),
) -> Made:
    """A certificate: self-signed, or by `issuer`; `number` chooses its key, `length` bounds the issuers below it."""
    own = key(number, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
        .add_extension(_usage(ca=ca), critical=True)
    )
    for each in critical:
        built = built.add_extension(each, critical=True)
    if not ca:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)] if uri else []
        built = built.add_extension(x509.SubjectAlternativeName([*names, *map(_host, hosts)]), critical=False)
        if purposes:
            built = built.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Made(built.sign(issuer.key if issuer else own, hashes.SHA256()), own)


def revoking(issuer: Made, *revoked: Made) -> bytes:
    """A revocation list (PEM)."""
    built = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    built = built.last_update(NOW - timedelta(hours=1)).next_update(NOW + timedelta(days=30))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number).revocation_date(NOW)
        built = built.add_revoked_certificate(entry.build())
    return built.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=not ca,
        key_encipherment=not ca,
        data_encipherment=not ca,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
