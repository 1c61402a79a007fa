"""The gateway's own certificate and those that it trusts, as files under `data/pki`.

`own/` holds `cert.der` and `key.pem`, made once and kept; `trusted/`, `issuers/` and `rejected/` hold certificates of
servers and of who signed them. All of it is read anew for each connection, so that what a person decides holds at once.
Everything here blocks: it belongs into a thread.
"""

import re
import secrets
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from agent.model.errors import Refused
from drivers.opcua import certificates
from drivers.opcua.certificates import LONGEST, LONGEST_LIST, Bundle, Distrusted, Peer
from drivers.opcua.files import locked, make_folder, write

Shelf = Literal["trusted", "rejected", "issuers"]
SHELVES: tuple[Shelf, ...] = ("trusted", "rejected", "issuers")
KEPT = 50  # certificates that wait in rejected/; the oldest go
MOST = 500  # files that are looked at in one folder
SHORTEST = 16  # digits of a fingerprint that name a certificate
_SUFFIXES = (".der", ".crt", ".cer", ".pem")


@dataclass(frozen=True, slots=True)
class Own:
    """Who we are: the certificate (DER), its key, and the application URI in it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    uri: str


@dataclass(frozen=True, slots=True)
class Filed:
    """A certificate in a folder."""

    shelf: Shelf
    path: Path
    certificate: x509.Certificate


class Pki:
    """The folder `root`, which is made when something is first put into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._own = root / "own"

    def own(self, now: datetime | None = None) -> Own:
        """Our certificate; the first time it is made. Raises Refused when it cannot be had: it is never replaced."""
        if not self._own.exists():
            with self._locked():
                self._make_if_missing(now or datetime.now(UTC))
        return self._load()

    def renew(self, now: datetime | None = None) -> tuple[Own, Path | None]:
        """A new key and certificate with the application URI of the old one, and where that lies now."""
        moment = now or datetime.now(UTC)
        with self._locked():
            uri = self._uri()
            self._stage(uri or _application_uri(), moment)
            aside = self._put_aside(moment) if self._own.exists() else None
            self._staged.rename(self._own)
        return self._load(), aside

    def vet(self, data: bytes, peer: Peer, now: datetime | None = None) -> x509.Certificate:
        """The server's certificate, if it is trusted. Raises Refused; one that nobody knows is set aside first."""
        certificate = None
        try:
            certificate, *sent = certificates.read(data)
            certificates.check(certificate, sent, peer, self.bundle(), now or datetime.now(UTC))
        except Distrusted as error:
            raise self._refusal(error, certificate, peer) from error
        return certificate

    def bundle(self) -> Bundle:
        trusted, issuers = (tuple(each.certificate for each in self.filed(name)) for name in ("trusted", "issuers"))
        return Bundle(trusted, issuers, tuple(self._revoked()))

    def filed(self, *shelves: Shelf) -> list[Filed]:
        """The certificates in these folders, or in all; what is none is passed over."""
        found: list[Filed] = []
        for shelf in shelves or SHELVES:
            for path in self._files(shelf, _SUFFIXES):
                with suppress(Distrusted, OSError):
                    found += (Filed(shelf, path, each) for each in certificates.read(_content(path)))
        return found

    def find(self, digits: str, *shelves: Shelf) -> Filed:
        """The certificate with this fingerprint, SHA-256 or SHA-1, of which the first 16 digits do. Raises Refused."""
        wanted = re.sub(r"[\s:]", "", digits).lower()
        if len(wanted) < SHORTEST or not re.fullmatch("[0-9a-f]+", wanted):
            raise Refused(f"{digits!r} is no fingerprint", hint=f"give its first {SHORTEST} digits, or all of them")
        found: dict[x509.Certificate, Filed] = {}
        for each in self.filed(*shelves):
            if _has(each.certificate, wanted):
                found.setdefault(each.certificate, each)  # it may lie in several files
        if len(found) != 1:
            where = " or ".join(f"{shelf}/" for shelf in shelves or SHELVES)
            what = "no certificate" if not found else f"{len(found)} certificates"
            raise Refused(f"{what} with the fingerprint {digits} in {where}", hint="see `floorgate pki list`")
        return next(iter(found.values()))

    def move(self, filed: Filed, shelf: Shelf) -> Path:
        """Into another folder, out of every file of the one where it was; what else these hold stays there."""
        target = self._put(filed.certificate, shelf)
        self._take_out(filed.certificate, filed.shelf)
        return target

    def _take_out(self, certificate: x509.Certificate, shelf: Shelf) -> None:
        for path in {each.path for each in self.filed(shelf) if each.certificate == certificate}:
            others = [each for each in certificates.read(_content(path)) if each != certificate]
            if path not in [self._put(each, shelf) for each in others]:
                path.unlink()

    def _put(self, certificate: x509.Certificate, shelf: Shelf) -> Path:
        """Under the name that it has there by rights."""
        path = self._folder(shelf) / f"{certificates.fingerprint(certificate)}.der"
        write(path, certificates.der(certificate), 0o644)
        return path

    def add(self, file: Path) -> list[Filed]:
        """Copy the certificates of a file into trusted/. Raises Refused."""
        try:
            found = certificates.read(_content(file))
        except (Distrusted, OSError) as error:
            raise Refused(f"{file}: {error}") from error
        made = [Filed("trusted", self._put(each, "trusted"), each) for each in found]
        for each in found:
            self._take_out(each, "rejected")
        return made

    @property
    def _staged(self) -> Path:
        return self.root / "own.new"

    def _make_if_missing(self, now: datetime) -> None:
        if self._own.exists():
            return
        if not (self._staged / "cert.der").exists():  # else a renewal was cut off before its last step
            self._stage(_application_uri(), now)
        self._staged.rename(self._own)

    def _stage(self, uri: str, now: datetime) -> None:
        """A new pair under another name: it must be there in whole or not at all, hence the certificate last."""
        try:
            pem, certificate = certificates.make(uri, _host(), now)
        except Distrusted as error:
            raise Refused(str(error), hint=error.hint) from error
        shutil.rmtree(self._staged, ignore_errors=True)
        make_folder(self._staged)
        write(self._staged / "key.pem", pem, 0o600)
        write(self._staged / "cert.der", certificate, 0o644)

    def _put_aside(self, now: datetime) -> Path:
        aside = self.root / "old" / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        make_folder(aside.parent)
        self._own.rename(aside)
        return aside

    def _uri(self) -> str:
        """That of the certificate there is; empty when there is none that can be read."""
        with suppress(Distrusted, OSError):
            return next(iter(certificates.uris(certificates.read(_content(self._own / "cert.der"))[0])), "")
        return ""

    def _load(self) -> Own:
        key_path = self._own / "key.pem"
        try:
            certificate = certificates.read(_content(self._own / "cert.der"))[0]
            key = private_key(key_path)
        except (Distrusted, OSError) as error:
            raise self._broken(str(error)) from error
        uri = next(iter(certificates.uris(certificate)), "")
        if key.public_key() != certificate.public_key() or not uri:
            raise self._broken("cert.der does not belong to key.pem" if uri else "cert.der names no application")
        return Own(certificate, key, uri)

    def _broken(self, why: str) -> Refused:
        return Refused(
            f"our own certificate in {self._own} cannot be used: {why}",
            hint="put the files back from a backup, or make new ones with `floorgate pki renew`, which "
            "servers must then trust",
        )

    def _refusal(self, error: Distrusted, certificate: x509.Certificate | None, peer: Peer) -> Refused:
        if certificate is None:
            return Refused(f"the server's certificate: {error}", hint=error.hint)
        prints = f"SHA-256 {certificates.fingerprint(certificate)}, SHA-1 {certificates.thumbprint(certificate)}"
        what = f"the certificate of {certificates.subject(certificate)} ({prints}) is not accepted: {error}"
        if not error.unknown:
            return Refused(what, hint=error.hint)
        kept = self._set_aside(certificate)
        command = f"floorgate pki trust {certificates.fingerprint(certificate)[:SHORTEST]}"
        return Refused(what, hint=f"compare the fingerprint at the server, then `{command}`" if kept else kept_not())

    def _set_aside(self, certificate: x509.Certificate) -> bool:
        """Keep it for a person; the oldest make room. A disk that is full is no reason to fail another way."""
        try:
            folder = self._folder("rejected")
            path = folder / f"{certificates.fingerprint(certificate)}.der"
            if not path.exists():
                write(path, certificates.der(certificate), 0o644)
                files = sorted(self._files("rejected", _SUFFIXES), key=lambda each: each.stat().st_mtime_ns)
                for oldest in files[:-KEPT]:
                    oldest.unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _revoked(self) -> Iterator[x509.CertificateRevocationList]:
        for shelf in ("issuers", "trusted"):
            for path in self._files(shelf, (".crl",)):
                try:
                    yield certificates.read_revoked(_content(path, LONGEST_LIST))
                except (Distrusted, OSError) as error:
                    raise Distrusted(
                        f"the revocation list {path} cannot be read: {error}", "mend it, or take it away"
                    ) from error

    def _files(self, shelf: str, suffixes: Sequence[str]) -> list[Path]:
        folder = self.root / shelf
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes and path.is_file())[:MOST]

    def _folder(self, shelf: Shelf) -> Path:
        make_folder(self.root.parent)
        make_folder(self.root)
        for name in SHELVES:
            make_folder(self.root / name)
        return self.root / shelf

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time makes or renews; several devices that start together do so too."""
        try:
            self._folder("trusted")
            with locked(self.root / ".lock"):
                yield
        except OSError as error:
            raise Refused(
                f"{self.root}: {error.strerror}", hint="can the agent write to its data directory?"
            ) from error


def private_key(path: Path) -> rsa.RSAPrivateKey:
    """The key in a PEM file that nobody else can read. Raises Distrusted and OSError."""
    if path.stat().st_mode & 0o077:
        raise Distrusted(f"{path} can be read by others: chmod 600 it, and think of it as known")
    try:
        key = serialization.load_pem_private_key(_content(path), None)
    except certificates.UNREADABLE as error:
        raise Distrusted(f"{path} is not a key without a password, in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Distrusted(f"{path} is not an RSA key")
    return key


def kept_not() -> str:
    return "it could not be kept in rejected/: is the disk full, and the data directory ours?"


def _content(path: Path, most: int = LONGEST) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)


def _has(certificate: x509.Certificate, digits: str) -> bool:
    return certificates.fingerprint(certificate).startswith(digits) or certificates.thumbprint(certificate).startswith(
        digits
    )


def _host() -> str:
    """This machine's name, as far as it can stand in a certificate."""
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip(".-")[:63] or "gateway"


def _application_uri() -> str:
    """Unlike that of any other gateway, also of one whose machine has the same name."""
    return f"urn:{_host()}:floorgate:{secrets.token_hex(4)}"
