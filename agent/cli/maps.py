"""The device maps that come with floorgate, as devices: with their quirks, orders and defaults put in."""

import tempfile
from pathlib import Path

from agent.config import configs_dir, load, load_map
from drivers.modbus.config import Config

_DEVICE = "  - {{name: {name}, driver: modbus, endpoint: 'tcp://127.0.0.1', map: '{path}'}}\n"


def modbus_maps() -> dict[str, Config]:
    """By name. Raises Invalid for a map that is wrong."""
    paths = [path for path in sorted((configs_dir() / "devices").glob("*.yaml")) if _is_modbus(path)]
    lines = [_DEVICE.format(name=path.stem, path=path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site.yaml"
        site.write_text("gateway: {id: scan}\ndevices:\n" + "".join(lines), "utf-8")
        devices = load(site, {}).devices if lines else ()
    return {device.name: device for device in devices if isinstance(device, Config)}


def _is_modbus(path: Path) -> bool:
    return load_map(path).head.driver == "modbus"
