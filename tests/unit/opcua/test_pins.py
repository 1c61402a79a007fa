"""What patterns find is pinned: names and columns stay, whatever the server, the file or a person does later."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.browsing import Place
from drivers.opcua import pins as module
from drivers.opcua.config import Config
from drivers.opcua.pins import MOST, Hit, Pins, TooMany, kept

PRESSES = {"match": "Press*/**/Temp", "name": "press{1}_temp", "unit": "Cel"}


def config(*tags: dict[str, Any], **more: Any) -> Config:
    device = {"name": "press-3", "driver": "opcua", "endpoint": "opc.tcp://press", "security": "none"}
    return Config.model_validate({**device, "tags": list(tags), **more})


def walked(pins: Pins, *ways: str, **about: Any) -> list[Hit]:
    """What a walk brings that comes along these ways, at whose ends are nodes named like them."""
    found: list[Place] = []
    hits = []
    for way in ways:
        above = -1
        for name in way.split("/"):
            address = f"{found[above].address if above >= 0 else 'nsu=urn:x;s='}.{name}"
            known = next((at for at, place in enumerate(found) if place.address == address), None)
            if known is None:
                known = len(found)
                found.append(Place(above, name, address, "variable", "float32", **about))
            above = known
        pattern = next(each for each in pins.patterns if each.glob.captures(tuple(way.split("/"))) is not None)
        hits.append(Hit(pattern, found, above))
    return hits


def names(pins: Pins) -> list[str]:
    return [tag.name for tag in pins.tags]


def file(folder: Path) -> Path:
    return folder / "browse" / "press-3.found.jsonl"


def pinned(folder: Path, *ways: str, tags: Sequence[dict[str, Any]] = (PRESSES,)) -> Pins:
    pins = Pins(config(*tags), folder)
    pins.add(walked(pins, *ways))
    pins.save()
    return pins


def test_what_was_found_is_there_at_the_next_start(tmp_path: Path) -> None:
    before = pinned(tmp_path, "Objects/2:Press2/2:Temp", "Objects/2:Press1/2:Oil/2:Temp")
    after = Pins(config(PRESSES), tmp_path)
    assert (after.tags, after.remarks, len(after)) == (before.tags, [], 2)
    first = after.tags[0]
    assert (first.name, first.node, first.match) == ("press2_temp", "nsu=urn:x;s=.Objects.2:Press2.2:Temp", "")
    assert (first.type, first.unit) == ("float32", "Cel")
    assert list(file(tmp_path).parent.iterdir()) == [file(tmp_path), file(tmp_path).with_suffix(".lock")]


def test_what_is_found_later_comes_at_the_end(tmp_path: Path) -> None:
    pins = pinned(tmp_path, "Objects/2:Press2/2:Temp")
    fresh = pins.add(walked(pins, "Objects/2:Press1/2:Temp", "Objects/2:Press2/2:Temp"))
    assert [tag.name for tag in fresh] == ["press1_temp"]
    pins.save()
    assert names(Pins(config(PRESSES), tmp_path)) == ["press2_temp", "press1_temp"]


def test_what_the_file_says_goes_before_what_the_server_says() -> None:
    pins = Pins(config({**PRESSES, "unit": "K", "type": "float64", "group": "slow", "write": {"max": 9}}, **SLOW), None)
    pins.add(walked(pins, "Objects/2:Press1/2:Temp", unit="Cel"))
    (tag,) = pins.tags
    assert (tag.unit, tag.type, tag.group) == ("K", "float64", "slow")
    assert tag.write is not None and tag.write.max == 9
    plain = Pins(config({"match": "Press*/**/Temp"}), None)
    plain.add(walked(plain, "Objects/2:Press1/2:Temp", unit="Cel"))
    assert plain.tags[0].unit == "Cel"


SLOW = {"groups": {"slow": {"interval": "10s"}}}


def test_names_without_a_template_are_as_long_as_it_takes_and_stay(tmp_path: Path) -> None:
    """The second one comes later: the first keeps its name, and a listed tag has always had its own."""
    tags = {"match": "Press*/**/Temp"}, {"name": "Press2_Temp", "node": "ns=1;s=x"}
    pins = pinned(tmp_path, "Objects/2:Press1/2:Temp", tags=tags)
    pins.add(walked(pins, "Objects/2:Press2/2:Temp", "Objects/2:Press3/2:Temp"))
    assert names(pins) == ["Temp", "Objects_Press2_Temp", "Press3_Temp"]
    pins.save()
    assert names(Pins(config(*tags), tmp_path)) == names(pins)


def test_names_that_mean_ill_become_legal_ones(tmp_path: Path) -> None:
    odd = ["2:\x1b[31mRed\u202e", "2:a/b+c#d", "2: $x ", "2:" + "n" * 300, "2:\u2028"]
    pins = Pins(config({"match": "Objects/*"}), tmp_path)
    found = [Place(-1, "Objects", "i=85", "object")]
    found += [Place(0, name, f"ns=2;i={at}", "variable", "int16") for at, name in enumerate(odd)]
    pins.add([Hit(pins.patterns[0], found, at) for at in range(1, len(found))])
    pins.save()
    assert names(pins) == ["[31mRed", "a_b_c_d", "x", "n" * 120, "Objects"]
    assert Pins(config({"match": "Objects/*"}), tmp_path).tags == pins.tags


def test_a_listed_tag_wins_and_both_are_named() -> None:
    pins = Pins(config(PRESSES, {"name": "press1_temp", "node": "ns=1;s=Other"}), None)
    assert pins.add(walked(pins, "Objects/2:Press1/2:Temp")) == []
    (said,) = pins.remarks
    assert "nsu=urn:x;s=.Objects.2:Press1.2:Temp would be press1_temp, as ns=1;s=Other is" in said
    assert "{1}" in said


def test_a_node_that_is_listed_is_not_found_again(tmp_path: Path) -> None:
    """So one of many can be listed to say more of it, before it is found and after."""
    own = {"name": "hot", "node": "nsu=urn:x;s=.Objects.2:Press1.2:Temp"}
    pins = Pins(config(PRESSES, own), tmp_path)
    pins.add(walked(pins, "Objects/2:Press1/2:Temp"))
    assert (pins.tags, pins.remarks) == ([], [])
    pinned(tmp_path, "Objects/2:Press1/2:Temp", "Objects/2:Press2/2:Temp")
    assert names(Pins(config(PRESSES, own), tmp_path)) == ["press2_temp"]


def test_two_nodes_of_one_name_are_told_and_the_first_has_it(tmp_path: Path) -> None:
    pins = pinned(tmp_path, "Objects/2:Press1/2:Temp", "Objects/2:Press1/2:Oil/2:Temp")
    assert names(pins) == ["press1_temp"]
    assert (
        "s=.Objects.2:Press1.2:Oil.2:Temp would be press1_temp, as nsu=urn:x;s=.Objects.2:Press1.2:Temp is"
        in (pins.remarks[0])
    )
    again = Pins(config(PRESSES), tmp_path)
    assert (names(again), again.remarks) == (names(pins), pins.remarks)
    mended = Pins(config({**PRESSES, "match": "Press*/**/*emp", "name": "press{1}_{2}_temp"}), tmp_path)
    assert len(mended) == 2


def test_more_than_a_device_may_have_is_an_error_and_none_is_taken() -> None:
    pins = Pins(config({"match": "Objects/*"}), None)
    found = [Place(-1, "Objects", "i=85", "object")]
    found += [Place(0, f"2:V{at}", f"ns=2;i={at}", "variable", "int16") for at in range(MOST + 1)]
    hits = [Hit(pins.patterns[0], found, at) for at in range(1, len(found))]
    with pytest.raises(TooMany, match=r"more than 10,000 nodes, 'Objects/\*' alone 10,001"):
        pins.add(hits)
    assert (pins.tags, pins.saved) == ([], True)
    assert len(pins.add(hits[:-1])) == MOST


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ({"match": "Press*/**/Temp"}, ["press1_temp", "press2_temp"]),
        ({"match": "Press1/**/Temp", "name": "p"}, ["p"]),
        ({"match": "Press?/Temp", "name": "t{1}"}, ["t2", "t1"]),
        ({"match": "Oven*/**/Temp", "name": "press{1}_temp"}, []),
        ({"match": "./Press*/**/Temp", "name": "press{1}_temp"}, []),
    ],
)
def test_a_pattern_that_was_changed(pattern: dict[str, Any], left: list[str], tmp_path: Path) -> None:
    """What no pattern means any more is dropped; what another one means goes by that one."""
    pinned(tmp_path, "Objects/2:Press2/2:Temp", "Objects/2:Press1/2:Temp")
    pins = Pins(config(pattern, root="/Objects/2:Hall"), tmp_path)
    assert sorted(names(pins)) == sorted(left)
    pins.save()
    assert len(file(tmp_path).read_text().splitlines()) == len(left)


def test_another_root_is_another_machine(tmp_path: Path) -> None:
    here = {"match": "./*/Temp", "name": "t{1}"}
    pins = Pins(config(here, root="/Objects/2:M1"), tmp_path)
    pins.add(walked(pins, "2:M1/2:Oil/2:Temp"))
    pins.save()
    assert names(Pins(config(here, root="/Objects/2:M1"), tmp_path)) == ["tOil"]
    assert names(Pins(config(here, root="/Objects/2:M2"), tmp_path)) == []


def test_a_type_that_has_changed_is_told_and_not_taken_up(tmp_path: Path) -> None:
    pins = pinned(tmp_path, "Objects/2:Press1/2:Temp")
    (hit,) = walked(pins, "Objects/2:Press1/2:Temp")
    now = [Place(-1, "x", hit.place.address, "variable", "int16")]
    assert pins.add([Hit(hit.pattern, now, 0)]) == []
    assert pins.tags[0].type == "float32"
    assert "press1_temp is int16 now, float32 before" in pins.remarks[0]


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"\xff\xfe\x00",
        b"null",
        b'{"name":"a/b","node":"ns=1;s=x","type":"int16","path":["x"],"match":"x"}',
        b'{"name":"a","node":"nothing","type":"int16","path":["x"],"match":"x"}',
        b'{"name":"a","node":"ns=1;s=x","type":"int17","path":["x"],"match":"x"}',
        b'{"name":"a","node":"ns=1;s=x","type":"int16","path":[],"match":"x"}',
        b'{"name":"a\\n","node":"ns=1;s=x","type":"int16","path":["x"],"match":"x"}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_costs_that_node_alone(damage: bytes, tmp_path: Path) -> None:
    """It is told, found again by a walk, and what the file was is put aside."""
    pinned(tmp_path, "Objects/2:Press1/2:Temp", "Objects/2:Press2/2:Temp")
    first, second = file(tmp_path).read_bytes().splitlines()
    file(tmp_path).write_bytes(damage + b"\n" + second)
    pins = Pins(config(PRESSES), tmp_path)
    assert names(pins) == ["press2_temp"]
    assert "1 of 2 lines make no sense" in pins.remarks[0]
    assert str(file(tmp_path)) in pins.remarks[0]
    pins.add(walked(pins, "Objects/2:Press1/2:Temp"))
    pins.save()
    assert file(tmp_path).read_bytes().splitlines() == [second, first]
    assert file(tmp_path).with_suffix(".damaged").read_bytes().startswith(damage)


def test_what_is_no_file_at_all(tmp_path: Path) -> None:
    file(tmp_path).mkdir(parents=True)
    pins = Pins(config(PRESSES), tmp_path)
    assert "no file of found nodes" in pins.remarks[0]
    pins.add(walked(pins, "Objects/2:Press1/2:Temp"))
    pins.save()
    assert names(Pins(config(PRESSES), tmp_path)) == ["press1_temp"]


@given(data=st.one_of(st.binary(max_size=200), st.lists(st.text(max_size=60)).map("\n".join).map(str.encode)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_file_ends_a_start(data: bytes, tmp_path: Path) -> None:
    file(tmp_path).parent.mkdir(exist_ok=True)
    file(tmp_path).write_bytes(data)
    assert Pins(config(PRESSES), tmp_path).tags == []


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_flipped_bit_ends_a_start(data: st.DataObject, tmp_path: Path) -> None:
    """What comes of it are tags that could be ones."""
    text = bytearray(json.dumps(PIN).encode() + b"\n" + json.dumps({**PIN, "node": "i=2"}).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file(tmp_path).parent.mkdir(exist_ok=True)
    file(tmp_path).write_bytes(text)
    for tag in Pins(config(PRESSES), tmp_path).tags:
        type(tag).model_validate(tag.model_dump(exclude_unset=True, exclude={"match"}))


PIN = {
    "name": "a",
    "node": "ns=1;s=x",
    "type": "int16",
    "path": ["Objects", "2:Press1", "2:Temp"],
    "match": "Press*/**/Temp",
}


def test_what_another_process_pins_is_taken_up_and_kept(tmp_path: Path) -> None:
    ours = pinned(tmp_path, "Objects/2:Press1/2:Temp")
    assert not ours.refresh()
    theirs = Pins(config(PRESSES), tmp_path)
    theirs.add(walked(theirs, "Objects/2:Press2/2:Temp"))
    theirs.save()
    ours.add(walked(ours, "Objects/2:Press3/2:Temp"))
    assert ours.save()
    assert names(ours) == ["press1_temp", "press3_temp", "press2_temp"]
    assert theirs.refresh()
    assert names(theirs) == ["press1_temp", "press2_temp", "press3_temp"]


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    """Somebody has put a folder where its lock goes."""
    pins = pinned(tmp_path, "Objects/2:Press1/2:Temp")
    before = file(tmp_path).read_bytes()
    file(tmp_path).with_suffix(".lock").unlink()
    file(tmp_path).with_suffix(".lock").mkdir()
    pins.add(walked(pins, "Objects/2:Press2/2:Temp"))
    with pytest.raises(OSError, match="directory"):
        pins.save()
    assert (file(tmp_path).read_bytes(), pins.saved) == (before, False)


def test_a_device_without_a_pattern_has_no_file(tmp_path: Path) -> None:
    plain = config({"name": "a", "node": "ns=1;s=x"})
    assert Pins(plain, tmp_path).path is None
    assert kept(plain, tmp_path) == module.Kept(plain.tags, 0, 0, ())
    assert list(tmp_path.iterdir()) == []


def test_what_the_commands_are_told(tmp_path: Path) -> None:
    pinned(tmp_path, "Objects/2:Press1/2:Temp")
    told = kept(config(PRESSES, {"name": "a", "node": "ns=1;s=x"}), tmp_path)
    assert ([tag.name for tag in told.tags], told.patterns, told.found) == (["a", "press1_temp"], 1, 1)


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    pinned(tmp_path, "Objects/2:Press2/2:Temp")
    newer = b'{"format":2}\n' + file(tmp_path).read_bytes()
    file(tmp_path).write_bytes(newer)
    pins = Pins(config(PRESSES), tmp_path)
    assert names(pins) == []
    assert "a newer floorgate has written it in format 2" in pins.remarks[0]
    pins.add(walked(pins, "Objects/2:Press1/2:Temp"))
    pins.save()
    assert (pins.saved, file(tmp_path).read_bytes()) == (True, newer)
