"""The steps `wheel`, `bundle` and `onefile`: the Python packages, and Floorgate with a Python of its own."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import runpath
from context import Context, Failure

BINUTILS = {"objcopy": "binutils", "objdump": "binutils", "readelf": "binutils", "strip": "binutils"}
SECONDS = 900.0  # that PyInstaller may take; seen: 35 s of processor time


def wheel(context: Context) -> None:
    """Wheel and sdist, the same bytes whoever builds them from one commit."""
    made = _emptied(context.build / "wheel")
    context.run(context.python, "-m", "hatchling", "build", "-d", made)
    files = sorted(made.iterdir())
    expected = [f"floorgate-{context.version}-py3-none-any.whl", f"floorgate-{context.version}.tar.gz"]
    if [each.name for each in files] != expected:
        raise Failure(
            f"hatchling made {', '.join(each.name for each in files) or 'nothing'}", hint="see pyproject.toml"
        )
    for each in files:
        context.publish(each)


def bundle(context: Context) -> Path:
    """A folder with all that is needed, build/onedir/floorgate: it goes into the packages."""
    _emptied(context.build / "pyinstaller")
    made = _freeze(context, "onedir") / "floorgate"
    runpath.forget(context, made)
    _date(context, made)
    _starts(context, made / "floorgate")
    return _put(made, context.build / "onedir/floorgate")


def onefile(context: Context) -> None:
    """One file to try out: it unpacks itself at each start."""
    finished = context.build / "onedir/floorgate/_internal"
    if not finished.is_dir():
        raise Failure("there is no bundle to make one file of", hint='make package STEP="bundle onefile"')
    made = _freeze(context, "onefile", "--onefile", finished) / "floorgate"
    _starts(context, made)
    context.publish(made, f"floorgate-{context.version}-{sys.platform}-{context.arch}")


def _freeze(context: Context, name: str, *options: str | Path) -> Path:
    """Run PyInstaller; what it found out for one form serves the other. Returns the folder with what it made."""
    context.need(BINUTILS)
    _need_libpython(context)
    work = context.build / "pyinstaller"
    made = _emptied(work / name)
    command: list[str | Path] = [
        context.python,
        "-m",
        "PyInstaller",
        "--noconfirm",
        "--distpath",
        made,
        "--workpath",
        work / "work",
    ]
    said = context.run(
        *[*command, context.root / "packaging/floorgate.spec", "--", *options],
        environment={"PYINSTALLER_CONFIG_DIR": str(work / "cache")},
        hint="what it could not find: build/pyinstaller/work/floorgate/warn-floorgate.txt",
        seconds=SECONDS,
    )
    (work / f"{name}.log").write_text(said, "utf-8")
    return made


def _need_libpython(context: Context) -> None:
    """Debian's python3 is one file; as a library, which goes into a bundle, it is a package of its own."""
    name, folder, under = map(sysconfig.get_config_var, ("INSTSONAME", "LIBDIR", "MULTIARCH"))
    if under and folder == "/usr/lib" and not Path(folder, under, name).exists():
        package = f"libpython{sysconfig.get_python_version()}"
        context.run("sh", context.root / "packaging/debian.sh", package, hint=f"install {package} and try again")


def _starts(context: Context, program: Path) -> None:
    said = context.run(
        program, "--version", hint="what is built does not start here; is something missing in it?"
    ).strip()
    if said != f"floorgate {context.version}":
        raise Failure(f"what is built says {said!r}", hint=f"it should be {context.version}: see agent/__init__.py")


def _date(context: Context, folder: Path) -> None:
    """Give all of it the time of the commit, and the rights that packages want."""
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            runs = each.is_dir() or each.name == "floorgate"
            each.chmod(0o755 if runs else 0o644)
        os.utime(each, (context.epoch, context.epoch), follow_symlinks=False)


def _put(made: Path, target: Path) -> Path:
    """In one step, so that what a killed build leaves is never half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    return made.rename(target)


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
