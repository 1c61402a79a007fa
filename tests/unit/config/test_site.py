"""What is left of a site when its drivers have been built."""

from typing import Any

SITE = """\
gateway: {id: gw-1}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://10.0.0.1
    tags: [{name: a, address: 0}, {name: b, address: 1, write: {}}]
  - name: press
    driver: opcua
    endpoint: opc.tcp://10.0.0.2
    groups: {g: {interval: 2s}}
    tags: [{name: c, node: i=1}]
"""


def test_a_bare_site_is_the_same_without_tags(site: Any) -> None:
    whole = site(SITE)
    bare = whole.bare()
    assert [[tag.name for tag in device.tags] for device in bare.devices] == [[], []]
    assert [[tag.name for tag in device.tags] for device in whole.devices] == [["a", "b"], ["c"]]
    assert bare.devices[1].groups == whole.devices[1].groups
