"""Whose each file of the bundle is, and each module in its archives: proof that no bill of materials leaves one out.

The bundle is walked and its archives are opened; PyInstaller's own tables (.toc) say from where it took each piece, the
RECORD of the distributions and dpkg say whose that is. What nobody owns is told by name.
"""

import ast
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import parts
from context import Failure

OURS = "floorgate"
_NAMESPACE = "-"  # a package without a file: there is only its name
_LOADER = ("pyi", "_pyi")  # modules of PyInstaller's own, which it names so


@dataclass(frozen=True, slots=True)
class Bundle:
    """A onedir bundle, and what it was made of: repository, PyInstaller's tables, site-packages of the build."""

    folder: Path
    root: Path
    work: Path
    site: Path


def find(root: Path, build: Path) -> Bundle:
    """That of this build. Raises Failure where there is none."""
    folder = build / "onedir/floorgate"
    work = build / "pyinstaller/work/floorgate"
    if not folder.is_dir() or not (work / "COLLECT-00.toc").is_file():
        raise Failure(f"there is no bundle in {folder}", hint='make package STEP="bundle" first')
    return Bundle(folder, root, work, Path(sysconfig.get_paths()["purelib"]))


def owners(bundle: Bundle) -> dict[str, str]:
    """Piece → owner: `floorgate`, `python`, `pypi:NAME` or `deb:PACKAGE`. Raises Failure with what has none."""
    origins = dict(_pieces(bundle))
    told = {piece: _owner(Path(origin), bundle) if origin else "" for piece, origin in origins.items()}
    open_ = {piece for piece, owner in told.items() if not owner and origins[piece]}
    packages = _packages({origins[piece] for piece in open_})
    told.update((piece, f"deb:{packages[origins[piece]]}") for piece in open_ if origins[piece] in packages)
    unknown = sorted(piece for piece, owner in told.items() if not owner)
    if unknown:
        names = ", ".join(f"{each} (from {origins[each] or 'nowhere that is known'})" for each in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise Failure(f"nobody owns {names}{more}", hint="it must not be shipped, or belongs into a distribution")
    return told


def walk(folder: Path) -> list[str]:
    """All that is no folder, links included."""
    found = (each for each in folder.rglob("*") if each.is_symlink() or not each.is_dir())
    return sorted(str(each.relative_to(folder)) for each in found)


def _pieces(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """(piece, the file that it was made of); an empty one where no table has it."""
    table = {name: origin for name, origin, _ in _table(bundle.work / "COLLECT-00.toc")}
    for path in walk(bundle.folder):
        name = path.removeprefix("_internal/")
        full = bundle.folder / path
        if full.is_symlink():
            name = os.path.relpath(full.resolve(), (bundle.folder / "_internal").resolve())
        yield path, table.get(name, "")
        if path.endswith("base_library.zip"):
            yield from _library(full, path)
    yield from _archive(bundle)


def _table(path: Path) -> Iterator[tuple[str, str, str]]:
    """The entries of a table of PyInstaller: (name, origin, kind)."""
    for part in ast.literal_eval(path.read_text("utf-8")):
        if isinstance(part, list):
            yield from (each for each in part if isinstance(each, tuple) and len(each) == 3)


def _library(zipped: Path, path: str) -> Iterator[tuple[str, str]]:
    """What Python needs before it can import from elsewhere; each module must be of the standard library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    for name in zipfile.ZipFile(zipped).namelist():
        known = name.split("/")[0].split(".")[0] in sys.stdlib_module_names
        yield f"{path}/{name}", str(library / f"{name.removesuffix('.pyc')}.py") if known else ""


def _archive(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """The modules and scripts inside the program itself."""
    table = {name: origin for name, origin, _ in _table(bundle.work / "PYZ-00.toc")}
    table.update((name, origin) for name, origin, _ in _table(bundle.work / "EXE-00.toc") if origin)
    for piece in _inside(bundle.folder / OURS):
        origin = table.get(piece.removeprefix(f"{OURS}/"), "")
        if origin != _NAMESPACE:
            yield piece, origin


def _inside(program: Path) -> Iterator[str]:
    """What is in a program of PyInstaller's, by the names that the pieces of a bundle have."""
    from PyInstaller.archive.readers import CArchiveReader  # noqa: PLC0415  # only where a bundle was built

    reader = CArchiveReader(str(program))
    for name, (*_, kind) in reader.toc.items():
        if kind == "z":
            yield from (f"{OURS}/{module}" for module in reader.open_embedded_archive(name).toc)
        elif kind in "bxn":  # a library, data, a link: a file of its own in a bundle
            yield f"_internal/{name}"
        elif kind != "o":  # an option of the bootloader is no file
            yield f"{OURS}/{name}"


def more_than(program: Path, owned: Mapping[str, str], bundle: Bundle) -> list[str]:
    """What a program in one file has that the bundle has not."""
    spaces = {f"{OURS}/{name}" for name, origin, _ in _table(bundle.work / "PYZ-00.toc") if origin == _NAMESPACE}
    return sorted({*_inside(program)} - owned.keys() - spaces)


def _owner(origin: Path, bundle: Bundle) -> str:
    """Empty: ask dpkg."""
    if bundle.work in origin.parents:
        return _made(origin, bundle)
    if bundle.site in origin.parents:
        name = _recorded(bundle.site).get(str(origin))
        return f"pypi:{name}" if name else ""
    if bundle.root in origin.parents:
        return OURS
    return parts.PYTHON if _is_own_python(origin) else ""


def _made(origin: Path, bundle: Bundle) -> str:
    """What PyInstaller makes while it works."""
    name = origin.name.partition(".")[0]
    if origin.name == "base_library.zip" or name in sys.stdlib_module_names:
        return parts.PYTHON
    if name.startswith(_LOADER):
        return "pypi:pyinstaller"
    return OURS if origin == bundle.work / OURS else ""


_records: dict[Path, dict[str, str]] = {}


def _recorded(site: Path) -> Mapping[str, str]:
    """File → distribution, by the RECORD of all that is installed there."""
    if site not in _records:
        dists = parts.distributions(site)
        _records[site] = {
            str(site / file): name for name, dist in dists.items() for file in dist.files or [] if ".." not in str(file)
        }
    return _records[site]


def _is_own_python(origin: Path) -> bool:
    """Of a Python that was put beside those of the system."""
    return sys.base_prefix != "/usr" and Path(sys.base_prefix).resolve() in origin.resolve().parents


def _packages(paths: Iterable[str]) -> dict[str, str]:
    """Path → Debian package, of those that belong to one; it may know them by their name without or with /usr."""
    asked = {form: path for path in paths for form in _forms(path)}
    if not asked:
        return {}
    try:
        ended = subprocess.run(["dpkg", "-S", *sorted(asked)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}
    lines = (line.rpartition(": ") for line in ended.stdout.splitlines() if not line.startswith("diversion by"))
    return {asked[path]: package.split(",")[0].split(":")[0] for package, _, path in lines if path in asked}


def _forms(path: str) -> set[str]:
    real = os.path.realpath(path)
    return {form for each in (path, real) for form in (each, each.removeprefix("/usr"), f"/usr{each}")}
