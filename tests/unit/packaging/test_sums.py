"""Sums, signatures, and the script that checks them: what was changed is refused, and named."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import context
import sums
from context import Context, Failure
from tests.house import ROOT

RELEASED = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n- It works.\n"


def key(folder: Path, name: str) -> Path:
    file = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], check=True)
    return file


def signer(key: Path, who: str = "releases@floorgate", options: str = 'namespaces="floorgate"') -> str:
    return f"{who} {options} {key.with_suffix('.pub').read_text()}"


@pytest.fixture
def release(tmp_path: Path) -> Context:
    """Two products and a changelog that says that they are released."""
    (tmp_path / "build").mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/floorgate-1.2.3.tar.gz").write_text("source")
    (tmp_path / "dist/floorgate_1.2.3-1_amd64.deb").write_text("package")
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    here = replace(context.here(), root=tmp_path, build=tmp_path / "build", dist=tmp_path / "dist", version="1.2.3")
    key(tmp_path, "key")
    (tmp_path / "signers").write_text(signer(tmp_path / "key"))
    return here


@pytest.fixture
def signed(release: Context, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("KEY", str(release.root / "key"))
    sums.step(release)
    return release


def verify(release: Context, *options: str, folder: str = "") -> str:
    """What the script says; it starts with "refused: " where it refuses."""
    script = [
        "sh",
        ROOT / "packaging/verify.sh",
        "--signers",
        release.root / "signers",
        *options,
        folder or release.dist,
    ]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"refused: {done.stderr}"


def test_a_release_as_it_was_made_is_taken(signed: Context) -> None:
    assert verify(signed).startswith("verify: 2 files, signed by releases@floorgate (SHA256:")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda dist: flip(dist / "floorgate-1.2.3.tar.gz"), "changed: floorgate-1.2.3.tar.gz is not as it was made"),
        (lambda dist: (dist / "floorgate-1.2.3.tar.gz").unlink(), "missing: floorgate-1.2.3.tar.gz"),
        (lambda dist: (dist / "more.deb").write_text(""), "extra: more.deb"),
        (lambda dist: (dist / ".more").write_text(""), "extra: .more"),
        (lambda dist: flip(dist / "SHA256SUMS"), "the signature is not of this SHA256SUMS"),
        (lambda dist: (dist / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (lambda dist: (dist / "SHA256SUMS.sig").unlink(), "no signature"),
        (lambda dist: (dist / "SHA256SUMS.sig").write_text("nothing"), "the signature is not of this SHA256SUMS"),
    ],
)
def test_whatever_was_done_to_it_is_named(signed: Context, harm: Callable[[Path], None], said: str) -> None:
    harm(signed.dist)
    answer = verify(signed)
    assert answer.startswith("refused: ") and said in answer


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (None, "a key that does not count, or not now: SHA256:"),
        ('namespaces="git"', "the signature of releases@floorgate does not count"),
        ('namespaces="floorgate",valid-before="20200101"', "a key that does not count, or not now: SHA256:"),
    ],
)
def test_a_key_that_does_not_count_is_refused(signed: Context, options: str | None, said: str) -> None:
    """Somebody else's, one for other things, one of the past."""
    mine = signed.root / "key" if options else key(signed.root, "other")
    (signed.root / "signers").write_text(signer(mine, options=options or ""))
    answer = verify(signed)
    assert answer.startswith("refused: ") and said in answer


def test_a_new_key_and_the_one_before_both_count(signed: Context) -> None:
    (signed.root / "signers").write_text(signer(key(signed.root, "new"), "new@floorgate") + signer(signed.root / "key"))
    assert "signed by releases@floorgate" in verify(signed)


def test_unsigned_sums_say_so(release: Context) -> None:
    sums.step(release)
    assert "refused: verify: no signature" in verify(release)
    assert "2 files are as SHA256SUMS says; NOT SIGNED" in verify(release, "--unsigned")
    flip(release.dist / "floorgate-1.2.3.tar.gz")
    assert "changed: floorgate-1.2.3.tar.gz" in verify(release, "--unsigned")


def test_the_last_line_counts_without_an_end_and_names_with_two_dots_do(release: Context) -> None:
    sums.step(release)
    (release.dist / "SHA256SUMS").write_text((release.dist / "SHA256SUMS").read_text().rstrip())
    assert "2 files are as SHA256SUMS says" in verify(release, "--unsigned")
    flip(max(each for each in release.dist.iterdir() if each.name != "SHA256SUMS"))
    assert "is not as it was made" in verify(release, "--unsigned")
    sums.step(release)
    (release.dist / "..more").touch()
    assert "extra: ..more" in verify(release, "--unsigned")


def test_what_is_looked_at_is_the_folder_that_was_named(signed: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CDPATH, `cd dist` may lead elsewhere."""
    elsewhere = signed.root / "elsewhere"
    shutil.copytree(signed.dist, elsewhere / "dist")
    flip(signed.dist / "floorgate-1.2.3.tar.gz")
    monkeypatch.setenv("CDPATH", str(elsewhere))
    monkeypatch.chdir(signed.root)
    assert "changed: floorgate-1.2.3.tar.gz" in verify(signed, folder="dist")


@pytest.mark.parametrize("line", ["../key", ".hidden", "-rf", "", "file\r"])
def test_a_name_that_leads_elsewhere_is_refused(release: Context, line: str) -> None:
    (release.dist / "SHA256SUMS").write_text(f"{'0' * 64}  {line}\n")
    assert "SHA256SUMS has a line that is none" in verify(release, "--unsigned")


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (RELEASED.replace("2026-12-01", "unreleased"), "has no date for 1.2.3"),
        (RELEASED.replace("1.2.3", "1.2.2"), "has no date for 1.2.3"),
        (RELEASED.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"), "has lines below Unreleased"),
    ],
)
def test_only_what_the_changelog_calls_released_is_signed(
    release: Context, monkeypatch: pytest.MonkeyPatch, changelog: str, said: str
) -> None:
    monkeypatch.setenv("KEY", str(release.root / "key"))
    (release.root / "CHANGELOG.md").write_text(changelog)
    with pytest.raises(Failure, match=said):
        sums.step(release)


def test_a_key_that_is_not_there_is_named(release: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", str(release.root / "lost"))
    with pytest.raises(Failure, match="lost is not there"):
        sums.step(release)
    assert not (release.dist / "SHA256SUMS").exists()
