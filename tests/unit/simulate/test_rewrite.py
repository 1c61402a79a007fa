"""The user's file with other endpoints: all else stays as it was, letter by letter."""

from pathlib import Path

import pytest

from agent.config import canonical, load
from agent.model.errors import AgentError
from agent.simulate.output import default_output, write_site

NEW = {
    canonical("tcp://10.0.0.1"): "tcp://127.0.0.1:1501",
    canonical("rtu:///dev/ttyUSB0"): "rtu:///dev/pts/7?baud=9600",
}


def site(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return path


def changed(path: Path, new: dict[str, str] = NEW, **more: str) -> list[tuple[str, str]]:
    """The lines that are others now, and how they are."""
    written = write_site(path, default_output(path), new, **more)
    before, after = path.read_text("utf-8").splitlines(), written.read_text("utf-8").splitlines()[1:]
    return [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]


HEAD = "# 厂\ngateway: {id: gw-1}\ndevices:\n"
TAG = "tags: [{name: x, address: 1}]"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("endpoint: tcp://10.0.0.1   # at the cabinet", "endpoint: 'tcp://127.0.0.1:1501'   # at the cabinet"),
        ("endpoint: 'tcp://10.0.0.1:502'", "endpoint: 'tcp://127.0.0.1:1501'"),
        ('endpoint:    "tcp://10.0.0.1/"', "endpoint:    'tcp://127.0.0.1:1501'"),
        ("endpoint: &plc tcp://10.0.0.1 # 柜", "endpoint: &plc 'tcp://127.0.0.1:1501' # 柜"),
        ("endpoint: tcp://${PLC}:502", "endpoint: 'tcp://127.0.0.1:1501'"),
        ("endpoint: >-\n      tcp://10.0.0.1", None),
        ("endpoint: tcp://10.0.0.9", "endpoint: tcp://10.0.0.9"),
    ],
)
def test_only_the_endpoint_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: str | None
) -> None:
    monkeypatch.setenv("PLC", "10.0.0.1")
    path = site(tmp_path, f"{HEAD}  - name: m\n    {line}\n    driver: modbus\n    {TAG}  # 末\n")
    written = write_site(path, default_output(path), NEW)
    if expected is None:
        assert "tcp://127.0.0.1:1501" in written.read_text("utf-8")
    else:
        assert [new.strip() for _, new in changed(path)] == [expected] * (expected != line)
    load(written)


def test_in_one_line_by_an_alias_and_with_a_mark_at_the_start(tmp_path: Path) -> None:
    text = (
        "\ufeff"
        + HEAD
        + f"  - {{name: a, driver: modbus, endpoint: &e 'tcp://10.0.0.1', {TAG}}}\n"
        + f"  - {{name: b, unit: 2, driver: modbus, endpoint: *e, {TAG}}}\n"
        + "lines: [{endpoint: *e, timeout: 2s}]\n"
    )
    path = site(tmp_path, text)
    written = write_site(path, default_output(path), NEW)
    found = load(written)
    assert {device.endpoint for device in found.devices} == {"tcp://127.0.0.1:1501"}
    assert found.line("tcp://127.0.0.1:1501").timeout == 2


def test_lines_go_with_their_devices_and_tls_with_its_certificate(tmp_path: Path) -> None:
    text = f"""{HEAD}  - {{name: a, driver: modbus, endpoint: 'tls://10.0.0.1', {TAG}}}
  - {{name: b, driver: modbus, endpoint: 'listen://:8899?id=x', {TAG}}}
lines:
  - {{endpoint: 'tls://10.0.0.1:802', ca: /etc/ca.pem, key: ''}}
  - {{endpoint: 'listen://:8899', timeout: 3s}}
"""
    new = {
        canonical("tls://10.0.0.1"): "tls://localhost:8020",
        canonical("listen://:8899?id=x"): "listen://127.0.0.1:9?id=x",
    }
    found = dict(changed(site(tmp_path, text), new, ca="/tmp/sim.pem"))
    assert found["  - {endpoint: 'tls://10.0.0.1:802', ca: /etc/ca.pem, key: ''}"] == (
        "  - {endpoint: 'tls://localhost:8020', ca: '/tmp/sim.pem', key: ''}"
    )
    assert "  - {endpoint: 'listen://127.0.0.1:9', timeout: 3s}" in found.values()
    load(default_output(tmp_path / "site.yaml"))


def test_a_redundant_server_has_each_of_its_places(tmp_path: Path) -> None:
    device = "  - name: p\n    driver: opcua\n    endpoint: [opc.tcp://a:4840, 'opc.tcp://b']\n"
    text = f"{HEAD}{device}    tags: [{{name: x, node: i=9}}]\n"
    new = {canonical("opc.tcp://a"): "opc.tcp://127.0.0.1:1", canonical("opc.tcp://b"): "opc.tcp://127.0.0.1:2"}
    ((_, line),) = changed(site(tmp_path, text), new)
    assert line == "    endpoint: ['opc.tcp://127.0.0.1:1', 'opc.tcp://127.0.0.1:2']"


def test_parts_go_into_a_folder_and_what_is_relative_is_whole(tmp_path: Path) -> None:
    maps, parts = tmp_path / "maps", tmp_path / "conf.d"
    maps.mkdir()
    parts.mkdir()
    (maps / "own.yaml").write_text(f"device: {{vendor: v, model: m, kind: k}}\ndriver: modbus\nstatus: draft\n{TAG}\n")
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "secret").chmod(0o600)
    (parts / "hall.yaml").write_text(
        "# hall 2\ndevices:\n  - {name: b, driver: modbus, unit: 2, endpoint: tcp://10.0.0.1, map: ./maps/own.yaml}\n"
        "sinks: [{name: up, type: mqtt, url: 'mqtt://h', username: u, password: 'file:secret'}]\n"
    )
    path = site(tmp_path, f"{HEAD}  - {{name: a, driver: modbus, endpoint: 'rtu:///dev/ttyUSB0', {TAG}}}\n")
    written = write_site(path, default_output(path), NEW)
    assert written == tmp_path / "site.simulated" / "site.yaml"
    found = load(written)
    assert {device.name: device.endpoint for device in found.devices} == {
        "a": "rtu:///dev/pts/7?baud=9600",
        "b": "tcp://127.0.0.1:1501",
    }
    part = (tmp_path / "site.simulated" / "conf.d" / "hall.yaml").read_text()
    assert "# hall 2" in part
    assert "s3cret" not in part


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = site(tmp_path, f"{HEAD}  - {{name: a, driver: modbus, endpoint: 'tcp://10.0.0.1', {TAG}}}\n")
    with pytest.raises(AgentError, match="--out"):
        write_site(path, path / "x.yaml", NEW)


def test_a_part_that_is_gone_is_gone_from_the_simulated_site_too(tmp_path: Path) -> None:
    """Else it would be read along, with an endpoint of the last plant."""
    path = site(tmp_path, f"{HEAD}  - {{name: a, driver: modbus, endpoint: 'tcp://10.0.0.1', {TAG}}}\n")
    parts = tmp_path / "conf.d"
    parts.mkdir()
    for name in "bc":
        text = f"devices:\n  - {{name: {name}, driver: modbus, endpoint: 'tcp://10.0.0.1', unit: 2, {TAG}}}\n"
        (parts / f"{name}.yaml").write_text(text)
    write_site(path, default_output(path), NEW)
    (parts / "b.yaml").unlink()
    written = write_site(path, default_output(path), NEW)
    assert [device.name for device in load(written).devices] == ["a", "c"]
    (written.parent / "conf.d" / "mine.yaml").write_text("devices: []\n")
    with pytest.raises(AgentError, match=r"mine\.yaml: is there already"):
        write_site(path, default_output(path), NEW)


def test_the_simulated_file_is_for_those_who_may_read_the_own_one(tmp_path: Path) -> None:
    path = site(tmp_path, f"{HEAD}  - {{name: a, driver: modbus, endpoint: 'tcp://10.0.0.1', {TAG}}}\n")
    path.chmod(0o600)
    assert write_site(path, default_output(path), NEW).stat().st_mode & 0o777 == 0o600
