"""Short ways to make tags, configurations and drivers."""

from typing import Any

from drivers.api import LineConfig
from drivers.modbus.config import Config, Tag
from drivers.modbus.driver import Device, build

TIMEOUT = 0.25


def tag(name: str = "t", address: int = 0, **keys: Any) -> Tag:
    return Tag.model_validate({"name": name, "address": address, **keys})


def config(tags: list[dict[str, Any]], endpoint: str = "tcp://127.0.0.1", **keys: Any) -> Config:
    base = {"name": "meter", "driver": "modbus", "endpoint": endpoint}
    return Config.model_validate({**base, "tags": tags, **keys})


def line(endpoint: str, **keys: Any) -> LineConfig:
    return LineConfig.model_validate({"endpoint": endpoint, "timeout": "250ms", **keys})


def device(endpoint: str, tags: list[dict[str, Any]], pause: str = "0s", **keys: Any) -> Device:
    (made,) = build(line(endpoint, pause=pause), [config(tags, endpoint, **keys)])
    return made
