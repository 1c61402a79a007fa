"""The files under `data/pki`: our certificate is made once and kept, servers' are trusted by people alone."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model.errors import Refused
from drivers.opcua import certificates, pki
from drivers.opcua.certificates import Peer
from drivers.opcua.pki import KEPT, Pki
from tests.sim.opcua_certificates import NOW, SERVER, made, revoking

PEER = Peer(SERVER, "127.0.0.1")


@pytest.fixture
def files(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "data" / "pki")


def put(files: Pki, shelf: str, name: str, data: bytes) -> Path:
    folder = files.root / shelf
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_our_certificate_is_made_once_and_kept(files: Pki) -> None:
    first = files.own()
    assert files.own().certificate == first.certificate == Pki(files.root).own().certificate
    assert first.uri.startswith("urn:") and ":floorgate:" in first.uri
    assert certificates.uris(first.certificate) == [first.uri]
    assert sorted(path.name for path in (files.root / "own").iterdir()) == ["cert.der", "key.pem"]


def test_its_key_is_for_nobody_else(files: Pki) -> None:
    files.own()
    key = files.root / "own" / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    for folder in (files.root / "own", files.root, files.root.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    key.chmod(0o640)
    with pytest.raises(Refused, match="can be read by others"):
        files.own()


def test_devices_that_start_together_get_the_same_one(files: Pki) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(files.own().certificate)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5 and len(set(found)) == 1


@pytest.mark.parametrize("name", ["cert.der", "key.pem"])
@pytest.mark.parametrize("damage", [None, b"", b"rubbish"])
def test_a_damaged_one_is_never_replaced_silently(files: Pki, name: str, damage: bytes | None) -> None:
    """Servers trust it: to make another one would be to lose them all."""
    files.own()
    path = files.root / "own" / name
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
        path.chmod(0o600)
    for _ in range(2):
        with pytest.raises(Refused, match="cannot be used") as caught:
            files.own()
        assert "backup" in caught.value.hint and "pki renew" in caught.value.hint


def test_a_key_of_another_certificate_is_noticed(files: Pki, tmp_path: Path) -> None:
    files.own()
    other = Pki(tmp_path / "other")
    other.own()
    (other.root / "own/key.pem").replace(files.root / "own/key.pem")
    with pytest.raises(Refused, match="does not belong"):
        files.own()


def test_a_renewed_one_keeps_the_name_and_puts_the_old_one_aside(files: Pki) -> None:
    old = files.own()
    new, aside = files.renew()
    assert new.uri == old.uri and new.certificate != old.certificate and aside is not None
    assert certificates.read((aside / "cert.der").read_bytes()) == [old.certificate]
    assert (aside / "key.pem").stat().st_mode & 0o777 == 0o600
    assert files.own().certificate == new.certificate
    again, _ = files.renew()
    assert again.uri == old.uri and len(list((files.root / "old").iterdir())) == 2


def test_a_renewal_mends_one_that_is_damaged(files: Pki) -> None:
    uri = files.own().uri
    (files.root / "own/key.pem").unlink()
    assert files.renew()[0].uri == uri


def test_a_renewal_that_was_cut_off_is_finished(files: Pki) -> None:
    """Power may fail between putting the old one aside and the new one in its place."""
    old, new = files.own(), Pki(files.root.parent / "x")
    made_new, _ = new.renew()
    (files.root / "own").rename(files.root / "aside")
    (new.root / "own").rename(files.root / "own.new")
    assert files.own().certificate == made_new.certificate != old.certificate


def test_half_a_new_one_is_made_anew(files: Pki) -> None:
    """The certificate is written last."""
    put(files, "own.new", "key.pem", b"half")
    assert files.own().uri


def test_no_certificate_by_a_wrong_clock(files: Pki) -> None:
    with pytest.raises(Refused, match="1970"):
        files.own(datetime(1970, 1, 1, tzinfo=UTC))
    assert not (files.root / "own").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("a file")
    with pytest.raises(Refused, match="data directory"):
        Pki(tmp_path / "pki").own()


def test_an_unknown_server_is_set_aside_and_named(files: Pki) -> None:
    server = made()
    with pytest.raises(Refused) as caught:
        files.vet(server.der, PEER)
    told = str(caught.value)
    assert server.sha256 in told and certificates.thumbprint(server.certificate) in told and "CN=press" in told
    assert f"floorgate pki trust {server.sha256[:16]}" in caught.value.hint
    (kept,) = files.filed("rejected")
    assert kept.certificate == server.certificate
    with pytest.raises(Refused):
        files.vet(server.der, PEER)
    assert files.filed("trusted") == [], "nobody is trusted for having come twice"


def test_what_a_person_trusts_is_trusted_at_once(files: Pki) -> None:
    server = made()
    with pytest.raises(Refused):
        files.vet(server.der, PEER)
    files.move(files.find(server.sha256[:16].upper(), "rejected"), "trusted")
    assert files.vet(server.der, PEER) == server.certificate
    assert files.filed("rejected") == []
    files.move(files.find(certificates.thumbprint(server.certificate), "trusted"), "rejected")
    with pytest.raises(Refused):
        files.vet(server.der, PEER)


def test_a_certificate_that_was_swapped_is_refused(files: Pki) -> None:
    """The same name, the same host, another key: that is what somebody in between looks like."""
    put(files, "trusted", "press.der", made().der)
    swapped = made(number=3)
    with pytest.raises(Refused, match="nobody has said"):
        files.vet(swapped.der, PEER)


def test_one_that_is_known_and_wrong_is_not_set_aside(files: Pki) -> None:
    """Nothing is left to decide: it is trusted already."""
    old = made(begins=NOW - timedelta(days=9), ends=NOW - timedelta(days=1))
    put(files, "trusted", "press.crt", old.pem)
    with pytest.raises(Refused, match="expired"):
        files.vet(old.der, PEER)
    assert files.filed("rejected") == []


def test_what_is_set_aside_is_bounded(files: Pki) -> None:
    for number in range(KEPT + 5):
        with pytest.raises(Refused):
            files.vet(made(f"press-{number}").der, PEER)
    names = {certificates.subject(each.certificate) for each in files.filed("rejected")}
    assert len(names) == KEPT and f"CN=press-{KEPT + 4}" in names
    with pytest.raises(Refused, match="too long"):
        files.vet(bytes(1 << 20), PEER)
    with pytest.raises(Refused, match="no certificate"):
        files.vet(b"", PEER)


def test_issuers_and_their_lists_are_files_too(files: Pki) -> None:
    root = made("root", ca=True, number=1)
    middle = made("middle", ca=True, number=2, issuer=root)
    good, bad = made(issuer=middle), made(issuer=middle)
    put(files, "trusted", "root.pem", root.pem)
    put(files, "issuers", "middle.cer", middle.der)
    assert files.vet(good.der, PEER) == good.certificate
    put(files, "issuers", "middle.crl", revoking(middle, bad))
    assert files.vet(good.der, PEER) == good.certificate
    with pytest.raises(Refused, match="revoked"):
        files.vet(bad.der, PEER)


def test_a_revocation_list_that_cannot_be_read_is_not_passed_over(files: Pki) -> None:
    put(files, "trusted", "press.der", made().der)
    put(files, "issuers", "broken.crl", b"rubbish")
    with pytest.raises(Refused, match=r"broken\.crl cannot be read"):
        files.vet(made().der, PEER)


def test_other_files_are_passed_over(files: Pki) -> None:
    put(files, "trusted", "README.txt", b"hello")
    put(files, "trusted", "rubbish.der", b"rubbish")
    put(files, "trusted", "press.der", made().der)
    assert len(files.filed()) == 1


@pytest.mark.parametrize("digits", ["", "abc", "g" * 16, "0123456789abcde", "../../own/key.pem"])
def test_what_is_no_fingerprint_names_nothing(files: Pki, digits: str) -> None:
    with pytest.raises(Refused, match="is no fingerprint"):
        files.find(digits)


def test_a_fingerprint_may_be_written_with_colons(files: Pki) -> None:
    put(files, "trusted", "press.der", (one := made()).der)
    spelt = ":".join(one.sha256[at : at + 2] for at in range(0, 64, 2)).upper()
    assert files.find(spelt).certificate == one.certificate
    with pytest.raises(Refused, match="no certificate with"):
        files.find("0" * 16)


def test_a_file_can_be_trusted_before_the_server_was_ever_seen(files: Pki, tmp_path: Path) -> None:
    server = made()
    (tmp_path / "press.pem").write_bytes(server.pem)
    files.add(tmp_path / "press.pem")
    assert files.vet(server.der, PEER) == server.certificate
    with pytest.raises(Refused, match="nowhere"):
        files.add(tmp_path / "nowhere.pem")


def test_a_key_with_a_password_or_of_another_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"rubbish")
    path.chmod(0o600)
    with pytest.raises(certificates.Distrusted, match="not a key"):
        pki.private_key(path)
