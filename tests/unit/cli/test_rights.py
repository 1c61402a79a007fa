"""Who may not read a file or use a directory hears as whom the agent runs, what keeps it out, and what to type."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.model import host, rights
from agent.model.errors import AgentError, Forbidden
from buffer.store import Store

NOBODY = 65534
SITE = "gateway: {id: gw}\ndevices: [{name: a, driver: sim, tags: [{name: t, wave: sine}]}]\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for each in folder.rglob("*"):
        each.chmod(0o700)
    shutil.rmtree(folder)


def as_nobody(work: Callable[[], tuple[str, int]]) -> tuple[str, int]:
    """What it gives in a process that may no more than others; all that it loads must be loaded by now."""
    for load in (host.login, host.group):
        load()
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            if host.is_root():
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(theirs, pickle.dumps(work()))
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    with os.fdopen(ours, "rb") as pipe:
        found = pickle.loads(pipe.read())
    assert isinstance(found, tuple)
    return found


def check(path: Path) -> tuple[str, int]:
    done = CliRunner().invoke(main, ["check", str(path)])
    return done.output, done.exit_code


def opened(path: Path) -> tuple[str, int]:
    try:
        Store.open(path, boot="b", keep=1, max_size=1 << 20, reserve=0).close()
    except AgentError as error:
        return str(error), isinstance(error, Forbidden)
    return "", 0


@pytest.mark.parametrize(("locked", "how"), [("etc", "enter"), ("etc/site.yaml", "read"), ("etc/conf.d", "enter")])
def test_a_configuration_that_cannot_be_read(place: Path, locked: str, how: str) -> None:
    site = place / "etc" / "site.yaml"
    (site.parent / "conf.d").mkdir(parents=True)
    site.write_text(SITE)
    assert check(site)[1] == 0
    (place / locked).chmod(0)
    said, code = as_nobody(lambda: check(site))
    assert code == 78, said
    assert f"who may not {how} {place / locked}: chgrp" in said
    assert "this runs as " in said


@pytest.mark.parametrize("locked", ["data", "data/store.db"])
def test_a_store_that_is_another_users(place: Path, locked: str) -> None:
    """It is no trouble of the disk, which would pass: nothing is read into memory that no start could keep."""
    path = place / "data" / "store.db"
    opened(path)
    path.parent.chmod(0o777)
    path.chmod(0o666)
    (place / locked).chmod(0)
    said, forbidden = as_nobody(lambda: opened(path))
    assert forbidden, said
    assert f"chown -R {'nobody' if host.is_root() else host.login()[0]} " in said


def test_a_directory_that_is_not_there_is_made_by_hand(tmp_path: Path) -> None:
    assert f"install -d -m 700 -o {host.login()[0]} {tmp_path}/x" in rights.owning(tmp_path / "x")
    assert "may that user read it?" in rights.reading(tmp_path)


@pytest.mark.parametrize("command", [("health",), ("version",), ("backup", "-o", "/tmp/x.zip")])
def test_who_may_not_look_into_the_data_hears_who_may(place: Path, command: tuple[str, ...]) -> None:
    (place / "data").mkdir(mode=0o700)
    (place / "data" / "agent.json").write_text("{}")
    if host.is_root():
        os.chown(place / "data", 1, 1)
    else:
        (place / "data").chmod(0)
    CliRunner().invoke(main, [*command, "--data", str(place / "none")])  # all that it loads
    said, code = as_nobody(lambda: asked(*command, "--data", str(place / "data")))
    assert code == 1 and "agent.json: Permission denied (this runs as " in said and ": run it as root" in said, said
    assert not host.is_root() or f", or as {(place / 'data').owner()}, whose " in said


def asked(*arguments: str) -> tuple[str, int]:
    done = CliRunner().invoke(main, arguments)
    return done.output, done.exit_code
