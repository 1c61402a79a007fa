"""A site file and what lies in `conf.d/` beside it are one site."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Files, Invalid, load
from agent.config.parts import MAX_FILE, MAX_SITE, MOST_PARTS
from agent.config.reader import COLLECTION, MAX_COPIED, MAX_WEIGHT

KEYS = "one of: buffer, calendars, devices, factors, floorgate, gateway, lines, log, sinks, status, virtual"
GATEWAY = "gateway: {id: gw-1}\n"


def device(name: str, more: str = "") -> str:
    return f"{{name: {name}, driver: modbus, endpoint: tcp://plc, tags: [{{name: a, address: 0}}]{more}}}"


def told(path: Path) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load(path, {})
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.problems]


def test_lists_and_named_things_of_all_files_are_one_site(site: Any, write: Any) -> None:
    """In the order of their names; the kind of ending, hidden files and what an editor leaves do not matter."""
    times = "{days: [{times: {00:00: valley, 08:00: peak}}]}"
    own = "{per: GJ, years: {2024: 98.0}}"
    write("conf.d/20-hall.yaml", f"devices: [{device('b')}]\nsinks: [{{name: s, type: file, path: x.jsonl}}]\n")
    write("conf.d/10-mains.yml", f"devices:\n  - {device('c')}\ncalendars: {{tou: {times}}}\n")
    write("conf.d/30.yaml", f"calendars: {{shifts: {times}}}\nfactors: {{co2: {{heat: {own}}}}}\n")
    write("conf.d/40.yaml", f"factors: {{co2: {{cold: {own}}}, grid: cn-east}}\nlog: {{level: debug}}\nlines:\n")
    write("conf.d/50-off.yaml", "# devices: [broken\n")
    write("conf.d/60-later.yaml", "---\n# nothing yet\n")
    for name in (".hidden.yaml", "50.yaml~", "60.yaml.bak", "notes.txt"):
        write(f"conf.d/{name}", "rubbish: [")
    loaded = site(GATEWAY + f"devices: [{device('a')}]\nsinks: [{{name: r, type: file, path: y.jsonl}}]\n")
    assert [each.name for each in loaded.devices] == ["a", "c", "b"]
    assert [each.name for each in loaded.sinks] == ["r", "s"]
    assert set(loaded.recipes.calendars) == {"tou", "shifts"}
    assert loaded.log.level == "debug"


def test_a_site_file_may_have_no_devices_of_its_own(site: Any, write: Any) -> None:
    write("conf.d/a.yaml", f"devices: [{device('a')}]\n")
    assert [each.name for each in site(GATEWAY).devices] == ["a"]


def test_what_stands_in_two_files_is_a_problem_that_names_both(write: Any) -> None:
    times = "{days: [{times: {00:00: valley, 08:00: peak}}]}"
    write("conf.d/a.yaml", f"gateway: {{id: gw-2}}\ncalendars:\n  tou: {times}\n")
    write("conf.d/b.yaml", f"calendars: {{tou: {times}}}\nfactors: {{co2: {{x: {{per: t, years: {{2024: 1}}}}}}}}\n")
    write("conf.d/c.yaml", "factors:\n  co2: {x: {per: t, years: {2024: 2}}}\n")
    path = write("site.yaml", GATEWAY + f"devices: [{device('a')}]\n")
    assert told(path) == [
        "conf.d/a.yaml:1:1: gateway stands in two files (the other one is at site.yaml:1:1; keep one)",
        "conf.d/b.yaml:1:13: calendars: 'tou' stands in two files (the other one is at conf.d/a.yaml:3:3; keep one)",
        "conf.d/c.yaml:2:9: co2: 'x' stands in two files (the other one is at conf.d/b.yaml:2:17; keep one)",
    ]


def test_names_are_unique_over_all_files(write: Any) -> None:
    write("conf.d/a.yaml", f"devices:\n  - {device('a')}\nvirtual: [{{name: a, derived: {{x: a/a}}}}]\n")
    write("conf.d/b.yaml", "sinks: [{name: s, type: file, path: x.jsonl}]\n")
    write("conf.d/c.yaml", "sinks: [{name: s, type: file, path: y.jsonl}]\n")
    path = write("site.yaml", GATEWAY + f"devices: [{device('a')}]\n")
    assert told(path) == [
        "conf.d/a.yaml:2:12: two devices are named 'a' (the first is at site.yaml:2:18)",
        "conf.d/a.yaml:3:18: virtual device 'a': two devices are named 'a' (the first is on line 2)",
        "conf.d/c.yaml:1:16: two sinks are named 's' (the first is at conf.d/b.yaml:1:16)",
    ]


def test_a_problem_is_at_its_place_in_its_file(write: Any) -> None:
    write("conf.d/a.yaml", f"devices:\n  - {device('b', ', intervall: 1s')}\nsinks: {{name: x}}\ntag: 1\n")
    path = write("site.yaml", GATEWAY + f"devices: [{device('a')}]\nsinks: []\n")
    assert told(path) == [
        "conf.d/a.yaml:2:83: device 'b': unknown key 'intervall' (did you mean 'interval'?)",
        "conf.d/a.yaml:3:8: sinks: must be a list",
        "conf.d/a.yaml:4:1: unknown key 'tag' (" + KEYS + ")",
    ]


def test_files_that_cannot_be_read_are_told_all_at_once_and_nothing_else(write: Any) -> None:
    """What a line or a formula would name may stand in them."""
    write("conf.d/a.yaml", "devices: [\n")
    write("conf.d/b.yaml", "- x\n")
    (write("conf.d/c.yaml", "").parent / "d.yaml").symlink_to("nowhere")
    path = write("site.yaml", GATEWAY + "lines: [{endpoint: tcp://plc}]\n")
    said = told(path)
    assert [each.split(": ")[0] for each in said] == ["conf.d/a.yaml:2:1", "conf.d/b.yaml:1:1", "conf.d/d.yaml:1:1"]
    assert said[2].endswith("there is no such file")


def test_paths_start_at_the_site_s_folder_wherever_they_stand(site: Any, write: Any) -> None:
    write("meter.yaml", "device: {vendor: A, model: M}\ndriver: modbus\ntags: [{name: v, address: 0}]\n")
    write("conf.d/a.yaml", "devices: [{name: a, driver: modbus, endpoint: tcp://plc, map: ./meter.yaml}]\n")
    assert [tag.name for tag in site(GATEWAY).devices[0].tags] == ["v"]


def test_a_part_that_is_checked_alone_says_where_it_belongs(write: Any) -> None:
    (said,) = told(write("conf.d/a.yaml", f"devices: [{device('a')}]\n"))
    assert said == "a.yaml:1:1: gateway is missing (a part of a site is checked with its site file)"


def test_the_number_and_the_size_of_the_files_are_bounded(write: Any) -> None:
    for number in range(MOST_PARTS + 1):
        write(f"conf.d/{number:03}.yaml", "")
    path = write("site.yaml", GATEWAY)
    assert told(path) == [f"conf.d:1:1: {MOST_PARTS + 1} files are more than {MOST_PARTS} (join some of them)"]
    (path.parent / "conf.d" / f"{MOST_PARTS:03}.yaml").unlink()
    for number in range(MAX_SITE // MAX_FILE):
        write(f"conf.d/{number:03}.yaml", b"#" * (MAX_FILE - 1) + b"\n")
    assert told(path)[:1] == [
        "conf.d/003.yaml:1:1: with this file the site is larger than 4 MB (devices of one model can share a map)"
    ]


def test_the_files_share_what_one_of_them_may_hold(write: Any) -> None:
    """Two hundred files of brackets, or of aliases, were two hundred times as much memory."""
    more = "(let devices share a map, or split the site)"
    brackets = MAX_WEIGHT // 2 // COLLECTION + 1
    for name in "ab":
        write(f"conf.d/{name}.yaml", f"devices: [{'{},' * brackets}]\n")
    path = write("site.yaml", GATEWAY)
    assert [each.partition(": ")[2] for each in told(path) if each.startswith("conf.d/b.yaml")] == [
        f"there is too much in this file and those before it {more}"
    ]
    for name in "ab":
        write(f"conf.d/{name}.yaml", f"x: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\ndevices: [{'*a,' * (MAX_COPIED // 18)}]\n")
    assert [each.partition(": ")[2] for each in told(path) if each.startswith("conf.d/b.yaml")] == [
        f"aliases (*) stand for more than {MAX_COPIED:,} values (use a device map)"
    ]


def test_a_name_that_would_steer_the_terminal_is_spelt_out(write: Any) -> None:
    write("conf.d/\x1b[31mred.yaml", "")
    assert told(write("site.yaml", GATEWAY)) == [
        r"conf.d:1:1: a file has a name with control characters, \x1b[31mred.yaml (give it another one)"
    ]


def test_a_folder_that_is_none_is_a_problem(write: Any) -> None:
    write("conf.d", "")
    assert told(write("site.yaml", GATEWAY)) == ["conf.d:1:1: cannot be read: Not a directory"]


def test_a_load_says_where_it_looked_and_is_repeated_from_what_was_kept(write: Any) -> None:
    """A file that came later is not part of an older version, and one that is gone still is."""
    part = write("conf.d/a.yaml", f"devices: [{device('a')}]\n")
    path = write("site.yaml", GATEWAY)
    files = Files()
    load(path, {}, files=files)
    assert (set(files.taken), files.looked) == ({path, part}, {part.parent})
    part.rename(part.with_name("b.yaml"))
    write("conf.d/c.yaml", "rubbish: [")
    assert [each.name for each in load(path, {}, files=Files(files.taken)).devices] == ["a"]


def test_a_site_without_the_folder_says_where_it_would_be(write: Any) -> None:
    path, files = write("site.yaml", GATEWAY + f"devices: [{device('a')}]\n"), Files()
    load(path, {}, files=files)
    assert files.looked == {path.parent / "conf.d"}
