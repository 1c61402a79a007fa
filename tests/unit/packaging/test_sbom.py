"""The bill of materials lists all that is shipped, by the official schema, and the same way twice."""

import json
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PyInstaller.archive.writers import CArchiveWriter

import parts
import sbom
import shipped
from context import Failure
from tests.house import ROOT
from tests.unit.packaging import bill

VEX = {
    "CVE-2099-0001": {
        "parts": ["click"],
        "state": "not_affected",
        "justification": "code_not_reachable",
        "detail": "Nobody calls it.",
    }
}


def locked() -> set[str]:
    """What the lock has installed on this platform."""
    lines = (ROOT / "packaging/requirements.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {
        canonicalize_name(pin.name) for pin in pins if pin.marker is None or pin.marker.evaluate(default_environment())
    }


def test_every_distribution_of_the_lock_is_listed() -> None:
    builders = set(parts.closure(["hatchling", "editables"], bill.SITE))
    listed = {canonicalize_name(each["name"]) for each in document()["components"]}
    assert locked() - builders <= listed <= locked()


def document() -> dict[str, Any]:
    return sbom.document("1.2.3", 1_790_000_000, bill.runtime(), VEX)


def test_the_schema_takes_it() -> None:
    assert bill.faults(document()) == []


def test_the_schema_refuses_what_is_no_bill() -> None:
    assert bill.faults({**document(), "components": [{"name": "x"}]})


def test_the_same_content_has_the_same_serial_number() -> None:
    assert document() == document()
    assert document()["serialNumber"] != sbom.document("1.2.4", 1_790_000_000, bill.runtime(), VEX)["serialNumber"]


def test_a_note_on_a_vulnerability_names_the_part() -> None:
    [note] = document()["vulnerabilities"]
    assert note["affects"] == [{"ref": f"pkg:pypi/click@{metadata.version('click')}"}]


def test_a_note_on_what_is_not_shipped_is_refused() -> None:
    with pytest.raises(Failure, match="is about stranger, which is not shipped"):
        sbom.document("1.2.3", 0, bill.runtime(), {"CVE-2099-0002": {"parts": ["stranger"]}})


def test_what_was_compiled_into_a_wheel_is_listed_within_it() -> None:
    held = {each["name"]: {inner["name"] for inner in each.get("components", [])} for each in document()["components"]}
    assert "openssl" in held["cryptography"] and "libuv" in held["uvloop"] and "libyaml" in held["PyYAML"]


@pytest.fixture
def bundle(tmp_path: Path) -> shipped.Bundle:
    """One with our program, a module of Python, two distributions' files, and a library of the machine."""
    folder, work = tmp_path / "onedir/floorgate", tmp_path / "work"
    (folder / "_internal/click").mkdir(parents=True)
    work.mkdir()
    ours = ROOT / "agent/__main__.py"
    CArchiveWriter(str(folder / "floorgate"), [("pyiboot", str(ours), False, "s")], "libpython3.so")
    (folder / "_internal/click/core.py").write_text("")
    (folder / "_internal/zh.po").write_text("")
    with zipfile.ZipFile(folder / "_internal/base_library.zip", "w") as library:
        library.writestr("codecs.pyc", "")
    table = [
        ("floorgate", str(work / "floorgate"), "EXECUTABLE"),
        ("base_library.zip", str(work / "base_library.zip"), "DATA"),
        ("click/core.py", str(Path(click.__file__).with_name("core.py")), "DATA"),
        ("zh.po", str(ROOT / "agent/lang/zh.po"), "DATA"),
    ]
    modules = [("json", json.__file__, "PYMODULE")]
    (work / "COLLECT-00.toc").write_text(repr((table,)))
    (work / "PYZ-00.toc").write_text(repr(("pyz", modules)))
    (work / "EXE-00.toc").write_text(repr(([("pyiboot", str(ours), "PYSOURCE")],)))
    return shipped.Bundle(folder, ROOT, work, bill.SITE)


def test_each_piece_of_a_bundle_has_an_owner(bundle: shipped.Bundle) -> None:
    assert shipped.owners(bundle) == {
        "floorgate": "floorgate",
        "floorgate/pyiboot": "floorgate",
        "_internal/base_library.zip": "python",
        "_internal/base_library.zip/codecs.pyc": "python",
        "_internal/click/core.py": "pypi:click",
        "_internal/zh.po": "floorgate",
    }


def test_a_program_in_one_file_holds_no_more_than_the_bundle(bundle: shipped.Bundle, tmp_path: Path) -> None:
    owned, single = shipped.owners(bundle), tmp_path / "single"
    entries = [("pyiboot", str(ROOT / "agent/__main__.py"), False, "s"), ("zh.po", str(ROOT / "LICENSE"), False, "x")]
    CArchiveWriter(str(single), entries, "libpython3.so")
    assert shipped.more_than(single, owned, bundle) == []
    CArchiveWriter(str(single), [*entries, ("stranger.so", str(ROOT / "LICENSE"), False, "b")], "libpython3.so")
    assert shipped.more_than(single, owned, bundle) == ["_internal/stranger.so"]


@pytest.mark.parametrize("stranger", ["_internal/stranger.so", "_internal/click/stranger.py", ".hidden"])
def test_a_file_without_an_owner_is_told_by_name(bundle: shipped.Bundle, stranger: str) -> None:
    (bundle.folder / stranger).write_text("")
    with pytest.raises(Failure, match=stranger):
        shipped.owners(bundle)


def test_a_file_that_no_distribution_records_is_told_by_name(bundle: shipped.Bundle) -> None:
    table = bundle.work / "COLLECT-00.toc"
    table.write_text(table.read_text().replace(f"{bill.SITE}/click/core.py", f"{bill.SITE}/click/unknown.py"))
    with pytest.raises(Failure, match=r"click/core\.py"):
        shipped.owners(bundle)


def test_a_module_that_is_not_of_python_is_told_by_name(bundle: shipped.Bundle) -> None:
    with zipfile.ZipFile(bundle.folder / "_internal/base_library.zip", "a") as library:
        library.writestr("stranger/thing.pyc", "")
    with pytest.raises(Failure, match=r"stranger/thing\.pyc"):
        shipped.owners(bundle)


@pytest.mark.parametrize(
    ("package", "stem"),
    [
        ("libssl3", "libssl"),
        ("libssl3t64", "libssl"),
        ("zlib1g", "zlibg"),
        ("libsqlite3-0", "libsqlite"),
        ("libstdc++6", "libstdc"),
    ],
)
def test_a_library_keeps_its_row_when_its_number_changes(package: str, stem: str) -> None:
    assert parts.stem(package) == stem


def test_a_package_url_is_encoded() -> None:
    url = parts.purl("deb/debian", "libstdc++6", "1:12.2+x~y", arch="amd64", distro="debian-12", upstream="")
    assert url == "pkg:deb/debian/libstdc%2B%2B6@1:12.2%2Bx~y?arch=amd64&distro=debian-12"
