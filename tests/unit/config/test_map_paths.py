"""A map is on the shelf, in or below the folder of the site, or where an absolute path says: nowhere else."""

from pathlib import Path

import pytest

from agent.config import Invalid, configs_dir, load

MAP = "device: {vendor: A, model: B}\ndriver: modbus\ntags: [{name: a, address: 0}]\n"
SITE = "gateway: {id: gw}\ndevices:\n  - {name: m, driver: modbus, endpoint: tcp://plc, map: %s}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "maps").mkdir(parents=True)
    (folder / "maps" / "in.yaml").write_text(MAP)
    (tmp_path / "out.yaml").write_text(MAP)
    (tmp_path / "secret").write_text("root:x:0")
    return folder


def said(home: Path, name: object) -> str:
    """What is wrong with a site that names the map; nothing when it is loaded."""
    path = home / "site.yaml"
    path.write_text(SITE % f'"{name}"')
    try:
        load(path, {})
    except Invalid as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["maps/in.yaml", "./maps/in.yaml", "maps/../maps/in.yaml", "../site/maps/in.yaml"])
def test_a_path_within_the_folder_of_the_site_is_taken(home: Path, name: str) -> None:
    assert said(home, name) == ""


@pytest.mark.parametrize("name", ["../out.yaml", "maps/../../out.yaml", "../../../../../../etc/passwd", "./../secret"])
def test_a_relative_path_that_leads_out_is_refused_with_the_reason(home: Path, name: str) -> None:
    text = said(home, name)
    assert f"map: '{name}' leads out of {home} (put the map there, or in a folder below)" in text
    assert "root:" not in text


def test_a_link_that_leads_out_is_followed_and_refused(home: Path) -> None:
    (home / "link.yaml").symlink_to(home.parent / "out.yaml")
    (home / "folder").symlink_to("/etc")
    (home / "near.yaml").symlink_to(home / "maps" / "in.yaml")
    assert "leads out of" in said(home, "link.yaml")
    assert "leads out of" in said(home, "folder/passwd")
    assert said(home, "./near.yaml") == ""


def test_an_absolute_path_leads_to_a_map_or_nowhere(home: Path) -> None:
    assert said(home, configs_dir() / "devices" / "xy-md02.yaml") == ""
    assert said(home, home.parent / "out.yaml") == ""
    assert "is no device map (a map is a .yaml, .csv or .xlsx)" in said(home, "/etc/passwd")
    (home / "trick.yaml").symlink_to("/etc/passwd")
    assert "is no device map" in said(home, home.parent / "site" / "trick.yaml")


def test_loops_and_paths_that_are_none_are_said(home: Path) -> None:
    (home / "loop.yaml").symlink_to(home / "loop.yaml")
    assert "map: './loop.yaml'" in said(home, "./loop.yaml")
    assert "map:" in said(home, "./a\\0b.yaml")
    assert "cannot be read" in said(home, "./" + "x" * 300 + ".yaml")


def test_a_map_that_extends_stays_in_the_same_folder(home: Path) -> None:
    (home / "maps" / "own.yaml").write_text("device: {vendor: A, model: C}\nextends: ../../out.yaml\n")
    assert "maps/own.yaml:2:10: extends: '../../out.yaml' leads out of" in said(home, "maps/own.yaml")
