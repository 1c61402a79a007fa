"""What the devices of a site say, read by ourselves: for who watches where no agent runs."""

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent import registry
from agent.cli.watching import Asked
from agent.config import Site, rules_of
from agent.model.errors import DeviceError, Refused
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Rules, Steps
from agent.northbound.api import fits
from agent.runtime.app import build_drivers
from agent.runtime.watching import columns_of, tag_row
from agent.runtime.why.shaping import sample
from drivers.api import Driver, Poller
from drivers.tracing import Traced


class Alone:
    """As `agent.cli.watching.Source`; each question reads the devices that are asked for, one after the other."""

    def __init__(self, site: Site, data: Path) -> None:
        self._site, self._data = site, data
        self._devices = {device.name: device for device in site.devices}
        self._steps = Steps((), site.recipes, self._found)
        self._runner = asyncio.Runner()
        self._drivers: list[Driver] = []
        self._down: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._runner.run(self._build())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def ask(self, asked: Asked, rows: int) -> dict[str, Any]:
        return self._runner.run(self._ask(asked, rows))

    def _found(self, device: str) -> dict[str, Rules]:
        config = self._devices[device]
        return {tag.name: rules_of(tag, config) for tag in registry.kept(config, self._data).tags}

    async def _build(self) -> None:
        self._drivers = build_drivers(self._site, self._site.devices, self._data)

    async def _close(self) -> None:
        for driver in self._drivers:
            await driver.close()

    async def _ask(self, asked: Asked, rows: int) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        total, first = 0, (asked.page - 1) * rows
        self._down.clear()
        for driver in self._drivers:
            patterns = [
                tag for name, _, tag in (each.partition("/") for each in asked.patterns) if fits(name, driver.device)
            ]
            if asked.patterns and not patterns:
                continue
            for schema in driver.schemas:
                frame = await self._read(driver, schema)
                for column in columns_of(frame.schema, frame, patterns, bad=asked.bad):
                    total += 1
                    if first < total <= first + rows:
                        traced = driver if isinstance(driver, Traced) else None
                        found.append(tag_row(frame.schema, column, sample(frame, column), time.time_ns(), traced))
        down = [
            {"name": name, "state": "down", "breaker": "", "probe": None, "error": e} for name, e in self._down.items()
        ]
        return {
            "gateway": self._site.gateway.id,
            "ts": time.time_ns() // 10**6,
            "total": total,
            "tags": found,
            "lines": [],
            "devices": down,
            "ill": len(down),
            "sinks": [],
            "store": "no agent runs: nothing is stored or sent",
        }

    async def _read(self, driver: Driver, schema: Schema) -> Frame:
        """A device that was silent is not asked for its other groups."""
        assert isinstance(driver, Poller)
        quality = Quality.BAD_COMM
        try:
            if driver.device not in self._down:
                await driver.open()
                frame = await driver.scan(schema)
                return self._steps.shaped(frame)
        except Refused:
            quality = Quality.BAD_DEVICE
        except DeviceError as error:
            self._down[driver.device] = str(error)
        return bad_frame(self._steps.output(schema), quality, time.time_ns(), time.monotonic_ns())
