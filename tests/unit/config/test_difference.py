"""What differs between two sites is told key by key, as a file spells it, and never a secret."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Files, Site, load
from agent.config.difference import Change, Changed, Difference, Kind, difference

HERE = Path("/nowhere/site.yaml")
SITE = """\
gateway: {id: gw, timezone: Asia/Shanghai}
devices:
  - name: meter
    driver: modbus
    endpoint: "tcp://10.0.0.1"
    groups: {slow: {interval: 1m}}
    tags: [{name: u, address: 1, type: uint16, limits: {min: 1}}, {name: i, address: 2, type: uint16}]
  - {name: press, driver: sim, tags: [{name: cycles}], derived: {twice: "cycles * 2"}}
virtual:
  - {name: hall, inputs: {c: press/cycles}, derived: {more: c + 1}}
lines:
  - {endpoint: "tcp://10.0.0.1", timeout: 2s}
calendars:
  tou: {days: [{times: {00:00: valley, 08:00: peak}}]}
sinks:
  - {name: platform, type: mqtt, url: "mqtt://broker", password: "${PW}"}
buffer: {max_size: 64MB}
"""


def site(text: str = SITE, password: str = "hush") -> Site:
    return load(HERE, {"PW": password}, files=Files({HERE: text.encode()}))


def changed(name: str, key: str, old: str, new: str) -> Kind:
    return Kind(changed=(Changed(name, (Change(key, old, new),)),))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("timezone: Asia/Shanghai", "timezone: UTC", {"sections": ("gateway", "timezone", "Asia/Shanghai", "UTC")}),
        ("interval: 1m", "interval: 250ms", {"devices": ("meter", "groups.slow.interval", "1m", "250ms")}),
        ("min: 1", "min: 2", {"tags": ("meter/u", "limits.min", "1", "2")}),
        (", limits: {min: 1}", "", {"tags": ("meter/u", "limits", "{min: 1}", "")}),
        ("cycles * 2", "cycles * 3", {"tags": ("press/twice", "expr", "cycles * 2", "cycles * 3")}),
        ("c + 1", "c + 2", {"tags": ("hall/more", "expr", "c + 1", "c + 2")}),
        ("timeout: 2s", "timeout: 1500ms", {"lines": ("tcp://10.0.0.1", "timeout", "2s", "1500ms")}),
        ("08:00: peak", "09:00: peak", {"sections": ("calendars", "tou", "[…]", "another one")}),
        ("64MB", "1536KB", {"sections": ("buffer", "max_size", "64MB", "1536KB")}),
    ],
)
def test_one_key(old: str, new: str, found: dict[str, tuple[str, str, str, str]]) -> None:
    expected = Difference(**{kind: changed(*change) for kind, change in found.items()})
    assert difference(site(), site(SITE.replace(old, new))) == expected


def test_the_same_twice_is_no_difference() -> None:
    found = difference(site(), site(SITE + "log: {level: info}\n"))
    assert (bool(found), found, found.summary()) == (False, Difference(), "")


def test_what_comes_and_goes_is_named_and_its_tags_with_it() -> None:
    other = "{name: pump, driver: sim, tags: [{name: flow}, {name: level}]}"
    found = difference(site(), site(SITE.replace("virtual:", f"  - {other}\nvirtual:").replace("name: i,", "name: j,")))
    assert found == Difference(devices=Kind(added=("pump",)), tags=Kind(added=("meter/j",), removed=("meter/i",)))
    assert found.summary() == "1 device added (pump), 1 tag added (meter/j), 1 tag removed (meter/i)"
    assert difference(None, site()).summary() == (
        "2 devices added (meter, press), 1 virtual device added (hall), "
        "1 line added (tcp://10.0.0.1), 1 sink added (platform)"
    )


def test_tags_in_another_order_are_a_difference_too() -> None:
    one, other = "{name: u, address: 1, type: uint16, limits: {min: 1}}", "{name: i, address: 2, type: uint16}"
    found = difference(site(), site(SITE.replace(f"{one}, {other}", f"{other}, {one}")))
    assert found == Difference(devices=changed("meter", "tags", "", "in another order"))


def test_a_device_of_another_driver_tells_what_it_says_now() -> None:
    found = difference(
        site(),
        site(
            SITE.replace(
                "name: press, driver: sim", 'name: press, driver: opcua, endpoint: "opc.tcp://h", security: none'
            ).replace("{name: cycles}", '{name: cycles, node: "ns=2;s=C", type: int64}')
        ),
    )
    (press,) = found.devices.changed
    assert {"driver", "security"} <= {change.key for change in press.keys}
    (cycles,) = found.tags.changed
    assert Change("node", "", "ns=2;s=C") in cycles.keys


@given(st.text(min_size=4, max_size=20).filter(str.strip), st.text(min_size=4, max_size=20).filter(str.strip))
def test_a_secret_is_never_told(old: str, new: str) -> None:
    found = difference(site(password=old), site(password=new))
    assert found.sinks == (Kind() if old == new else changed("platform", "password", "(a secret)", "another one"))
