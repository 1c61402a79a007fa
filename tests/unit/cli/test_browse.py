"""`floorgate browse`: the tree, the map that comes of it, and a walk that is broken off."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main, outline
from agent.cli.browse import Asked, Walked, _walk
from agent.cli.query import Query, Wishes
from agent.cli.resume import Broken, keep, resumed
from agent.config import load_map
from agent.model.errors import AgentError
from agent.model.text import is_name, plain
from drivers.browsing import Place
from drivers.opcua.naming import legal, tag_names, unique
from tests.sim.opcua_fixtures import MACHINE, OpcuaServer, machine_server

pytestmark = pytest.mark.xdist_group("opcua")
NODE = f"nsu={MACHINE};s="


@pytest.fixture(scope="module")
def machine() -> Iterator[OpcuaServer]:
    with machine_server(children=120) as server:
        yield server


def browse(machine: OpcuaServer, folder: Path, *arguments: str) -> Result:
    base = ["browse", machine.endpoint, "--security", "none", "--data", str(folder / "data")]
    return CliRunner().invoke(main, [*base, *arguments])


def test_the_tree_shows_where_things_are_and_what_they_hold(machine: OpcuaServer, tmp_path: Path) -> None:
    result = browse(machine, tmp_path, "--match", "Machine/*", "--values")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "Objects",
        "  2:Machine",
        f"    2:Speed  {NODE}Speed  Float  writable  = 1.5",
    ]
    assert f"    2:Temp  {NODE}Temp  Double  writable  Cel  = 20.0" in lines
    assert f"    2:Row  {NODE}Row  Double[]  writable  = [1.0, 2.0, 3.0]" in lines
    assert "Many.0" not in result.stdout


def test_a_name_does_not_steer_the_terminal(machine: OpcuaServer, tmp_path: Path) -> None:
    result = browse(machine, tmp_path, "--match", "*Red*")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert r"2:\x1b[31mRed\u202e name" in result.stdout


def test_a_map_can_be_checked_and_used(machine: OpcuaServer, tmp_path: Path) -> None:
    result = browse(machine, tmp_path, "--yaml", "--match", "Machine/**")
    assert result.exit_code == 0, result.output
    path = tmp_path / "machine.yaml"
    path.write_text(result.stdout, "utf-8")
    tags = {tag.name: tag for tag in load_map(path).tags or ()}
    assert (tags["Temp"].node, tags["Temp"].type, tags["Temp"].unit) == (f"{NODE}Temp", "float64", "Cel")
    assert tags["Value7"].type == "int32"
    assert any(tag.node == f"{NODE}\x1b[31mRed\u202e name" for tag in tags.values())
    assert "Row" not in tags
    assert "EngineeringUnits" not in tags
    assert "arrays or structures" in result.stderr


def test_filters_by_type_and_by_what_may_be_written(machine: OpcuaServer, tmp_path: Path) -> None:
    found = json.loads(browse(machine, tmp_path, "--json", "--type", "int16", "--type", "Float", "--writable").stdout)
    assert [row["node"] for row in found] == [f"{NODE}Speed", f"{NODE}Limit"]
    assert found[0]["path"] == ["Objects", "2:Machine", "2:Speed"]
    assert found[0]["browse_path"] == f"/Objects/nsu={MACHINE};Machine/nsu={MACHINE};Speed"


def test_an_instance_is_found_by_its_type(machine: OpcuaServer, tmp_path: Path) -> None:
    """As the `root` of a map of a companion specification."""
    (found,) = json.loads(browse(machine, tmp_path, "--json", "--type", "ExclusiveLimitAlarmType").stdout)
    assert found["browse_path"] == f"/Objects/nsu={MACHINE};Machine/nsu={MACHINE};TempAlarm"


def test_depth(machine: OpcuaServer, tmp_path: Path) -> None:
    found = json.loads(browse(machine, tmp_path, "--json", "--depth", "1").stdout)
    assert {len(row["path"]) for row in found} == {1, 2}


def test_names_are_made_of_what_the_wildcards_stand_for(machine: OpcuaServer, tmp_path: Path) -> None:
    result = browse(machine, tmp_path, "--yaml", "--match", "Many/Value11?", "--name", "part_{1}")
    assert '  - {name: "part_4", node: "nsu=urn:floorgate:machine;s=Many.114", type: int32}' in result.stdout
    wrong = browse(machine, tmp_path, "--yaml", "--match", "Many/Value11?", "--name", "part_{2}")
    assert wrong.exit_code == 2
    assert "1 wildcards" in wrong.stderr


def test_a_walk_that_is_too_large_is_kept_and_gone_on_with(machine: OpcuaServer, tmp_path: Path) -> None:
    whole = json.loads(browse(machine, tmp_path, "--json").stdout)
    first = browse(machine, tmp_path, "--json", "--max-nodes", "40")
    assert first.exit_code == 1
    assert "40 nodes found" in first.stderr
    assert "--resume" in first.stderr
    kept = list((tmp_path / "data/browse").iterdir())
    assert len(kept) == 1
    other = browse(machine, tmp_path, "--resume", "--depth", "2")
    assert (other.exit_code, "another walk" in other.stderr) == (1, True)
    rest = browse(machine, tmp_path, "--json", "--resume")
    assert rest.exit_code == 0, rest.output
    assert {row["node"] for row in json.loads(rest.stdout)} == {row["node"] for row in whole}
    assert not kept[0].exists()
    assert "nothing to go on with" in browse(machine, tmp_path, "--resume").stderr


def test_a_file_that_is_no_walk_is_neither_overwritten_nor_deleted(machine: OpcuaServer, tmp_path: Path) -> None:
    """One that is named by mistake may be the site's."""
    path = tmp_path / "site.yaml"
    path.write_text("gateway: {id: gw}\n")
    for how in ([], ["--max-nodes", "5"], ["--resume"]):
        result = browse(machine, tmp_path, "--state", str(path), *how)
        assert (result.exit_code, "is no broken-off walk" in result.stderr) == (1, True), result.output
    assert path.read_text() == "gateway: {id: gw}\n"


def test_levels_without_end_are_not_followed() -> None:
    found = [Place(at - 1, f"n{at}", f"i={at}", "object") for at in range(200)]
    query = Query(Wishes(), found)
    assert [query.wanted(at) for at in (0, 63, 64, 199)] == [True, True, False, False]
    assert query.cut
    few = Query(Wishes(depth=3), found)
    assert not any(few.wanted(at) for at in range(3, 200)) and not few.cut


async def test_a_walk_is_kept_in_its_course(machine: OpcuaServer, tmp_path: Path) -> None:
    """For one that is killed cannot be kept afterwards; it is gone on with from there."""
    given = dict.fromkeys(("config", "depth"))
    asked = Asked(
        **given, timeout=30, device=machine.endpoint, security="none", start="", matches=(), types=(), writable=False,
        everything=False, max_nodes=9999, most_time=60, values=False, as_map=False, naming="", again=False,
        state=tmp_path / "walk.json", data=tmp_path, as_json=True,
    )  # fmt: skip
    walked = Walked()
    kept: list[Broken] = []

    def done(count: int) -> None:
        if asked.kept.exists():
            kept.append(resumed(asked.kept, asked.key))

    await _walk(asked, walked, Query(asked.wishes, walked.found), done, every=10)
    assert len({len(each.found) for each in kept}) > 1
    last = Walked(kept[0].found, kept[0].expanded)
    assert len(last.found) < len(walked.found)
    await _walk(asked, last, Query(asked.wishes, last.found), lambda count: None)
    assert {place.address for place in last.found} == {place.address for place in walked.found}


def test_a_forged_walk_does_not_get_into_a_map(tmp_path: Path) -> None:
    path = tmp_path / "walk.json"
    keep(path, ["x"], 0, [Place(-1, "a", "i=1", "variable", "bool}\nwrite: {min: 0")])
    with pytest.raises(AgentError, match="makes no sense"):
        resumed(path, ["x"])


@pytest.mark.parametrize("text", ["", "{", '{"asked": [], "expanded": 5}', '{"asked": 1}', "[]"])
def test_a_file_of_a_walk_that_makes_no_sense(text: str, machine: OpcuaServer, tmp_path: Path) -> None:
    path = tmp_path / "walk.json"
    path.write_text(text)
    result = browse(machine, tmp_path, "--resume", "--state", str(path))
    assert (result.exit_code, str(path) in result.stderr) == (1, True), result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["press-3"], "name the file"),
        (["opc.tcp://127.0.0.1:1", "--security", "Basic256"], "is broken"),
        (["opc.tcp://u:p@127.0.0.1:1", "--security", "none"], "no user"),
        (["opc.tcp://127.0.0.1:1", "--security", "none", "--match", "a//b"], "no pattern"),
        (["opc.tcp://127.0.0.1:1", "--security", "none", "--name", "{"], "is no name"),
        (["opc.tcp://127.0.0.1:1", "--security", "none", "--name", "{1[x]}"], "is no name"),
        (["opc.tcp://127.0.0.1:1", "--security", "none", "--name", "{name:>99999999999}"], "is no name"),
        (["opc.tcp://127.0.0.1:1", "--security", "none", "--name", "{name!r}"], "is no name"),
    ],
)
def test_a_command_line_that_says_too_little(arguments: Sequence[str], said: str) -> None:
    result = CliRunner().invoke(main, ["browse", *arguments])
    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_device_of_a_file(machine: OpcuaServer, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    tag = f'{{name: t, node: "{NODE}Temp"}}'
    site.write_text(
        "gateway: {id: gw}\ndevices:\n"
        f"  - {{name: m, driver: opcua, endpoint: '{machine.endpoint}', security: none, tags: [{tag}]}}\n"
        "  - {name: wave, driver: sim, tags: [{name: t, wave: constant}]}\n"
    )
    base = ["browse", "-c", str(site), "--data", str(tmp_path)]
    assert "Speed" in CliRunner().invoke(main, [*base, "m"]).stdout
    other = CliRunner().invoke(main, [*base, "wave"])
    assert (other.exit_code, "cannot tell" in other.stderr) == (1, True)


def test_names_that_are_the_same_get_what_tells_them_apart() -> None:
    paths = [("Objects", "2:A", "2:Temp"), ("Objects", "2:B", "2:Temp"), ("Objects", "2:B", "2:Level")]
    assert tag_names(paths) == ["A_Temp", "B_Temp", "Level"]
    assert tag_names([("x",), ("x",), ("x_2",)]) == ["x", "x_3", "x_2"]
    assert tag_names([("2:$a/b #1",), ("2:…",), ("2:\n",)]) == ["a_b__1", "…", "node"]


@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=3).map(tuple), max_size=8))
def test_names_are_legal_and_each_is_there_once(paths: list[tuple[str, ...]]) -> None:
    names = tag_names(paths)
    assert len(set(names)) == len(names) == len(paths)
    assert all(map(is_name, names))


@given(st.text(max_size=30))
def test_text_in_quotation_marks_is_read_back(text: str) -> None:
    safe = text.encode("utf-8", "replace").decode()
    assert yaml.safe_load(outline.quoted(safe)) == safe
    assert all(c.isprintable() for c in outline.quoted(text) + plain(text))


def test_a_unique_name_is_not_that_of_another() -> None:
    assert unique(["a", "a", "a_2", "a"]) == ["a", "a_3", "a_2", "a_4"]
    assert legal("  a\tb ") == "a_b"


def test_properties_of_a_variable_are_no_tags() -> None:
    found = [
        Place(-1, "Objects", "i=85", "object"),
        Place(0, "Serial", "i=1", "property", "str"),
        Place(0, "Temp", "i=2", "variable", "float64"),
        Place(2, "Low", "i=3", "property", "float64"),
    ]
    query = Query(Wishes(), found)
    assert [at for at in range(4) if query.is_tag(at)] == [1, 2]
    assert [at for at in range(4) if Query(Wishes(everything=True), found).is_tag(at)] == [1, 2, 3]
