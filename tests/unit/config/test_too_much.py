"""What is small in each file and huge in all of them together is refused before it costs anything."""

from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, load
from agent.config.devices import MAX_TAGS
from agent.config.maps import MAX_MAP, MAX_MAPS, MAX_VALUES
from agent.config.maps import MAX_TAGS as MOST_IN_MAPS
from agent.config.reader import MAX_WEIGHT

HEAD = "device: {vendor: A, model: B}\ndriver: modbus\n"
MORE = "(let devices share a map, or split the site)"


def said(path: Path) -> list[str]:
    with pytest.raises(Invalid) as caught:
        load(path, {})
    return [str(each).replace(f"{path.parent}/", "") for each in caught.value.problems]


def site(count: int, name: str) -> str:
    """So many devices; `name` is that of the map of each."""
    keys = "driver: modbus, endpoint: tcp://plc"
    devices = "".join(f"  - {{name: d{n}, {keys}, unit: {n}, map: {name.format(n)}}}\n" for n in range(count))
    return f"gateway: {{id: gw-1}}\ndevices:\n{devices}"


def test_the_bytes_of_all_maps(write: Any) -> None:
    count = MAX_MAPS // MAX_MAP + 1
    for n in range(count):
        write(f"m{n}.yaml", b"#" * MAX_MAP)
    found = said(write("site.yaml", site(count, "./m{}.yaml")))
    assert found[-1].endswith(f"all device maps together are larger than 16 MB {MORE}")


def test_the_values_of_all_maps(write: Any) -> None:
    each = MAX_WEIGHT * 9 // 10
    count = MAX_VALUES // each + 1
    for n in range(count):
        write(f"m{n}.yaml", f"{HEAD}notes: [{'x,' * each}]\ntags: [{{name: a, address: 0}}]\n")
    found = said(write("site.yaml", site(count, "./m{}.yaml")))
    assert f"there is too much in this file and those before it {MORE}" in "\n".join(found)


def test_the_tags_of_all_maps_with_what_each_extends(write: Any) -> None:
    tags = f"tags: [{'1,' * (MOST_IN_MAPS // 2 + 1)}]\n"
    write("base.yaml", HEAD + tags)
    write("m0.yaml", f"device: {{vendor: A, model: B}}\nextends: ./base.yaml\n{tags}")
    found = said(write("site.yaml", site(1, "./m{}.yaml")))
    assert found == [f"m0.yaml:2:10: all device maps together have more than {MOST_IN_MAPS:,} tags {MORE}"]


def test_the_tags_of_all_devices_though_they_share_a_map(write: Any) -> None:
    each = 5000
    tags = "".join(f"- {{name: t{n}, address: {n}}}\n" for n in range(each))
    write("m.yaml", f"{HEAD}tags:\n{tags}")
    count = MAX_TAGS // each + 3
    where = f"site.yaml:{3 + MAX_TAGS // each}:5"
    what = f"the devices up to this one read more than {MAX_TAGS:,} tags"
    assert said(write("site.yaml", site(count, "./m.yaml"))) == [
        f"{where}: {what} (let another gateway read some of them)"
    ]
