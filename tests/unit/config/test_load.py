"""A site file becomes a Site, or every problem that it has at its line."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.config import Invalid, Problem, canonical, load
from agent.model.errors import ConfigError

GATEWAY = "gateway: {id: gw-1}\n"
DEVICE = "devices: [{name: meter, driver: modbus, endpoint: tcp://plc, tags: [{name: a, address: 0}]}]\n"
SITE = GATEWAY + DEVICE


def test_a_short_site_has_the_defaults(site: Any) -> None:
    loaded = site(SITE)
    assert loaded.gateway.id == "gw-1"
    assert loaded.gateway.site == []
    assert loaded.sinks == ()
    assert (loaded.buffer.keep, loaded.buffer.max_size) == (7 * 86400, None)
    assert (loaded.buffer.reserve, loaded.buffer.commit) == (1 << 30, 0.5)
    assert (loaded.log.level, loaded.log.format) == ("info", "auto")
    assert loaded.status.listen == "127.0.0.1:0"


def test_every_section_is_read(site: Any) -> None:
    loaded = site(
        SITE
        + """
lines: [{endpoint: "tcp://plc:502", timeout: 250ms, pause: 20ms, connections: 2}]
sinks: [{name: p, type: mqtt, url: "mqtt://broker", enabled: false}]
buffer: {keep: 12h, max_size: 64MB, reserve: 10MB, commit: 1s}
log: {level: debug, format: json}
status: {listen: "[::1]:8080"}
"""
    )
    assert (loaded.line("tcp://plc").timeout, loaded.line("tcp://plc").connections) == (0.25, 2)
    assert (loaded.buffer.keep, loaded.buffer.max_size, loaded.buffer.commit) == (43200, 64 << 20, 1)
    assert (loaded.log.level, loaded.log.format, loaded.status.listen) == ("debug", "json", "[::1]:8080")
    assert [(sink.name, sink.enabled) for sink in loaded.sinks] == [("p", False)]


def test_an_empty_optional_section_is_all_defaults(site: Any) -> None:
    assert site(SITE + "sinks:\nlines:\nbuffer:\nlog:\nstatus:\n").log.level == "info"


def test_a_line_that_is_not_listed_has_the_defaults(site: Any) -> None:
    line = site(SITE).line("tcp://plc")
    assert (line.endpoint, line.timeout, line.pause, line.connections) == ("tcp://plc", 1.0, 0.0, 1)


def test_a_disabled_device_is_checked_but_left_out(site: Any, complaint: Any) -> None:
    off = "  - {name: off, driver: modbus, endpoint: tcp://plc, enabled: false, tags: [{name: a, address: %s}]}\n"
    devices = "devices:\n  - {name: on, driver: modbus, endpoint: tcp://plc, tags: [{name: a, address: 0}]}\n"
    assert [device.name for device in site(GATEWAY + devices + off % 0).devices] == ["on"]
    assert "address" in complaint(GATEWAY + devices + off % -1)


def test_all_problems_are_said_at_once_in_the_order_of_the_file(problems: Any) -> None:
    text = """\
gateway: {id: gw 1, sit: [a]}
devices:
  - name: main-meter
    driver: modbus
    endpoint: tcp://plc
    intervall: 1s
    interval: 1x
    tags:
      - {name: voltage_l1, address: 70000, type: flot32}
      - {name: voltage_l1, address: 2, group: slow}
  - name: press
    driver: opcau
lines: [{endpoint: "tcp://plcc"}]
sinks: [{name: p, type: mqt}, {type: mqtt}]
buffer: {keep: 7d, max_siz: 1GB}
log: {level: inf}
"""
    assert problems(text) == [
        (
            "site.yaml:1:15: gateway: id: 'gw 1' is not a name "
            "(1 to 128 characters, none of them a space or / + #, and no $ at the start)"
        ),
        "site.yaml:1:21: gateway: unknown key 'sit' (did you mean 'site'?)",
        "site.yaml:6:5: device 'main-meter': unknown key 'intervall' (did you mean 'interval'?)",
        (
            "site.yaml:7:15: device 'main-meter': interval: '1x' is not a duration: "
            "write a number and ms, s, m, h or d, such as 250ms or 5m"
        ),
        "site.yaml:9:37: device 'main-meter', tag 'voltage_l1': address: 70000 is more than 65535",
        (
            "site.yaml:9:50: device 'main-meter', tag 'voltage_l1': type: 'flot32' is not known here "
            "(did you mean 'float32'?)"
        ),
        "site.yaml:10:16: device 'main-meter': two tags are named 'voltage_l1' (the first is on line 9)",
        (
            "site.yaml:10:47: device 'main-meter', tag 'voltage_l1': there is no group 'slow' "
            "(define it under `groups:` of the device or the map)"
        ),
        "site.yaml:12:13: device 'press': driver: 'opcau' is not known (did you mean 'opcua'?)",
        "site.yaml:13:20: lines[0]: no device has this endpoint (did you mean 'tcp://plc'?)",
        "site.yaml:14:25: sink 'p': type: 'mqt' is not known (did you mean 'mqtt'?)",
        "site.yaml:14:31: sinks[1]: name is missing (the sink's name, unique in the file; its debt on disk goes by it)",
        (
            "site.yaml:14:31: sinks[1]: url is missing "
            "(the broker: mqtt://host:port, or mqtts:// with TLS; over WebSocket ws://host:port/path, or wss://)"
        ),
        "site.yaml:15:20: buffer: unknown key 'max_siz' (did you mean 'max_size'?)",
        "site.yaml:16:14: log: level: 'inf' is not known here (did you mean 'info'?)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12", "site.yaml:1:1: a configuration is a mapping"),
        ("[a]", "site.yaml:1:1: a configuration is a mapping"),
        (DEVICE, "site.yaml:1:1: gateway is missing (such as `gateway: {id: gw-1"),
        ("gateway:\n" + DEVICE, "site.yaml:1:9: gateway is missing"),
        ("gateway: {}\n" + DEVICE, "site.yaml:1:10: gateway: id is missing (the name by which the platform knows"),
        ("gateway: gw\n" + DEVICE, "site.yaml:1:10: gateway: must be a mapping (key: value)"),
        (GATEWAY, "site.yaml:1:1: there are no devices"),
        (GATEWAY + "devices:\n", "site.yaml:2:9: there are no devices"),
        (GATEWAY + "devices: []\n", "site.yaml:2:10: there are no devices"),
        (GATEWAY + "devices: {a: b}\n", "site.yaml:2:10: devices: must be a list"),
        (GATEWAY + "devices: true\n", "site.yaml:2:10: devices: must be a list"),
        (GATEWAY + "devices: [1]\n", "site.yaml:2:11: devices[0]: must be a mapping (key: value)"),
        (
            GATEWAY + "devices: [{name: a}]\n",
            "site.yaml:2:11: device 'a': driver is missing (one of: modbus, opcua, sim",
        ),
        (GATEWAY + "devices: [{driver: 7}]\n", "site.yaml:2:20: devices[0]: driver: 7 is not known"),
        (
            GATEWAY
            + "devices: [{name: a, driver: modbus, pause: 1s, endpoint: 'tcp://h', tags: [{name: t, address: 1}]}]\n",
            "site.yaml:2:44: device 'a': a pause of 1 s uses up the line's timeout of 1 s (raise `timeout`",
        ),
        (SITE + "sinks: 1\n", "site.yaml:3:8: sinks: must be a list"),
        (SITE + "sinks: [a]\n", "site.yaml:3:9: sinks[0]: must be a mapping (key: value)"),
        (SITE + "sinks: [{name: a}]\n", "site.yaml:3:9: sink 'a': type is missing"),
        (SITE + "lines: {}\n", "site.yaml:3:8: lines: must be a list"),
        (SITE + "lines: [{}]\n", "site.yaml:3:9: lines[0]: endpoint is missing"),
        (SITE + "sink: []\n", "site.yaml:3:1: unknown key 'sink' (did you mean 'sinks'?)"),
        (SITE + "tags: []\n", "site.yaml:3:1: unknown key 'tags' (is this a device map?"),
        (
            SITE + "zzz: 1\n",
            "site.yaml:3:1: unknown key 'zzz' (one of: buffer, calendars, devices, factors, floorgate, gateway, lines",
        ),
        (SITE + "log: {level: }\n", "site.yaml:3:14: log: level: has no value (write one, or leave the line out)"),
        (SITE + "log: {level: INFO}\n", "site.yaml:3:14: log: level: 'INFO' is not known here (did you mean 'info'?)"),
        (SITE + "status: {listen: 80}\n", "site.yaml:3:18: status: listen: must be text (put it in quotes)"),
        (SITE + "status: {listen: 'a:99999'}\n", "site.yaml:3:18: status: listen: port 99999 is more than 65535"),
        (SITE + "status: {listen: a}\n", "site.yaml:3:18: status: listen: 'a' does not have the right form"),
        (SITE + "buffer: {keep: 7}\n", "site.yaml:3:16: buffer: keep: 7 is not a duration"),
        (SITE + "buffer: {keep: 1s}\n", "site.yaml:3:16: buffer: keep: '1s' is less than 60"),
        (SITE + "buffer: {max_size: 1GiB}\n", "site.yaml:3:20: buffer: max_size: '1GiB' is not a size"),
        ("gateway: {id: a, site: b}\n" + DEVICE, "site.yaml:1:24: gateway: site: must be a list ('b' is not)"),
        ("gateway: {id: a, site: [b, 7]}\n" + DEVICE, "site.yaml:1:28: gateway: site[1]: must be text"),
        ("gateway: {id: a, site: [b, 'c/d']}\n" + DEVICE, "site.yaml:1:28: gateway: site[1]: 'c/d' is not a name"),
        (f"gateway: {{id: {'a' * 129}}}\n" + DEVICE, "site.yaml:1:15: gateway: id: is longer than 128 characters"),
        ('gateway: {id: "a\\n"}\n' + DEVICE, "site.yaml:1:15: gateway: id: 'a\\n' is not a name"),
    ],
)
def test_a_mistake_is_said_once_and_at_its_place(text: str, message: str, complaint: Any) -> None:
    assert complaint(text).startswith(message)


def test_names_are_unique(problems: Any) -> None:
    meter = "{name: m, driver: modbus, endpoint: tcp://plc, tags: [{name: a, address: 0}]}"
    sink = "{name: p, type: mqtt, url: mqtt://b}"
    assert problems(f"{GATEWAY}devices:\n- {meter}\n- {meter}\n- {meter}\nsinks:\n- {sink}\n- {sink}\n") == [
        "site.yaml:4:10: two devices are named 'm' (the first is on line 3)",
        "site.yaml:5:10: two devices are named 'm' (the first is on line 3)",
        "site.yaml:8:10: two sinks are named 'p' (the first is on line 7)",
    ]


def test_a_line_is_listed_once_however_it_is_spelt(complaint: Any) -> None:
    lines = 'lines: [{endpoint: "tcp://plc"}, {endpoint: "tcp://PLC:502/"}]'
    assert complaint(SITE + lines) == "site.yaml:3:45: lines[1]: this wire is listed already (keep one of the two)"


def test_a_missing_file_is_a_problem_like_any_other(tmp_path: Path) -> None:
    for path, message in {tmp_path / "no.yaml": "there is no such file", tmp_path: "this is not a file"}.items():
        with pytest.raises(Invalid) as caught:
            load(path)
        assert caught.value.problems == (Problem(str(path), 1, 1, message),)


def test_a_file_that_is_too_large_is_not_read(complaint: Any) -> None:
    assert complaint("#" * (1 << 20) + "\n") == "site.yaml:1:1: larger than 1024 KB (split it)"


def test_invalid_is_a_configuration_error_that_says_everything(found: Any, site: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        site(GATEWAY + "devices: [1, 2]")
    assert str(caught.value).count("\n") == 1
    assert [(problem.line, problem.column) for problem in found(GATEWAY + "devices: [1, 2]")] == [(2, 11), (2, 14)]


def test_nobody_has_to_read_thousands_of_problems(found: Any) -> None:
    assert len(found(GATEWAY + "devices: [" + "1, " * 10_000 + "]")) == 200


def test_the_environment_is_that_of_the_process_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.yaml").write_text("gateway: {id: '${FLOORGATE_TEST_ID}'}\n" + DEVICE)
    monkeypatch.setenv("FLOORGATE_TEST_ID", "gw-env")
    assert load(tmp_path / "site.yaml").gateway.id == "gw-env"


def test_only_what_the_file_names_is_imported(tmp_path: Path) -> None:
    """A check needs none of the protocol libraries, and not the drivers that the file does without."""
    (tmp_path / "site.yaml").write_text(SITE + "sinks: [{name: p, type: mqtt, url: mqtt://b}]")
    code = (
        "import sys; from pathlib import Path; from agent.config import load; load(Path(sys.argv[1]));"
        "print(*sorted({'pymodbus', 'asyncua', 'aiomqtt', 'paho', 'drivers.opcua.config',"
        " 'drivers.sim.config', 'drivers.modbus.driver', 'agent.northbound.mqtt.sink'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "site.yaml"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://plc", "tcp://PLC:502"),
        ("tcp://plc/", "tcp://plc:502"),
        ("tls://plc", "tls://plc:802"),
        ("opc.tcp://plc", "opc.tcp://plc:4840/"),
        ("tcp://[::1]", "tcp://[::1]:502"),
        ("rtu:///dev/ttyUSB0?baud=9600", "rtu:///dev/ttyUSB0"),
        ("rtu:///dev/ttyUSB0", "ascii:///dev/ttyUSB0"),
        ("tcp://[::1]", "tcp://[0:0::0:1]:502"),
        ("tcp://[fe80::1%eth0]", "tcp://[FE80:0::1%eth0]"),
        ("rtu://COM3", "rtu://com3?baud=19200"),
        ("listen://:8899?id=0x7E01", "listen://:8899?id=0x7e01"),
    ],
)
def test_one_wire_has_one_name(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://plc", "tcp://plc:503"),
        ("tcp://plc", "udp://plc"),
        ("opc.tcp://plc/a", "opc.tcp://plc/b"),
        ("rtu:///dev/ttyUSB0", "rtu:///dev/ttyUSB1"),
        ("rtu:///dev/ttyS0", "rtu:///dev/ttys0"),
        ("tcp://[fe80::1%eth0]", "tcp://[fe80::1%eth1]"),
        ("listen://:8899?id=boiler", "listen://:8899?id=BOILER"),
        ("sim:", "sim:2"),
        ("tcp://plc:x", "tcp://plc"),
    ],
)
def test_two_wires_have_two_names(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_a_device_that_is_no_mapping_does_not_hide_what_its_neighbour_does_wrong(problems: Any) -> None:
    devices = "devices: [1, {name: a, driver: modbus, endpoint: 'tcp://h', pause: 2s, tags: [{name: t, address: 1}]}]\n"
    assert len(problems(GATEWAY + devices)) == 2
