"""The history survives a kill at any moment, is bounded, and names each content once."""

import json
import os
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from agent import __version__
from agent.runtime import history as module
from agent.runtime.history import FILE, MOST, History, HistoryError, State
from tests.house import ROOT

SITE = Path("/etc/site.yaml")
MAP = Path("/etc/maps/a.yaml")


def history(data: Path) -> History:
    return History(data, wall=lambda: 1_700_000_000 * 10**9)


def test_a_version_is_kept_with_all_of_its_files_for_its_owner_alone(tmp_path: Path) -> None:
    it = history(tmp_path)
    assert it.state() == State()
    first = it.add({SITE: b"one", MAP: b"\xff\x00"}, SITE, "start", "good", who="root", text="new")
    assert it.content(1) == {SITE: b"one", MAP: b"\xff\x00"}
    assert (it.state().running, it.state().good, it.state()[1]) == (1, 1, first)
    assert (first.at, first.file, first.why, first.who) == (1_700_000_000_000, "/etc/site.yaml", "start", "root")
    assert it.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in it.folder.iterdir()} == {0o600}
    assert zipfile.ZipFile(next(it.folder.glob("*.zip"))).testzip() is None


def test_the_same_content_lies_there_once(tmp_path: Path) -> None:
    it = history(tmp_path)
    for text in (b"one", b"two", b"one"):
        it.add({SITE: text}, SITE, "apply", "good")
    assert [each.n for each in it.state().versions] == [1, 2, 3]
    assert it.state()[1].digest == it.state()[3].digest
    assert len(list(it.folder.glob("*.zip"))) == 2
    before = it.state().before()
    assert before is not None and before.n == 2


def test_a_trial_ends_good_or_reverted_and_what_was_reverted_is_barred_until_somebody_wants_it(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one"}, SITE, "start", "good")
    tried = it.add({SITE: b"two"}, SITE, "apply", "trial")
    state = it.state()
    assert (state.running, state.good, state.trial, state.barred(tried.digest)) == (2, 1, tried, tried)
    it.settle(2, "reverted", "device meter is not well")
    state = it.state()
    barred = state.barred(tried.digest)
    assert (state.running, state.good, state.trial) == (1, 1, None)
    assert barred is not None and barred.reason == "device meter is not well"
    again = it.add({SITE: b"two"}, SITE, "apply", "good")
    assert (it.state().barred(again.digest), it.state().good) == (None, 3)


def test_what_only_stood_there_does_not_run(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one"}, SITE, "start", "good")
    kept = it.add({SITE: b"edited"}, SITE, "rollback", "kept")
    state = it.state()
    assert (state.running, state.good, state.last(kept.digest), state.before()) == (1, 1, None, None)
    assert it.content(2) == {SITE: b"edited"}


def test_it_holds_so_many_versions_and_always_those_that_matter(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"good"}, SITE, "start", "good")
    for n in range(MOST + 5):
        it.add({SITE: b"%d" % n}, SITE, "apply", "trial")
        it.settle(n + 2, "reverted")
    state = it.state()
    assert (len(state.versions), state.versions[0].n, state.versions[-1].n) == (MOST, 1, MOST + 6)
    assert len(list(it.folder.glob("*.zip"))) == MOST
    assert it.content(state.good) == {SITE: b"good"}
    with pytest.raises(HistoryError, match="there is no version 3"):
        it.content(3)


def test_it_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 500_000)
    it = history(tmp_path)
    for _ in range(8):
        it.add({SITE: os.urandom(100_000)}, SITE, "apply", "good")
    assert [each.n for each in it.state().versions] == [5, 6, 7, 8]
    assert sum(path.stat().st_size for path in it.folder.iterdir()) < 500_000
    with pytest.raises(HistoryError, match="too much for the history"):
        it.add({SITE: bytes(65 << 20)}, SITE, "apply", "good")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": "x"}',
        '{"format": 1, "versions": [{}], "running": 1, "good": 1, "next": 2}',
        "\0" * 50,
    ],
)
def test_a_state_that_makes_no_sense_is_said_and_then_put_aside(tmp_path: Path, text: str) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one"}, SITE, "start", "good")
    (it.folder / FILE).write_text(text)
    with pytest.raises(HistoryError, match="makes no sense"):
        it.state()
    it.add({SITE: b"two"}, SITE, "start", "good")
    assert [each.n for each in it.state().versions] == [1]
    assert len(it.remarks) == len(list(it.folder.glob("history-*.damaged"))) == 1


def test_what_a_newer_version_has_written_is_left_as_it_is(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one"}, SITE, "start", "good")
    (it.folder / FILE).write_text('{"format": 2, "more": []}')
    for change in (it.state, lambda: it.add({SITE: b"two"}, SITE, "start", "good"), lambda: it.runs(1)):
        with pytest.raises(HistoryError, match="by a newer floorgate in format 2") as caught:
            change()
        assert "install the newer version again" in caught.value.hint
    assert (it.folder / FILE).read_text() == '{"format": 2, "more": []}'
    assert it.remarks == []


def test_it_knows_which_version_of_floorgate_ran_what_and_passes_over_what_others_add(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one"}, SITE, "start", "good")
    it.add({SITE: b"two"}, SITE, "apply", "kept")
    assert it.state().programs == {1: __version__}
    said = json.loads((it.folder / FILE).read_text())
    said["programs"], said["more"] = {"1": "0.0.1", "7": "x"}, 1
    said["versions"][0]["colour"] = "red"
    (it.folder / FILE).write_text(json.dumps(said))
    assert it.state().programs == {1: "0.0.1", 7: "x"}
    it.runs(1)
    assert it.state().programs == {1: __version__}
    stamp = (it.folder / FILE).stat().st_mtime_ns
    it.runs(1)
    assert (it.folder / FILE).stat().st_mtime_ns == stamp, "nothing is written for what is known"


def test_an_archive_that_is_damaged_or_gone_is_never_taken_for_a_version(tmp_path: Path) -> None:
    it = history(tmp_path)
    it.add({SITE: b"one" * 1000}, SITE, "start", "good")
    (archive,) = it.folder.glob("*.zip")
    whole, unseen = archive.read_bytes(), 0
    for at in range(0, len(whole), 7):
        archive.write_bytes(whole[:at] + bytes((whole[at] ^ 0x55,)) + whole[at + 1 :])
        with suppress(HistoryError):
            assert it.content(1) == {SITE: b"one" * 1000}, "where a ZIP is not looked at"
            unseen += 1
    assert unseen < len(range(0, len(whole), 7)) / 2
    archive.unlink()
    with pytest.raises(HistoryError, match="it is not there any more"):
        it.content(1)


def test_a_folder_that_cannot_be_written_is_said_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    with pytest.raises(HistoryError, match="Not a directory"):
        history(tmp_path).add({SITE: b"one"}, SITE, "start", "good")


KILLED = """
import os, sys
from pathlib import Path
from agent.runtime.history import History
SITE = Path("/etc/site.yaml")
data, left = Path(sys.argv[1]), 0
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.truncate", "fcntl.flock"}
def hook(event, args):
    global left
    if event in EVENTS and left:
        left -= 1
        if not left:
            os._exit(9)
for steps in range(1, 80):
    (data / str(steps)).mkdir()
    child = os.fork()
    if not child:
        it = History(data / str(steps))
        it.add({SITE: b"one"}, SITE, "start", "good")
        sys.addaudithook(hook)
        left = steps
        it.add({SITE: b"two"}, SITE, "apply", "trial")
        it.settle(2, "good")
        it.add({SITE: b"three"}, SITE, "file", "good")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(steps)
        break
"""


def test_a_kill_at_any_step_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    steps = int(done.stdout)
    assert steps > 15, "each of these was a kill"
    seen = set()
    for data in tmp_path.iterdir():
        it = History(data)
        state = it.state()
        seen.add(tuple((each.n, each.outcome) for each in state.versions))
        for each in state.versions:
            assert it.content(each.n) == {SITE: [b"one", b"two", b"three"][each.n - 1]}
        it.add({SITE: b"four"}, SITE, "file", "good")  # and it goes on
        assert len(list(it.folder.glob("*.zip"))) == len(it.state().versions) and not list(it.folder.glob(".*"))
        assert json.loads((it.folder / FILE).read_text())["good"] == it.state().running
    assert seen == {
        ((1, "good"),),
        ((1, "good"), (2, "trial")),
        ((1, "good"), (2, "good")),
        ((1, "good"), (2, "good"), (3, "good")),
    }
