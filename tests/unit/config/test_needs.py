"""A file may say which version it is for; an older one refuses all of it with that reason."""

from pathlib import Path

import pytest

from agent import __version__
from agent.config import Invalid, load

SITE = "gateway: {{id: gw{more}}}\ndevices: [{{name: a, driver: {driver}, tags: [{{name: t, wave: sine}}]}}]\n"


def problems(folder: Path, head: str, more: str = "", driver: str = "sim") -> list[tuple[str, str]]:
    """What is said of the file, and the hints."""
    path = folder / "site.yaml"
    path.write_text(head + SITE.format(more=more, driver=driver))
    try:
        load(path)
    except Invalid as error:
        return [(each.message, each.hint) for each in error.problems]
    return []


@pytest.mark.parametrize("version", [__version__, "0.0.9", "0.0.10"])
def test_what_this_version_or_an_older_one_understands_is_read(tmp_path: Path, version: str) -> None:
    assert problems(tmp_path, f"floorgate: {version}\n") == []


@pytest.mark.parametrize("version", ["9.0.0", "0.1000.0"])
def test_a_file_for_a_newer_version_is_refused_though_every_word_of_it_is_known(tmp_path: Path, version: str) -> None:
    ((message, hint),) = problems(tmp_path, f"floorgate: {version}\n")
    assert message == f"this configuration is for floorgate {version} or newer, and this is {__version__}"
    assert "floorgate history" in hint


def test_words_that_are_not_known_may_be_of_that_version(tmp_path: Path) -> None:
    found = problems(tmp_path, "floorgate: 9.0.0\n", ", sit: [x]", "modbos")
    assert [hint for _, hint in found[1:]] == [
        "did you mean 'site'?; or is it one of floorgate 9.0.0?",
        "did you mean 'modbus'?; or is it one of floorgate 9.0.0?",
    ]
    assert [hint for _, hint in problems(tmp_path, "", ", sit: [x]")] == ["did you mean 'site'?"]


@pytest.mark.parametrize("version", ["0.2", "2", '""', "latest", "[1]", "1.2.3.4", "v1.2.3", "1.2.99999", ">=0.2.0"])
def test_what_is_no_version_is_said(tmp_path: Path, version: str) -> None:
    ((message, hint),) = problems(tmp_path, f"floorgate: {version}\n" if version != ">=0.2.0" else 'floorgate: ">=1"\n')
    assert "is no version" in message
    assert "0.2.0" in hint


def test_it_may_stand_in_any_file_of_the_site_but_in_one(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.yaml").write_text("floorgate: 9.0.0\n")
    assert "9.0.0" in problems(tmp_path, "")[0][0]
    assert len(problems(tmp_path, "floorgate: 0.1.0\n")) == 1
