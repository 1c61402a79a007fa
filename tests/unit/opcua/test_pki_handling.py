"""Certificates as people bring and keep them: several in a file, twice, with text around them, renewed, narrowed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from agent.model.errors import Refused
from drivers.opcua import certificates
from drivers.opcua.certificates import Distrusted, Peer
from drivers.opcua.pki import Pki
from tests.sim.opcua_certificates import NOW, SERVER, Made, made
from tests.unit.opcua.test_pki import put

PEER = Peer(SERVER, "127.0.0.1")
PREAMBLE = b"Bag Attributes\n    friendlyName: press\nsubject=CN = press\n"


@pytest.fixture
def files(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def listed(files: Pki) -> list[tuple[str, str]]:
    return sorted((each.shelf, certificates.fingerprint(each.certificate)) for each in files.filed())


def long_list(issuer: Made, count: int) -> bytes:
    """A revocation list with so many entries of others."""
    built = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    built = built.last_update(NOW).next_update(NOW + timedelta(days=3))
    for number in range(count):
        entry = x509.RevokedCertificateBuilder().serial_number(number + (1 << 100)).revocation_date(NOW)
        built = built.add_revoked_certificate(entry.build())
    return built.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_text_before_a_certificate_is_passed_over(files: Pki) -> None:
    """As `openssl pkcs12` and `openssl x509 -text` put it there."""
    server = made()
    put(files, "trusted", "press.pem", PREAMBLE + server.pem)
    assert files.vet(server.der, PEER) == server.certificate


def test_one_of_several_in_a_file_is_rejected_alone(files: Pki) -> None:
    first, second = made("first", number=1), made("second", number=2)
    put(files, "trusted", "both.pem", first.pem + second.pem)
    files.move(files.find(first.sha256, "trusted"), "rejected")
    assert listed(files) == [("rejected", first.sha256), ("trusted", second.sha256)]


def test_one_that_lies_in_two_files_is_rejected_in_both(files: Pki) -> None:
    """Otherwise it could not be distrusted at all, or would still be trusted."""
    server = made()
    put(files, "trusted", "a.pem", server.pem)
    put(files, "trusted", "b.der", server.der)
    files.move(files.find(server.sha256, "trusted"), "rejected")
    assert listed(files) == [("rejected", server.sha256)]


def test_one_that_is_brought_waits_no_more(files: Pki, tmp_path: Path) -> None:
    server = made()
    with pytest.raises(Refused):
        files.vet(server.der, PEER)
    (tmp_path / "stick.pem").write_bytes(server.pem)
    files.add(tmp_path / "stick.pem")
    assert listed(files) == [("trusted", server.sha256)]
    assert files.find(server.sha256).shelf == "trusted"


def test_a_revocation_list_of_a_large_issuer(files: Pki) -> None:
    root = made("root", ca=True, number=1)
    server = made(issuer=root)
    put(files, "trusted", "root.der", root.der)
    put(files, "issuers", "root.crl", long_list(root, 2500))
    assert files.vet(server.der, PEER) == server.certificate
    with pytest.raises(Distrusted, match="more than 4,194,304 bytes"):
        certificates.read_revoked(bytes((4 << 20) + 1))


@pytest.mark.parametrize("names", [("a.der", "b.der"), ("b.der", "a.der")])
def test_an_issuer_that_was_renewed_beside_the_old_one(files: Pki, names: tuple[str, str]) -> None:
    """The same name and key, so that both have signed the server's: the one that is in time counts."""
    root = made("root", ca=True, number=1)
    old = made("root", ca=True, number=1, begins=NOW - timedelta(days=99), ends=NOW - timedelta(days=1))
    put(files, "trusted", names[0], old.der)
    put(files, "trusted", names[1], root.der)
    server = made(issuer=root)
    assert files.vet(server.der, PEER) == server.certificate


def test_an_issuer_that_may_make_no_further_issuers(files: Pki) -> None:
    root = made("root", ca=True, number=1, length=0)
    put(files, "trusted", "root.der", root.der)
    files.vet(made(issuer=root).der, PEER)
    middle = made("middle", ca=True, number=2, issuer=root)
    with pytest.raises(Refused, match="nobody has said"):
        files.vet(made(issuer=middle).der + middle.der, PEER)


def test_an_issuer_that_vouches_for_other_names_alone(files: Pki) -> None:
    """What narrows it is not understood here, so it is not passed over."""
    narrow = x509.NameConstraints([x509.DNSName("line4.plant")], None)
    root = made("root", ca=True, number=1, critical=[narrow])
    put(files, "trusted", "root.der", root.der)
    server = made(issuer=root)
    with pytest.raises(Refused, match=r"critical extension that is not understood here: 2\.5\.29\.30"):
        files.vet(server.der, PEER)
    put(files, "trusted", "server.der", server.der)
    assert files.vet(server.der, PEER) == server.certificate


def test_names_in_a_certificate_neither_steer_the_terminal_nor_fill_the_log(files: Pki) -> None:
    many = [f"h{number}.example" for number in range(2000)]
    for evil, peer in (
        (made(uri="urn:x\x1b[2J"), PEER),
        (made(hosts=["e\x1b[2Jvil"]), PEER),
        (made(), Peer("urn:\u2066me\n", "127.0.0.1")),
        (made("press\u2066"), Peer("urn:other", "127.0.0.1")),
        (made(hosts=many), PEER),
    ):
        files.add(_written(files, evil))
        with pytest.raises(Refused, match="made out to") as caught:
            files.vet(evil.der, peer)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


def _written(files: Pki, one: Made) -> Path:
    files.root.mkdir(exist_ok=True)
    path = files.root / "stick.der"
    path.write_bytes(one.der)
    return path


def test_no_certificate_by_a_clock_far_ahead(files: Pki) -> None:
    for year in (2100, 9999):
        with pytest.raises(Refused, match="clock says"):
            files.own(datetime(year, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("name", [".lock", "trusted/.{}.der.part", "trusted/{}.der", "own.new", "own"])
def test_a_link_that_somebody_put_there_is_not_followed(files: Pki, tmp_path: Path, name: str) -> None:
    """What root does in a folder of the agent's user changes no file elsewhere."""
    victim = tmp_path / "shadow"
    victim.write_text("root:x")
    victim.chmod(0o600)
    server = made()
    for folder in ("trusted", "rejected"):
        (files.root / folder).mkdir(parents=True)
    (files.root / name.format(server.sha256)).symlink_to(victim)
    for act in (lambda: files.add(_written(files, server)), files.own, files.renew):
        with suppress(Refused):
            act()
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("root:x", 0o600)


def test_nothing_is_left_of_what_cannot_be_written(files: Pki) -> None:
    server = made()
    (files.root / "trusted" / f"{server.sha256}.der").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        files.add(_written(files, server))
    assert [path.name for path in (files.root / "trusted").iterdir()] == [f"{server.sha256}.der"]
