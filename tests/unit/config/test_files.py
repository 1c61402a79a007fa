"""Where a load takes its files from."""

from pathlib import Path

from agent.config import Files, load


def site(folder: Path, interval: str = "1s") -> str:
    (folder / "meter.yaml").write_text(
        "device: {vendor: Acme, model: M1}\ndriver: modbus\ntags:\n  - {name: voltage_l1, address: 0, unit: V}\n"
    )
    return (
        "gateway: {id: gw-1}\ndevices:\n  - {name: meter, driver: modbus, endpoint: 'tcp://127.0.0.1', "
        f"map: ./meter.yaml, interval: {interval}}}\n"
    )


def test_a_load_says_what_it_took_and_reads_it_again_when_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(site(tmp_path))
    files = Files()
    load(path, {}, files=files)
    assert sorted(each.name for each in files.taken) == ["meter.yaml", "site.yaml"]
    path.unlink()
    (tmp_path / "meter.yaml").unlink()
    again = load(path, {}, files=Files(files.taken))
    assert [tag.name for tag in again.devices[0].tags] == ["voltage_l1"]  # type: ignore[attr-defined]  # Modbus


def test_what_a_secret_refers_to_is_not_among_what_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "secret").chmod(0o600)
    sink = "sinks:\n  - {name: up, type: mqtt, url: 'mqtt://127.0.0.1', username: a, password: 'file:secret'}\n"
    path.write_text(site(tmp_path) + sink)
    files = Files()
    load(path, {}, files=files)
    assert "secret" not in {each.name for each in files.taken}
