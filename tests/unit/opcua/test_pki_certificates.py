"""What is said of a server's certificate: trusted or not, and if not, what exactly is wrong with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.opcua import certificates
from drivers.opcua.certificates import Bundle, Distrusted, Peer, check, read
from tests.lengths import often
from tests.sim.opcua_certificates import NOW, SERVER, Made, made, revoking

PEER = Peer(SERVER, "127.0.0.1")


def trusting(*trusted: Made, **more: Any) -> Bundle:
    return Bundle(tuple(each.certificate for each in trusted), **more)


def fault(each: Made, bundle: Bundle | None = None, peer: Peer = PEER, sent: tuple[Made, ...] = ()) -> Distrusted:
    with pytest.raises(Distrusted) as caught:
        check(each.certificate, [one.certificate for one in sent], peer, bundle or trusting(each), NOW)
    return caught.value


def test_ours_has_what_strict_servers_ask_for() -> None:
    pem, der = certificates.make("urn:gw:floorgate:1", "gw", NOW)
    (ours,) = read(der)
    usage = ours.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.content_commitment
    assert usage.key_encipherment and usage.data_encipherment
    assert usage.key_cert_sign, "a certificate that is its own issuer must be allowed to sign one"
    assert not ours.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = ours.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.CLIENT_AUTH in purposes
    assert certificates.uris(ours) == ["urn:gw:floorgate:1"]
    assert certificates.hosts(ours) == ["gw"]
    key = ours.public_key()
    assert isinstance(key, rsa.RSAPublicKey) and key.key_size == 2048
    assert ours.signature_hash_algorithm is not None and ours.signature_hash_algorithm.name == "sha256"
    assert ours.not_valid_before_utc < NOW < ours.not_valid_after_utc
    assert 3650 <= (ours.not_valid_after_utc - NOW).days + 1 <= 3653
    ours.verify_directly_issued_by(ours)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_clock_that_is_wrong_makes_no_certificate() -> None:
    """It would begin in 1970, and be over in 1980."""
    with pytest.raises(Distrusted, match="1970-01-01") as caught:
        certificates.make("urn:x", "x", datetime(1970, 1, 1, tzinfo=UTC))
    assert caught.value.hint == "set the clock first"


def test_one_that_is_trusted_by_itself() -> None:
    one = made()
    check(one.certificate, [], PEER, trusting(one), NOW)


def test_one_that_nobody_knows() -> None:
    assert fault(made(), Bundle()).unknown


def test_another_one_of_the_same_name_and_key_is_not_the_trusted_one() -> None:
    assert fault(made(), trusting(made())).unknown


def test_one_by_an_issuer_that_is_trusted() -> None:
    root = made("root", ca=True, number=1)
    middle = made("middle", ca=True, number=2, issuer=root)
    leaf = made(issuer=middle)
    check(leaf.certificate, [], PEER, trusting(root, issuers=(middle.certificate,)), NOW)
    check(leaf.certificate, [middle.certificate], PEER, trusting(root), NOW)
    check(leaf.certificate, [], PEER, trusting(middle), NOW)
    assert fault(leaf, trusting(root)).unknown, "the one between is missing"
    assert fault(leaf, Bundle(issuers=(root.certificate, middle.certificate))).unknown, "none of them is trusted"


def test_who_is_no_issuer_vouches_for_nobody() -> None:
    """Neither another server whose certificate is trusted, nor one that only has the issuer's name."""
    server = made("server", number=1)
    assert fault(made(issuer=server), trusting(server)).unknown
    root, impostor = made("root", ca=True, number=1), made("root", ca=True, number=2)
    assert fault(made(issuer=impostor), trusting(root), sent=(impostor,)).unknown


def test_an_issuer_s_certificate_for_people_is_not_one_for_servers() -> None:
    root = made("root", ca=True, number=1)
    person = made(issuer=root, purposes=[ExtendedKeyUsageOID.CLIENT_AUTH])
    assert "not made for a server" in str(fault(person, trusting(root)))


def test_one_that_was_revoked() -> None:
    root = made("root", ca=True, number=1)
    good, bad = made(issuer=root), made(issuer=root)
    listed = certificates.read_revoked(revoking(root, bad))
    bundle = trusting(root, revoked=(listed,))
    check(good.certificate, [], PEER, bundle, NOW)
    assert "was revoked" in str(fault(bad, bundle))
    assert "was revoked" in str(fault(bad, trusting(root, bad, revoked=(listed,)))), "trusted by itself or not"


def test_a_forged_list_revokes_nobody() -> None:
    root, impostor = made("root", ca=True, number=1), made("root", ca=True, number=2)
    leaf = made(issuer=root)
    listed = certificates.read_revoked(revoking(impostor, leaf))
    check(leaf.certificate, [], PEER, trusting(root, revoked=(listed,)), NOW)


def test_one_that_has_expired_and_one_that_is_not_valid_yet() -> None:
    """Both say what this machine's clock says: it may be the one that is wrong."""
    old = made(begins=NOW - timedelta(days=9), ends=NOW - timedelta(days=2))
    assert f"expired at {certificates.day(NOW - timedelta(days=2))}" in str(fault(old))
    assert f"this machine's clock says {certificates.day(NOW)}" in str(fault(old))
    new = made(begins=NOW + timedelta(days=2))
    assert "is valid from" in str(fault(new))
    with pytest.raises(Distrusted) as caught:
        check(new.certificate, [], PEER, trusting(new), datetime(1970, 1, 2, tzinfo=UTC))
    assert "1970-01-02" in str(caught.value) and caught.value.hint == "set the clock"


def test_an_issuer_that_has_expired() -> None:
    root = made("root", ca=True, number=1, begins=NOW - timedelta(days=9), ends=NOW - timedelta(days=1))
    assert "CN=root expired" in str(fault(made(issuer=root), trusting(root)))


def test_one_of_another_application() -> None:
    assert "made out to the application urn:other" in str(fault(made(uri="urn:other")))
    assert "made out to the application none" in str(fault(made(uri="")))


@pytest.mark.parametrize(("host", "hosts"), [("PRESS.local", ["press.local"]), ("::1", ["0:0:0:0:0:0:0:1"])])
def test_a_host_is_the_same_however_it_is_written(host: str, hosts: list[str]) -> None:
    one = made(hosts=hosts)
    check(one.certificate, [], Peer(SERVER, host), trusting(one), NOW)


def test_one_of_another_host() -> None:
    found = fault(made(hosts=["10.0.0.7", "press-4"]))
    assert "made out to press-4, 10.0.0.7, not to 127.0.0.1" in str(found)
    assert "certificate_host" in found.hint
    assert "no host" in str(fault(made(hosts=[])))


def test_a_key_that_is_too_short() -> None:
    assert "1024 bits" in str(fault(made(bits=1024, number=9)))


def test_a_chain_in_one_message() -> None:
    root = made("root", ca=True, number=1)
    leaf = made(issuer=root)
    assert read(leaf.der + root.der) == [leaf.certificate, root.certificate]
    assert read(leaf.pem + root.pem) == [leaf.certificate, root.certificate]


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x30\x82\xff\xff", b"\x30\x80" + bytes(99), bytes(70_000), b"-----BEGIN "]
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(Distrusted):
        read(data)


@pytest.mark.filterwarnings("ignore::UserWarning")  # serials below zero, names that are too long
@settings(max_examples=often(80, 1000), deadline=None)
@given(st.data())
def test_a_damaged_certificate_is_told_from_a_good_one(data: st.DataObject) -> None:
    """Any bytes of it may be different: it is no certificate, or not a trusted one; nothing else is raised."""
    good = made()
    raw = bytearray(good.der)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, 600))] ^= data.draw(st.integers(1, 255))
    if bytes(raw) != good.der:
        with pytest.raises(Distrusted):
            looked_at(bytes(raw), trusting(good))


def looked_at(data: bytes, bundle: Bundle) -> None:
    leaf, *sent = read(data)
    certificates.subject(leaf)
    certificates.hosts(leaf)
    check(leaf, sent, PEER, bundle, NOW)


@pytest.mark.parametrize(
    ("days", "level"), [(31, 0), (30, 1), (8, 1), (7, 2), (1.5, 2), (1, 3), (0.1, 3), (0, 4), (-5, 4)]
)
def test_how_urgent_the_end_of_a_certificate_is(days: float, level: int) -> None:
    assert certificates.alarm(made(ends=NOW.replace(microsecond=0) + timedelta(days=60)).certificate, NOW) == 0
    end = NOW.replace(microsecond=0) + timedelta(days=60)
    assert certificates.alarm(made(ends=end).certificate, end - timedelta(days=days)) == level


def test_names_that_would_confuse_a_terminal_do_not_get_there() -> None:
    assert certificates.subject(made("press\n\x1b[2J\u202e").certificate).isprintable()
