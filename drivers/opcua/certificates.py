"""What certificates of OPC UA applications must be (part 6, 6.2.2): made, read and checked, without the disk."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from agent.model.text import plain

YEARS = 10
BITS = 2048  # every policy takes it, and small controllers take seconds for more
LONGEST = 64 << 10  # bytes of one certificate with its chain
LONGEST_LIST = 4 << 20  # bytes of a revocation list: some hundred thousand certificates
DEEPEST = 5  # certificates between a server and the root of its issuers
BUILT = datetime(2025, 1, 1, tzinfo=UTC)  # a clock that says less is wrong
LATEST = datetime(2100, 1, 1, tzinfo=UTC)  # or that says more
MOST_SAID = 200  # characters of the names in a certificate
WARNINGS = (30, 7, 1)  # days before a certificate expires
_PEM = b"-----BEGIN "
_SEQUENCE = tuple(bytes((0x30, 0x80 + size)) for size in range(1, 5))  # how DER begins
_UNDERSTOOD = frozenset(  # extensions that are looked at, or say nothing about trust
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
UNREADABLE = (  # what cryptography raises over bytes that are no certificate, some of it only when a part is looked at
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class Distrusted(ValueError):
    """What is wrong with a certificate; `hint` is the next step. `unknown`: nobody has decided about it yet."""

    def __init__(self, message: str, hint: str = "", *, unknown: bool = False) -> None:
        super().__init__(message)
        self.hint, self.unknown = hint, unknown


class Bundle(NamedTuple):
    """What vouches for others: certificates that are trusted, issuers that complete a chain, lists of revoked ones."""

    trusted: Sequence[x509.Certificate] = ()
    issuers: Sequence[x509.Certificate] = ()
    revoked: Sequence[x509.CertificateRevocationList] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a certificate must belong to: the application, and one of the hosts by which it is reached."""

    uri: str
    host: str


def make(uri: str, host: str, now: datetime) -> tuple[bytes, bytes]:
    """A key (PEM) and its self-signed certificate (DER). Raises Distrusted when the clock cannot be right."""
    if not BUILT <= now < LATEST:
        raise Distrusted(f"no certificate can be made: this machine's clock says {day(now)}", "set the clock first")
    key = rsa.generate_private_key(65537, BITS)
    common = x509.NameAttribute(NameOID.COMMON_NAME, f"Floorgate {host}"[:64])
    name = x509.Name([common, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Floorgate")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a server's clock may be behind
        .not_valid_after(_years_later(now))
    )
    for extension, critical in _extensions(key.public_key(), uri, host):
        built = built.add_extension(extension, critical)
    certificate = built.sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, der(certificate)


def _extensions(key: rsa.RSAPublicKey, uri: str, host: str) -> list[tuple[x509.ExtensionType, bool]]:
    """As strict servers want them; one that is self-signed is its own issuer, hence `key_cert_sign`."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if host:
        names.append(x509.DNSName(host))
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return [
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key), False),
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]


def _years_later(now: datetime) -> datetime:
    return now + timedelta(days=365 * YEARS + YEARS // 4)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def read(data: bytes) -> list[x509.Certificate]:
    """The certificates in a file or a message: PEM, or DER with the chain behind it. Raises Distrusted."""
    if len(data) > LONGEST:
        raise Distrusted(f"a certificate of {len(data):,} bytes is too long")
    try:
        found = x509.load_pem_x509_certificates(data) if _is_pem(data) else _split(data)
    except UNREADABLE as error:
        raise Distrusted(f"this is no certificate: {error}") from error
    if not found:
        raise Distrusted("there is no certificate")
    return found


def _is_pem(data: bytes) -> bool:
    """Tools put text for people before it."""
    return _PEM in data and not data.startswith(_SEQUENCE)


def _split(data: bytes) -> list[x509.Certificate]:
    """Certificates in DER, one after the other; each begins with its own length."""
    found: list[x509.Certificate] = []
    while data and len(found) <= DEEPEST:
        if len(data) < 4 or data[:2] != b"\x30\x82":
            raise ValueError("it does not begin like one")
        end = 4 + int.from_bytes(data[2:4], "big")
        found.append(x509.load_der_x509_certificate(data[:end]))
        data = data[end:]
    return found


def read_revoked(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list, PEM or DER. Raises Distrusted."""
    if len(data) > LONGEST_LIST:
        raise Distrusted(f"it has more than {LONGEST_LIST:,} bytes")
    try:
        return x509.load_pem_x509_crl(data) if _is_pem(data) else x509.load_der_x509_crl(data)
    except UNREADABLE as error:
        raise Distrusted(f"this is no revocation list: {error}") from error


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, in lower case hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1, as most tools of OPC UA show it."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  # a name that other tools show, no proof


def subject(certificate: x509.Certificate) -> str:
    """One line for people, whatever stands in it."""
    with suppress(*UNREADABLE):
        text = certificate.subject.rfc4514_string()
        return "".join(c if c.isprintable() else "?" for c in text)[:200] or "(no name)"
    return "(unreadable name)"


def uris(certificate: x509.Certificate) -> list[str]:
    names = _alternatives(certificate)
    return [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)


def hosts(certificate: x509.Certificate) -> list[str]:
    """Names and addresses, in lower case."""
    names = _alternatives(certificate)
    if names is None:
        return []
    listed = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return [host.lower().rstrip(".") for host in listed]


def day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def days_left(certificate: x509.Certificate, now: datetime) -> float:
    return (certificate.not_valid_after_utc - now) / timedelta(days=1)


def alarm(certificate: x509.Certificate, now: datetime) -> int:
    """How urgent its expiry is: 0 not, 1 within 30 days, 2 within 7, 3 within a day, 4 it has expired."""
    left = days_left(certificate, now)
    return sum(left <= limit for limit in (*WARNINGS, 0))


def check(
    certificate: x509.Certificate, sent: Sequence[x509.Certificate], peer: Peer, bundle: Bundle, now: datetime
) -> None:
    """Whether this server is trusted, and is the one that is meant. Raises Distrusted.

    `sent` are the issuers that came with it, of which nothing is believed that is not signed.
    """
    try:
        _check(certificate, sent, peer, bundle, now)
    except Distrusted:
        raise
    except UNREADABLE as error:
        raise Distrusted(f"it cannot be read: {error}") from error


def _check(
    certificate: x509.Certificate, sent: Sequence[x509.Certificate], peer: Peer, bundle: Bundle, now: datetime
) -> None:
    _is_strong(certificate)
    chain = _chain(certificate, sent, bundle, now)
    _is_not_revoked(certificate, chain, bundle)
    for each in (certificate, *chain):
        _is_in_time(each, now)
    if peer.uri not in uris(certificate):
        named, says = _said(uris(certificate)) or "none", _said([peer.uri]) or "nameless"
        raise Distrusted(
            f"it is made out to the application {named}, but the server says that it is {says}",
            "the server's certificate must be made anew for its application URI",
        )
    if not _is_host(peer.host, hosts(certificate)):
        named = _said(hosts(certificate)) or "no host"
        raise Distrusted(
            f"it is made out to {named}, not to {peer.host}",
            "is this the right server? if it is known by another name there, write that as `certificate_host`",
        )


def _said(names: Sequence[str]) -> str:
    """As much of them as a person reads, with nothing that would steer the terminal."""
    text = plain(", ".join(names)[:MOST_SAID])
    return text if len(text) < MOST_SAID else f"{text[: MOST_SAID - 1]}…"


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *UNREADABLE):
        return None


def _is_strong(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Distrusted("its key is not RSA, which the policies of this agent need")
    if not BITS <= key.key_size <= 4096:
        raise Distrusted(f"its key has {key.key_size} bits", "the server needs a certificate with 2048 to 4096 bits")


def _chain(
    certificate: x509.Certificate, sent: Sequence[x509.Certificate], bundle: Bundle, now: datetime
) -> list[x509.Certificate]:
    """Its issuers up to the first that is trusted; none when it is trusted itself. Raises Distrusted.

    An issuer may have been renewed, with the same name and key: then the one that is trusted goes before, and the one
    that is in time.
    """
    if certificate in bundle.trusted:
        return []
    chain: list[x509.Certificate] = []
    last = certificate
    while len(chain) < DEEPEST:
        known = (*bundle.trusted, *bundle.issuers, *sent)
        fit = [each for each in known if _issued(each, last, len(chain))]
        if not fit or last in fit:
            break
        issuer = min(fit, key=lambda each: (each not in bundle.trusted, not _covers(each, now)))
        chain.append(issuer)
        if issuer in bundle.trusted:
            _is_for_servers(certificate)
            _are_understood((certificate, *chain))
            return chain
        last = issuer
    raise Distrusted("nobody has said that it is to be trusted", unknown=True)


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, between: int) -> bool:
    """Whether it signed that one, and may, with so many issuers between it and the server."""
    if issuer.subject != certificate.issuer:
        return False
    try:
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not limits.ca or (limits.path_length is not None and between > limits.path_length):
            return False
        if not _usage(issuer, "key_cert_sign"):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE):
        return False
    return True


def _usage(certificate: x509.Certificate, name: str) -> bool:
    """Whether its key may be used for that; a certificate without a word about it may be used for all."""
    try:
        return bool(getattr(certificate.extensions.get_extension_for_class(x509.KeyUsage).value, name))
    except x509.ExtensionNotFound:
        return True


def _is_for_servers(certificate: x509.Certificate) -> None:
    """One of many that an issuer signed may be a person's; one that is trusted by itself was looked at."""
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        fit = ExtendedKeyUsageOID.SERVER_AUTH in purposes and _usage(certificate, "digital_signature")
    except x509.ExtensionNotFound:
        fit = _usage(certificate, "digital_signature")
    if not fit:
        raise Distrusted("it is not made for a server", "the server needs a certificate of its own")


def _are_understood(chain: Sequence[x509.Certificate]) -> None:
    """An issuer may have narrowed what it vouches for; what is not understood is no licence (RFC 5280, 4.2)."""
    for each in chain:
        strange = [found.oid for found in each.extensions if found.critical and found.oid not in _UNDERSTOOD]
        if strange:
            raise Distrusted(
                f"{subject(each)} has a critical extension that is not understood here: {strange[0].dotted_string}",
                "compare the fingerprint at the server, then trust its own certificate",
            )


def _is_not_revoked(certificate: x509.Certificate, chain: Sequence[x509.Certificate], bundle: Bundle) -> None:
    known = (*chain, *bundle.trusted, *bundle.issuers)
    for each in (certificate, *chain):
        lists = (listed for listed in bundle.revoked if listed.issuer == each.issuer)
        named = (listed for listed in lists if listed.get_revoked_certificate_by_serial_number(each.serial_number))
        if any(_signed(listed, issuer) for listed in named for issuer in known):
            raise Distrusted(f"{subject(each)} was revoked by its issuer", "the server needs a new certificate")


def _signed(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if issuer.subject != listed.issuer:
        return False
    try:
        return listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # of another kind: a TypeError
    except (InvalidSignature, *UNREADABLE):
        return False


def _covers(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_in_time(certificate: x509.Certificate, now: datetime) -> None:
    clock = f"this machine's clock says {day(now)}"
    if now < certificate.not_valid_before_utc:
        raise Distrusted(
            f"{subject(certificate)} is valid from {day(certificate.not_valid_before_utc)} on, and {clock}",
            "set the clock" if now < BUILT else "is this machine's clock right, and the server's?",
        )
    if now > certificate.not_valid_after_utc:
        raise Distrusted(
            f"{subject(certificate)} expired at {day(certificate.not_valid_after_utc)}, and {clock}",
            "the server needs a new certificate, if the clock is right",
        )


def _is_host(host: str, listed: Sequence[str]) -> bool:
    wanted = host.lower().rstrip(".")
    try:
        return str(ip_address(wanted)) in {_plain(each) for each in listed}
    except ValueError:
        return wanted in listed


def _plain(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return host
