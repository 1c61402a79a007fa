"""Tags that stand for many, in a site and in a map: what is wrong with one is told at its place."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from tests.unit.config.conftest import Load

SITE = """\
gateway: {{id: gw-1}}
devices:
  - name: press
    driver: opcua
    endpoint: opc.tcp://10.0.0.1
    security: none
    {more}
    tags:
      - {tag}
"""
ROOT = 'root: "/Objects/2:M 1"'


def test_a_pattern_needs_no_name_and_no_type(site: Load) -> None:
    (device,) = site(SITE.format(more="", tag='{match: "Press*/**/Temp"}')).devices
    (tag,) = device.tags  # type: ignore[attr-defined]  # of this driver's class
    assert (tag.match, tag.name, tag.node, tag.type) == ("Press*/**/Temp", "", "", None)


@pytest.mark.parametrize(
    ("tag", "more", "said"),
    [
        ("{match: a//b, name: x}", "", "9:17: device 'press', tag 'x': match: 'a//b' is no pattern"),
        ('{match: "", name: x}', "", "9:17: device 'press', tag 'x': match: '' is no pattern"),
        (
            '{match: "a*", name: "x{2}"}',
            "",
            "9:17: device 'press', tag 'x{2}': match: 'x{2}' asks for more",
        ),
        ('{match: "a*", name: "x{y}"}', "", "9:17: device 'press', tag 'x{y}': match: 'x{y}' is no name"),
        ('{match: "a*", name: "x{}"}', "", "9:17: device 'press', tag 'x{}': match: 'x{}' is no name"),
        ('{match: "a*", name: "x y"}', "", "9:29: device 'press', tag 'x y': name: 'x y' is not a name"),
        (
            '{match: "a*", node: i=1, name: x}',
            "",
            "9:9: device 'press', tag 'x': `node` and `match` exclude each other",
        ),
        ("{name: x}", "", "9:9: device 'press', tag 'x': node is missing"),
        ("{node: i=1}", "", "9:9: device 'press', tags[0]: name is missing"),
        ('{match: "./a"}', "", "3:5: device 'press': root: is missing, below which './a' lies"),
        (
            '{match: "./m:a"}',
            ROOT + "\n    namespaces: {m: urn:m}",
            "10:7: device 'press': tags: './m:a': a pattern knows no prefixes: without `m:` any namespace fits",
        ),
        ("{match: 7}", "", "9:17: device 'press', tags[0]: match: must be text"),
    ],
)
def test_what_is_wrong_with_a_pattern(tag: str, more: str, said: str, complaint: Callable[..., str]) -> None:
    assert complaint(SITE.format(more=more, tag=tag)).startswith(f"site.yaml:{said}")


def test_there_may_not_be_any_number(complaint: Callable[..., str]) -> None:
    tags = "\n      - ".join(f'{{match: "a{number}*"}}' for number in range(101))
    assert "101 have a pattern, 100 may" in complaint(SITE.format(more="", tag=tags))


def test_a_map_may_have_patterns_below_the_root_of_its_device(write: Any, site: Load) -> None:
    """A tag of the device with the same name goes before the map's, as with any other tag."""
    path = write(
        "press.yaml",
        "device: {vendor: Acme, model: P}\ndriver: opcua\nsources: [manual]\nquirks: {namespaces: {m: urn:m}}\n"
        'tags:\n  - {name: "zone{1}", match: "./Zone?/Temp", unit: Cel}\n  - {match: "./Axis*/**/Speed"}\n'
        "  - {name: mode, node: ./m:Mode}\n",
    )
    done = CliRunner().invoke(main, ["check", str(path)])
    assert (done.exit_code, "3 tags for opcua" in done.stdout) == (0, True), done.output
    text = SITE.format(more="map: ./press.yaml\n    " + ROOT, tag='{name: "zone{1}", group: slow}')
    (device,) = site(text.replace("    tags:", "    groups: {slow: {interval: 10s}}\n    tags:")).devices
    first, second, third = device.tags  # type: ignore[attr-defined]  # of this driver's class
    assert (first.match, first.unit, first.group) == ("./Zone?/Temp", "Cel", "slow")
    assert second.match == "./Axis*/**/Speed"
    assert third.node == "/Objects/2:M 1/nsu=urn:m;Mode"
