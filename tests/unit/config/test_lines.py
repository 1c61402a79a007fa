"""What devices on one wire must agree on is told at its place, before anything starts."""

from pathlib import Path

import pytest

from agent.config import Invalid, Site, load

HEAD = "gateway: {id: gw}\n"


def device(name: str, endpoint: str, more: str = "") -> str:
    tags = "tags: [{name: t, address: 0}]"
    return f"  - {{name: {name}, driver: modbus, endpoint: '{endpoint}', {tags}{more}}}\n"


def loaded(tmp_path: Path, *devices: str, lines: str = "") -> Site:
    (tmp_path / "site.yaml").write_text(HEAD + "devices:\n" + "".join(devices) + lines, "utf-8")
    return load(tmp_path / "site.yaml", {})


def problems(tmp_path: Path, *devices: str, lines: str = "") -> list[str]:
    with pytest.raises(Invalid) as raised:
        loaded(tmp_path, *devices, lines=lines)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems]


def test_a_serial_port_is_set_the_same_for_all_of_its_devices(tmp_path: Path) -> None:
    two = device("a", "rtu:///dev/ttyS0?baud=9600&parity=E"), device("b", "rtu:///dev/ttyS0?baud=19200", ", unit: 2")
    (problem,) = problems(tmp_path, *two)
    assert problem.startswith("site.yaml:4:41: device 'b': its port is set another way than for 'a'")
    assert problem.endswith("(write rtu:///dev/ttyS0?baud=9600&parity=E for both)")
    same = device("a", "rtu:///dev/ttyS0?baud=9600&parity=E"), device("b", "rtu:///dev/ttyS0?parity=E&baud=9600")
    assert len(loaded(tmp_path, *same).devices) == 2


def test_only_tcp_has_several_connections(tmp_path: Path) -> None:
    lines = "lines: [{endpoint: 'udp://plc', connections: 2}]\n"
    (problem,) = problems(tmp_path, device("a", "udp://plc"), lines=lines)
    assert problem == "site.yaml:4:46: lines[0]: only TCP has several connections (remove `connections`)"


def test_a_device_s_own_timeout_must_leave_time_for_its_pause(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, device("a", "tcp://plc", ", pause: 200ms, timeout: 200ms"))
    assert "device 'a': a pause of 0.2 s uses up the timeout of 0.2 s (raise `timeout` of the device)" in problem


def test_a_listening_line_serves_all_that_dial_in_at_its_port(tmp_path: Path) -> None:
    lines = "lines: [{endpoint: 'listen://:8899', timeout: 7s}]\n"
    site = loaded(tmp_path, device("a", "listen://:8899?id=a"), device("b", "listen://:8899?id=b"), lines=lines)
    assert [site.line(each.endpoint).timeout for each in site.devices] == [7.0, 7.0]


def test_nobody_answers_a_broadcast(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, device("a", "rtu:///dev/ttyS0", ", unit: 0"))
    assert "unit: unit 0 is a broadcast on a serial line" in problem
    assert loaded(tmp_path, device("a", "tcp://plc", ", unit: 0")).devices
