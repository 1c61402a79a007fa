"""What this gateway is made of, for machines: versions, the machine, devices and settings, certificates; no secrets."""

import asyncio
import os
import platform
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from agent import __version__
from agent.config import Site
from agent.config.listed import site as listed
from agent.health import Health
from agent.model.text import public
from agent.runtime.catalogue import Catalogue
from agent.runtime.ring import Ring
from agent.runtime.selftest import certificates_of, two_may_damage, validity
from agent.runtime.storage import Storage

FORMAT = 1
LIBRARIES = (
    *("aiohttp", "aiomqtt", "asyncua", "backports.zstd", "click", "cryptography", "h11", "msgspec", "openpyxl"),
    *("paho-mqtt", "prometheus-client", "pydantic", "pydantic-core", "pymodbus", "pyserial", "PyYAML", "rich"),
    *("sqlite-utils", "uvloop", "websockets"),
)
Json = dict[str, Any]


def made_of() -> Json:
    """The program and the machine, whatever the configuration says; blocks for some milliseconds."""
    version = sqlite3.sqlite_version_info
    return {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "product": {"name": "floorgate", "version": __version__, "frozen": bool(getattr(sys, "frozen", False))},
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "sqlite": {"version": sqlite3.sqlite_version, "connections": 1, "safe_with_more": not two_may_damage(version)},
        "libraries": dict(libraries()),
        "system": _system(),
    }


def libraries() -> Iterable[tuple[str, str]]:
    """Name and version of those that are installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # 2 MB that only this needs

    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _system() -> Json:
    name = platform.system()
    with suppress(OSError):
        name = platform.freedesktop_os_release().get("PRETTY_NAME", name)
    return {
        "os": name,
        "kernel": platform.release(),
        "arch": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "cpus": os.cpu_count() or 0,
        "hostname": socket.gethostname(),
    }


def configured(site: Site, tags: Mapping[str, int]) -> Json:
    """What a site says; `tags` is how many each device has."""
    found = listed(site)
    for device in found["devices"]:
        device["tags"] = tags.get(device["name"], 0)
    drivers, sinks = {each.driver for each in site.devices}, {each.type for each in site.sinks}
    return {**found, "drivers": sorted(drivers), "sink_types": sorted(sinks)}


def certificates(site: Site, data: Path, health: Health | None = None) -> list[Json]:
    """Ours as their files say, and those that sessions live on; one that cannot be read says why."""
    rows = []
    for path in certificates_of(site, data):
        row: Json = {"file": str(path)}
        try:
            begin, end = validity(path)
            row |= {"from": _iso(begin), "until": _iso(end)}
        except (OSError, ValueError) as error:
            row["error"] = str(getattr(error, "strerror", None) or error)
        rows.append(row)
    for part in [*health.parts.values()] if health else ():
        for whose, end in part.expiries.items():
            rows.append({"kind": part.kind, "name": public(part.name), "whose": whose, "until": _iso(end)})
    return rows


class Inventory:
    """As `agent.status.about.Teller`, of an agent that runs."""

    def __init__(
        self, site: Callable[[], Site], data: Path, catalogue: Catalogue, storage: Storage, health: Health, ring: Ring
    ) -> None:
        self._site, self._data, self._catalogue, self._storage = site, data, catalogue, storage
        self._health, self._ring = health, ring

    async def inventory(self) -> Json:
        site, store = self._site(), self._storage.store
        tags: Counter[str] = Counter()
        for schema in self._catalogue.schemas:
            tags[schema.device] += len(schema.tags)
        run = {"instance_id": store.instance, "epoch": store.epoch, "data": str(self._data)}
        return {
            **await asyncio.to_thread(made_of),
            "run": run,
            **await asyncio.to_thread(configured, site, tags),
            "certificates": await asyncio.to_thread(partial(certificates, site, self._data, self._health)),
        }

    def log(self, count: int) -> Sequence[str]:
        return self._ring.last(count)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
