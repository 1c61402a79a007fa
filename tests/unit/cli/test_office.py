"""`floorgate simulate`, `record` and `replay`: what is wrong is said, with the next step; the same plays the same."""

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.record.format import Header
from agent.record.recorder import LEAST, Recorder
from drivers.tapping import CONNECTED, HEARD, SENT

SITE = """\
gateway: {id: gw}
devices:
  - {name: meter, driver: modbus, endpoint: "tcp://10.0.0.1", tags: [{name: level, address: 3, scale: 0.1, unit: m}]}
  - {name: other, driver: sim, tags: [{name: x}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three scans of the meter: 23.0, none, 23.1."""
    recorder = Recorder(tmp_path / "r.fgr", Header("t", "gw"), LEAST)
    recorder("tcp://10.0.0.1", CONNECTED, b"")
    for number, word in ((1, 230), (2, None), (3, 231)):
        recorder("tcp://10.0.0.1", SENT, bytes((0, number, 0, 0, 0, 6, 1, 3, 0, 3, 0, 1)))
        if word is not None:
            recorder("tcp://10.0.0.1", HEARD, bytes((0, number, 0, 0, 0, 5, 1, 3, 2)) + word.to_bytes(2, "big"))
    recorder.stop()
    return recorder.path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def shell(command: str, path: Path) -> tuple[int, str]:
    """Exit code and stderr."""
    given = ["/bin/sh", "-c", command, sys.executable, str(path)]
    done = subprocess.run(given, check=False, capture_output=True, timeout=30, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("simulate", "-c", "{site}", "--fault", "nobody=dead"), 2, "there is no device 'nobody': meter"),
        (("simulate", "-c", "{site}", "--fault", "meter=drunk"), 2, "is no fault: dead, silent"),
        (("simulate", "-c", "{site}", "--fault", "meter"), 2, "is not DEVICE FAULT"),
        (("simulate", "-c", "{site}", "--script", "{folder}/none"), 78, "No such file"),
        (("simulate", "-c", "{site}", "--script", "{folder}"), 78, "Is a directory"),
        (("simulate", "-c", "{site}", "--out", "{site}"), 2, "is the file that is simulated"),
        (("simulate", "-c", "{site}", "--out", "{folder}/../{name}/site.yaml"), 2, "is the file that is simulated"),
        (("simulate", "-c", "{site}", "--out", "."), 2, "is no name of a file"),
        (("simulate", "-c", "{site}", "--out", "{site}/x.yaml", "--for", "1ms"), 1, "--out"),
        (("simulate", "-c", "{site}", "--for", "soon"), 2, "soon"),
        (("simulate", "-c", "{folder}/none.yaml"), 78, "there is no such file"),
        (("record", "-o", "{folder}/r", "--data", "{folder}"), 1, "no agent runs on"),
        (("record", "-o", "{folder}/r", "--size", "1KB", "--data", "{folder}"), 2, "from 64KB"),
        (("record", "-o", "{folder}/r", "--size", "much", "--data", "{folder}"), 2, "is no size"),
        (("record", "-o", "{site}", "-c", "{site}", "--data", "{folder}"), 1, "is there already, and is no recording"),
        (("record", "-o", "/dev/null", "-c", "{site}", "--data", "{folder}"), 1, "is no recording"),
        (("record", "-o", "{folder}", "-c", "{site}", "--data", "{folder}"), 1, "is no recording"),
        (("record", "-o", "{site}/r", "-c", "{site}", "--data", "{folder}"), 1, "-o"),
        (("replay", "{site}", "-c", "{site}"), 1, "is no recording"),
        (("replay", "{folder}/none", "-c", "{site}"), 1, "No such file"),
        (("replay", "{site}", "-c", "{site}", "--speed", "warp"), 2, "neither max nor a speed"),
    ],
)
def test_what_is_wrong_is_said(site: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run(*(each.format(site=site, folder=site.parent, name=site.parent.name) for each in arguments))
    assert said in done.output
    assert done.exit_code == code


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("name: other, driver: sim, tags: [{name: x}]", "none of modbus or opcua"),
        (
            "name: m, driver: modbus, endpoint: 'tcp://10.0.0.1', enabled: false, tags: [{name: x, address: 1}]",
            "none that is enabled",
        ),
    ],
)
def test_a_site_with_nothing_to_simulate(tmp_path: Path, device: str, why: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"gateway: {{id: gw}}\ndevices: [{{{device}}}]\n")
    done = run("simulate", "-c", path)
    assert f"no device of this file can be simulated (it has {why})" in done.output
    assert done.exit_code == 78


def test_what_somebody_has_written_is_not_written_over(site: Path) -> None:
    mine = site.parent / "mine.yaml"
    mine.write_text("precious")
    done = run("simulate", "-c", site, "--for", "1ms", "--out", mine)
    assert (done.exit_code, mine.read_text()) == (1, "precious")
    assert "`floorgate simulate` has not written it" in done.output
    link = site.parent / "link.yaml"
    link.symlink_to(site)
    assert run("simulate", "-c", link, "--for", "1ms", "--out", site).exit_code == 2
    assert site.read_text() == SITE


def test_a_command_to_paste_is_quoted(site: Path) -> None:
    odd = site.rename(site.parent / "站 点's.yaml")
    done = run("simulate", "-c", odd, "--for", "1ms")
    pasted = done.stdout.partition("floorgate run -c ")[2].splitlines()[0]
    assert shlex.split(pasted)[0] == str(odd.parent / "站 点's.simulated.yaml")


def test_what_was_simulated_is_told(site: Path) -> None:
    done = run("simulate", "-c", site, "--for", "10ms", "--fault", "meter=dead")
    assert done.exit_code == 0
    assert "tcp://10.0.0.1" in done.output
    assert "other: devices of the driver 'sim' are not simulated" in done.output
    assert "tcp://127.0.0.1:" in (site.parent / "site.simulated.yaml").read_text()


def test_the_last_values_and_what_was_wrong(site: Path, recording: Path) -> None:
    done = run("replay", recording, "-c", site)
    assert done.exit_code == 0
    assert "23.1" in done.stdout
    assert "last error of meter" in done.stderr
    assert "not played: other" in done.stderr


def test_all_frames_twice_the_same(site: Path, recording: Path) -> None:
    first, again = (run("replay", recording, "-c", site, "--json") for _ in "12")
    assert first.stdout == again.stdout
    assert [line.partition('"values":')[2][:13] for line in first.stdout.splitlines()[1:]] == [
        '{"level":23.0',
        '{},"quality":',
        '{"level":23.1',
    ]


def test_a_store_for_the_other_commands_but_never_an_old_one(site: Path, recording: Path) -> None:
    data = site.parent / "desk"
    assert run("replay", recording, "-c", site, "--data", data).exit_code == 0
    assert "23.1" in run("store", "peek", "--data", data).output
    again = run("replay", recording, "-c", site, "--data", data)
    assert "is there already" in again.output
    assert again.exit_code == 1


def test_as_fast_as_it_was(site: Path, recording: Path) -> None:
    assert run("replay", recording, "-c", site, "--speed", "10x").exit_code == 0


def test_a_recording_that_the_disk_cannot_hold_is_a_failure(site: Path, tmp_path: Path) -> None:
    """Even one of which not even the head has room."""
    output = tmp_path / "full.fgr"
    keep = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, keep[1]))
    try:
        done = run("record", "-o", output, "-c", site, "--for", "50ms", "--data", tmp_path / "data")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, keep)
    assert done.exit_code == 1
    assert "the recording was broken off: " in done.output


def test_without_a_place_to_print_to_a_command_still_works(site: Path) -> None:
    """`>&-`, as some schedulers start programs."""
    for closed in (">&-", "2>&-"):
        command = f'exec "$0" -m agent simulate -c "$1" --for 1ms {closed}'
        assert shell(command, site) == (0, "")


def test_more_sockets_than_the_system_gives_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    device = "{{name: m{0}, driver: modbus, endpoint: 'tcp://10.0.0.{0}', tags: [{{name: x, address: 1}}]}}"
    listed = ", ".join(device.format(number) for number in range(1, 90))
    path.write_text(f"gateway: {{id: gw}}\ndevices: [{listed}]\n")
    command = 'ulimit -n 64; exec "$0" -m agent simulate -c "$1" --for 1ms'
    code, said = shell(command, path)
    assert (code, "ulimit -n" in said, "Traceback" in said) == (1, True, False)


def test_a_device_with_an_equals_sign_in_its_name_can_have_a_fault(site: Path) -> None:
    site.write_text(SITE.replace("name: meter", "name: m=1"))
    assert run("simulate", "-c", site, "--for", "1ms", "--fault", "m=1=dead").exit_code == 0
