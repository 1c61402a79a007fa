"""How everything looks just now, for a person at a terminal: tags with age and quality, lines, sinks.

A question costs the loop no more than a few groups at a time: between them others have their turn.
"""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from agent.health import Health, Part
from agent.model.clock import Clock
from agent.model.errors import StoreError
from agent.model.frame import Frame
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema
from agent.model.text import public
from agent.normalise import Steps
from agent.northbound.api import fits
from agent.runtime.catalogue import Catalogue
from agent.runtime.storage import Storage
from agent.runtime.why.shaping import Sample, sample
from drivers.tracing import Traced

SHOWN = 50  # devices that are not well, and dead ones of a line, that are told by name
S = 10**9


class Watcher:
    """Of one running agent. See `agent.status.people.Watcher`."""

    def __init__(
        self, gateway: str, catalogue: Catalogue, steps: Steps, storage: Storage, health: Health, clock: Clock
    ) -> None:
        self.gateway, self._catalogue, self._steps, self._storage = gateway, catalogue, steps, storage
        self._health, self._clock = health, clock

    async def look(self, matches: Sequence[str], *, bad: bool, limit: int, offset: int) -> dict[str, Any]:
        tags, total = await self._tags([each.partition("/") for each in matches], bad=bad, limit=limit, offset=offset)
        return {
            "gateway": self.gateway,
            "ts": self._clock.wall() // 10**6,
            "total": total,
            "tags": tags,
            **parts(self._health, self._clock.mono()),
            **await self._sinks(),
        }

    async def _tags(
        self, matches: Sequence[tuple[str, str, str]], *, bad: bool, limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Those from `offset` on, and how many there are in all."""
        found: list[dict[str, Any]] = []
        total = 0
        for device, schemas in self._catalogue.devices.items():
            asked = [tag for name, _, tag in matches if fits(name, device)]
            if matches and not asked:
                continue
            driver = self._catalogue.driver(device)
            traced = driver if isinstance(driver, Traced) else None
            for schema in schemas:
                await asyncio.sleep(0)
                frame = self._storage.latest.get(schema)
                for column in columns_of(schema, frame, asked, bad=bad):
                    total += 1
                    if offset < total <= offset + limit:
                        found.append(
                            tag_row(schema, column, self._newest(schema, column, frame), self._clock.wall(), traced)
                        )
                        await asyncio.sleep(0)
        return found, total

    def _newest(self, schema: Schema, column: int, frame: Frame | None) -> Sample | None:
        """The newest value of a tag, told or not."""
        reporter = self._steps.reporter(schema)
        seen = reporter.seen(column) if reporter is not None else None
        return sample(*seen) if seen is not None else None if frame is None else sample(frame, column)

    async def _sinks(self) -> dict[str, Any]:
        mono, error = self._clock.mono() / S, ""
        owed: dict[str, int] = {}
        try:
            owed = (await self._storage.call(self._storage.store.stats)).owed
        except StoreError as failure:
            error = str(failure)
        sinks = [part for part in self._health.parts.values() if part.kind == "sink"]
        return {"sinks": [sink_row(part, owed.get(part.name), mono) for part in sinks], "store": error}


def columns_of(schema: Schema, frame: Frame | None, asked: Sequence[str], *, bad: bool) -> Iterator[int]:
    """Those whose tags fit one of the patterns, an empty one is for all; with `bad` those that are not good."""
    everything = not asked or "" in asked
    for column, tag in enumerate(schema.tags):
        if bad and frame is not None and not frame.quality[column]:
            continue
        if everything or any(fits(pattern, tag.name) for pattern in asked):
            yield column


def tag_row(schema: Schema, column: int, found: Sample | None, wall: int, traced: Traced | None) -> dict[str, Any]:
    """A tag as it stands; `age` is seconds. What has not come yet has neither time nor value, and is `bad_comm`."""
    tag = schema.tags[column]
    trace = None if traced is None or schema.made else traced.trace(tag.name)
    return {
        "device": schema.device,
        "group": schema.group,
        "tag": tag.name,
        "value": None if found is None else found.value,
        "dtype": tag.dtype,
        "unit": tag.unit,
        "quality": quality_name(Quality.BAD_COMM if found is None else found.quality),
        "age": round(max(0, wall - found.ts) / S, 3) if found is not None and found.ts else None,
        "raw": "" if trace is None else trace.raw,
    }


def parts(health: Health, mono: int) -> dict[str, Any]:
    """Lines, and the devices that are not well; `mono` is now (ns)."""
    listed = [part for part in health.parts.values() if part.kind == "device"]
    ill = [part for part in listed if part.state != "up" or part.breaker in ("open", "half_open")]
    lines = [part for part in health.parts.values() if part.kind == "line"]
    return {
        "lines": [_line_row(health, part, mono) for part in lines],
        "devices": [_device_row(part, mono / S) for part in ill[:SHOWN]],
        "ill": len(ill),
    }


def _line_row(health: Health, part: Part, mono: int) -> dict[str, Any]:
    load = health.loads.get(part.name)
    return {
        "name": public(part.name),
        "state": part.state,
        "utilisation": round(load.ratio(mono), 3) if load else 0.0,
        "late": load.late if load else 0,
        "overloaded": bool(load and load.overloaded),
        "devices": len(load.devices) if load else 0,
        "dead": list(islice(load.dead(), SHOWN)) if load else [],
    }


def _device_row(part: Part, mono: float) -> dict[str, Any]:
    probe = round(max(0.0, part.probe_at - mono), 1) if part.probe_at else None
    return {"name": part.name, "state": part.state, "breaker": part.breaker, "probe": probe, "error": part.error}


def sink_row(part: Part, owed: int | None, mono: float) -> dict[str, Any]:
    """`owed` is frames, None where the store does not know; `confirmed` is seconds since the last confirmation."""
    return {
        "name": part.name,
        "state": part.state,
        "owed": owed,
        "frames": part.frames,
        "confirmed": round(mono - part.confirmed, 1) if part.confirmed else None,
        "aside": part.aside,
        "error": part.error,
    }
