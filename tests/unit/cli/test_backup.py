"""`floorgate backup` and `restore` on directories at rest; on a running agent they are tried in tests/e2e."""

import json
import os
import sqlite3
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent import __version__
from agent.cli import main
from agent.cli.archive import container, swapping
from agent.cli.archive.container import MANIFEST, writing
from agent.cli.ask import Agent
from agent.model import host
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.runtime.audit import Entry, audit, somebody
from agent.runtime.history import History
from buffer.rest import peek_ledger
from buffer.store import Store
from tests.house import ROOT

METER = Schema("meter", "1s", (Tag("voltage", "float32", "V"),), 1.0)
SITE = """\
gateway: {id: gw-9}
devices: [{name: meter, driver: sim, tags: [{name: voltage, wave: sine}]}]
"""
PART = "virtual: []\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What an agent left behind, with the configuration that it ran in etc/."""
    folder, etc = tmp_path / "data", tmp_path / "etc"
    store = Store.open(folder / "store.db", boot="b", keep=3600.0, max_size=8 << 20, reserve=0)
    store.attach(["a", "b"])
    store.append([Frame(METER, i * 10**9, (i + 0.5,), bytes(1)) for i in range(2000)])
    store.ack("a", store.read("a", 700))
    store.set_aside("b", store.read("b", 1), "no")
    store.close()
    (etc / "conf.d").mkdir(parents=True)
    (etc / "site.yaml").write_text(SITE)
    (etc / "conf.d" / "more.yaml").write_text(PART)
    taken = {path: path.read_bytes() for path in (etc / "site.yaml", etc / "conf.d" / "more.yaml")}
    History(folder).add(taken, etc / "site.yaml", "start", "good")
    with audit(folder) as book:
        book.end(book.begin(somebody(), Entry("meter", "x", "t", 1, 2, "2"), lambda _: None, 1), "done", 2, "", 2)
    for name in ("pki/own/key.pem", "pki/own/cert.der", "pki/trusted/a.der", "browse/press.found.jsonl", "pki/.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (etc / "commissioning").mkdir()
    (etc / "commissioning" / "state.json").write_text("{}")
    return folder


def floorgate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def backup(data: Path, *more: str) -> Path:
    path = data.parent / "b.zip"
    done = floorgate("backup", "-o", path, "--data", data, *more)
    assert done.exit_code == 0, done.output
    return path


def restored(path: Path, data: Path, *more: object) -> dict[str, Any]:
    done = floorgate("restore", path, "--data", data, "--json", *more)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def look(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_all_of_it_comes_back_in_another_place_as_another_instance(data: Path, tmp_path: Path) -> None:
    path, new, etc = backup(data), tmp_path / "new", tmp_path / "elsewhere"
    assert path.stat().st_mode & 0o777 == 0o600
    found = restored(path, new, "-c", etc / "site.yaml")
    assert (found["frames"], found["aside"], found["remarks"]) == (2000, None, [])
    assert peek_ledger(new / "store.db") == peek_ledger(data / "store.db")
    assert look(new / "store.db", "SELECT * FROM frame") == look(data / "store.db", "SELECT * FROM frame")
    for name in ("pki/own/key.pem", "pki/own/cert.der", "pki/trusted/a.der", "browse/press.found.jsonl"):
        assert (new / name).read_bytes() == (data / name).read_bytes()
    assert files(new / "config") == files(data / "config")
    assert (etc / "site.yaml").read_text() == SITE
    assert (etc / "conf.d" / "more.yaml").read_text() == PART
    assert (etc / "commissioning" / "state.json").read_text() == "{}"
    assert {path.stat().st_mode & 0o777 for path in etc.rglob("*")} == {0o750, 0o640}, "as /etc/floorgate has it"
    assert {path.stat().st_mode & 0o077 for path in new.rglob("*")} == {0}
    assert not (new / "pki" / ".lock").exists()
    names = [json.loads(floorgate("version", "--json", "--data", each).stdout)["instance"] for each in (data, new)]
    assert names[0] != names[1] == found["instance"]
    (told,) = look(new / "audit.db", "SELECT device, tag, old, new FROM entry WHERE id = 2")
    assert told == ("$gateway", "instance", json.dumps(names[0]), json.dumps(names[1]))
    assert floorgate("audit", "--verify", "--data", new).exit_code == 0
    assert not list(data.parent.glob(".*")), "nothing is left beside the archive"


def test_without_keys_there_are_none(data: Path, tmp_path: Path) -> None:
    path = backup(data, "--without-keys")
    with zipfile.ZipFile(path) as file:
        assert not [name for name in file.namelist() if "own" in name]
        assert b"key.pem" not in b"".join(map(file.read, file.namelist()))
    restored(path, tmp_path / "new")
    assert [path.name for path in (tmp_path / "new" / "pki").iterdir()] == ["trusted"]


def test_what_is_there_is_asked_for_and_kept(data: Path) -> None:
    path = backup(data)
    (data / "store.v2.db").write_text("a copy")
    before = files(data)
    refused = floorgate("restore", path, "--data", data)
    assert refused.exit_code == 1
    assert "--yes" in refused.output
    assert files(data) == before
    (data.parent / "etc" / "site.yaml").write_text("gateway: {id: other}\n")
    found = restored(path, data, "--yes", "-c", data.parent / "etc" / "site.yaml")
    assert found["aside"] == str(data / "before-restore-1")
    aside = files(data / "before-restore-1")
    assert aside.pop("site/site.yaml") == b"gateway: {id: other}\n"
    assert aside == {name: content for name, content in before.items() if name not in ("store.witness", "ballast")} | {
        "store.witness": before["store.witness"]
    }
    assert (data.parent / "etc" / "site.yaml").read_text() == SITE
    assert restored(path, data, "--yes")["aside"] == str(data / "before-restore-2")


def test_a_directory_in_use_is_refused(data: Path) -> None:
    path = backup(data)
    code = (
        "import sys; from buffer.store import Store;"
        "s = Store.open(sys.argv[1], boot='b', keep=1, max_size=1, reserve=0); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(data / "store.db")]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as child:
        assert child.stdout
        child.stdout.readline()
        done = floorgate("restore", path, "--data", data, "--yes")
        child.kill()
    assert (done.exit_code, "in use by a running agent" in done.output) == (1, True)


HOSTILE = {  # members that no backup has
    "up": ("site/../../x", "a member that is none"),
    "absolute": ("/etc/passwd", "a member that is none"),
    "elsewhere": ("data/ballast", "a member that is none"),
    "dots": ("data/pki/../../x", "a member that is none"),
    "backslash": ("data/pki/..\\x", "a member that is none"),
    "control": ("data/pki/\x1b[2J", "a member that is none"),
    "deep": ("data/pki/" + "a/" * 20 + "x", "a member that is none"),
    "long": ("data/pki/" + "a" * 300, "a member that is none"),
    "own": ("data/.restore/ready", "a member that is none"),
    "hidden": ("site/.ssh/authorized_keys", "a member that is none"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_that_would_go_elsewhere_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    path, (member, message) = tmp_path / "hostile.zip", HOSTILE[name]
    with writing(path) as out:
        out.add("store/frames", [])
        out.add("store/tables", [b"x"])
        out.add(member, [b"x"])
        out.finish(container.Facts(0))
    before = files(tmp_path)
    done = floorgate("restore", path, "--data", data, "--yes")
    assert (done.exit_code, message in done.output) == (1, True), done.output
    assert files(tmp_path) == before


def flipped(path: Path) -> None:
    content = path.read_bytes()
    at = content.index(b"store/frames") + 200
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def added(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as file, warnings.catch_warnings(action="ignore"):
        file.writestr(name, "x")


def rewritten(path: Path, change: Any, members: dict[str, bytes] | None = None, kind: int = 0) -> None:
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()} | (members or {})
    content[MANIFEST] = json.dumps(change(json.loads(content[MANIFEST]))).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = kind
            file.writestr(info, data)


CERT = "data/pki/trusted/a.der"
SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {  # an archive made worse, and what is to be said of it
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "no backup, or the end of it is missing"),
    "short": (lambda path: path.write_bytes(b"PK"), "no backup"),
    "flipped": (flipped, "store/frames"),
    "added": (lambda path: added(path, "data/pki/trusted/x.der"), "not those of its manifest"),
    "twice": (lambda path: added(path, "data/audit.head"), "not those of its manifest"),
    "newer": (
        lambda path: rewritten(path, lambda facts: facts | {"format": 2, "floorgate": "9.9.9"}),
        "made by floorgate 9.9.9 in format 2",
    ),
    "exchanged": (
        lambda path: rewritten(path, dict, {CERT: b"pki/trusted/b.der"}),
        f"{CERT} is not what the backup was made of",
    ),
    "bomb": (lambda path: rewritten(path, dict, {CERT: bytes(8 << 20)}), "the size of a member is not that"),
    "link": (lambda path: rewritten(path, dict, kind=0o120777 << 16), "is no regular file"),
    "timeless": (lambda path: rewritten(path, lambda facts: facts | {"made": 10**18}), "its manifest makes no sense"),
    "senseless": (lambda path: rewritten(path, lambda _: {"format": "x"}), "its manifest makes no sense"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_an_archive_that_is_not_as_it_was_made_changes_nothing(data: Path, how: str) -> None:
    path = backup(data)
    spoil, message = SPOILT[how]
    spoil(path)
    before = files(data.parent)
    done = floorgate("restore", path, "--data", data, "--yes")
    assert (done.exit_code, message in done.output) == (78 if how == "newer" else 1, True), done.output
    assert files(data.parent) == before


def test_more_members_than_a_backup_has_are_not_even_listed(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(container.MOST_MEMBERS + 1):
            file.writestr(str(number), "")
    done = floorgate("restore", path, "--data", tmp_path / "new")
    assert (done.exit_code, "more members than a backup" in done.output) == (1, True)


@pytest.mark.parametrize("columns", [b"\x90", b"\x91\xa1\xff"])  # none, and one whose name is no text
def test_a_store_that_makes_no_sense_is_found_before_anything_is_touched(data: Path, columns: bytes) -> None:
    path = data.parent / "b.zip"
    with writing(path) as out:
        out.add("store/frames", [b"\xff\xff\xff\xff"])
        out.add("store/tables", [b"\x83\xa7version\x03\xa7columns" + columns + b"\xa6tables\x80"])
        out.finish(container.Facts(0))
    before = files(data)
    done = floorgate("restore", path, "--data", data, "--yes")
    assert (done.exit_code, "its store makes no sense" in done.output) == (1, True), done.output
    assert files(data) == before


KILLED = (  # a change that is killed at each of its renames in turn
    "import os, sys; from pathlib import Path; from agent.cli.archive.swapping import swap\n"
    "left, rename = 0, Path.rename\n"
    "def counted(self, target):\n"
    "    global left\n"
    "    left -= 1\n"
    "    left or os.kill(os.getpid(), 9)\n"
    "    return rename(self, target)\n"
    "Path.rename = counted\n"
    "for number, folder in enumerate(sys.argv[1:], 1):\n"
    "    left = number\n"
    "    child = os.fork()\n"
    "    child or (swap(Path(folder), Path(folder, 'before-restore-1')), os._exit(0))\n"
    "    print(os.waitpid(child, 0)[1])\n"
)


def test_a_kill_in_the_middle_of_the_change_ends_with_all_of_the_new(tmp_path: Path) -> None:
    """The next start goes on; before the first of its steps nothing has changed."""
    folders = [tmp_path / f"run-{number}" for number in range(21)]
    for new in folders:
        for name, content in (("store.db", b"old"), (".restore/new/store.db", b"new"), (".restore/new/pki/x", b"")):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        (new / "pki").mkdir()
    command = [sys.executable, "-c", KILLED, *map(str, folders)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, check=True, text=True, timeout=60)
    codes = [int(line) for line in done.stdout.split()]
    assert codes[0] == 9 and codes[-1] == 0
    for new in folders:
        began = any((new / swapping.FOLDER / name).exists() for name in (swapping.READY, swapping.CLEARED))
        ended = not (new / swapping.FOLDER).exists()
        swapping.finish(new)
        assert (new / "store.db").read_bytes() == (b"new" if began or ended else b"old")
        assert (new / "before-restore-1" / "store.db").exists() == (began or ended)
        assert (new / swapping.FOLDER).exists() == (not began and not ended)


def test_a_configuration_that_nobody_knows_is_said(data: Path) -> None:
    (data / "config" / "history.json").unlink()
    done = floorgate("backup", "-o", data.parent / "b.zip", "--data", data)
    assert (done.exit_code, "name its file with -c" in done.output) == (0, True)
    named = floorgate("backup", "-o", data.parent / "c.zip", "--data", data, "-c", data.parent / "no.yaml")
    assert (named.exit_code, "cannot be read" in named.output) == (1, True)
    (data.parent / "etc" / "site.yaml").write_text("gateway: {id: gw-9}\ndevices: [{name: x, driver: none}]\n")
    wrong = floorgate(
        "backup", "--json", "-o", data.parent / "c.zip", "--data", data, "-c", data.parent / "etc/site.yaml"
    )
    assert json.loads(wrong.stdout)["gateway"] == "gw-9", "a configuration that is wrong is backed up all the same"


def test_a_configuration_is_kept_where_there_are_no_data_yet_and_before_it_is_replaced(data: Path) -> None:
    path, new, site = backup(data), data.parent / "new", data.parent / "etc" / "site.yaml"
    site.write_text("gateway: {id: other}\n")
    (data.parent / "etc" / "conf.d" / "more.yaml").unlink()
    (data.parent / "etc" / "conf.d").rmdir()
    (data.parent / "etc" / "conf.d").write_text("no folder")
    refused = floorgate("restore", path, "--data", new, "--yes", "-c", site)
    assert (refused.exit_code, list(new.iterdir())) == (1, []), "and then nothing is left of it"
    (data.parent / "etc" / "conf.d").unlink()
    found = restored(path, new, "--yes", "-c", site)
    assert found["aside"] == str(new / "before-restore-1")
    assert files(new / "before-restore-1") == {"site/site.yaml": b"gateway: {id: other}\n"}
    assert (data.parent / "etc" / "conf.d").stat().st_mode & 0o777 == 0o750


def test_what_root_restores_belongs_to_whom_the_data_directory_does(data: Path, tmp_path: Path) -> None:
    path, new = backup(data), tmp_path / "new"
    new.mkdir()
    owner = (65534, 65534) if host.is_root() else (os.getuid(), os.getgid())
    os.chown(new, *owner)
    restored(path, new)
    assert {(each.stat().st_uid, each.stat().st_gid) for each in new.rglob("*")} == {owner}


def test_an_agent_of_another_version_that_does_not_know_a_question_is_named(tmp_path: Path) -> None:
    class Old(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Old) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        agent = Agent(tmp_path, {"host": "127.0.0.1", "port": server.server_port, "token": "t", "version": "0.0.1"})
        with pytest.raises(StoreError, match="with 404 Not Found") as caught:
            agent.get("/api/v1/store/copy")
        agent.close()
        thread.join()
    assert caught.value.hint == f"it is floorgate 0.0.1, this is {__version__}: restart it"


def test_nothing_that_is_there_is_replaced_by_an_archive(data: Path) -> None:
    (data.parent / "file").write_text("mine")
    os.mkfifo(data.parent / "pipe")
    (data.parent / "link").symlink_to("nowhere")
    for name in ("file", "pipe", "link"):
        for command in ("backup", "support"):
            refused = floorgate(command, "-o", data.parent / name, "--data", data)
            assert refused.exit_code == 1 and f"{name} is there already (name another file" in refused.output
    assert (data.parent / "file").read_text() == "mine" and (data.parent / "pipe").is_fifo()


def test_no_agent_begins_on_a_store_that_is_about_to_be_replaced(data: Path) -> None:
    opening = f"Store.open({str(data / 'store.db')!r}, boot='c', keep=1.0, max_size=8 << 20, reserve=0)"
    code = f"from buffer.store import Store; {opening}"
    command, environ = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    with swapping.alone(data):
        done = subprocess.run(command, env=environ, capture_output=True, check=False)
    assert b"is in use by another process" in done.stderr
