"""Reads off what the metrics tell: nothing is counted for them while samples come, and others have their turn."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agent.model.clock import Clock
from agent.model.quality import Quality, quality_name
from agent.runtime.catalogue import Catalogue
from agent.runtime.inlet import Inlet
from agent.runtime.ring import Ring
from agent.runtime.storage import Storage
from agent.status.meters import Reading
from buffer.clocks import plausible

AT_ONCE = 200  # groups that are looked at before others have their turn
_UNREAD = quality_name(Quality.BAD_COMM)  # as everywhere: nothing has come yet


class Metering:
    """As `agent.status.meters.Meters`."""

    def __init__(
        self, store: Path, catalogue: Catalogue, storage: Storage, inlet: Inlet, clock: Clock, ring: Ring
    ) -> None:
        self.gateway, self._ring = "", ring
        self._wal = store.with_name(f"{store.name}-wal")
        self._catalogue, self._storage, self._inlet, self._clock = catalogue, storage, inlet, clock

    async def read(self) -> Reading:
        storage, inlet = self._storage, self._inlet
        tags = await self._tags()
        return Reading(
            gateway=self.gateway,
            epoch=storage.store.epoch,
            tags=tags,
            inlet=(len(inlet), inlet.size, inlet.limit),
            commits=storage.commits,
            wal=await asyncio.to_thread(_size, self._wal),
            synced=self._clock.synced(),
            plausible=plausible(self._clock),
            steps=storage.steps,
            step=storage.step,
            logged=dict(self._ring.counts),
            suppressed=self._ring.suppressed,
        )

    async def _tags(self) -> Sequence[tuple[str, str, int]]:
        """How many of each device have which quality; of a group that has given nothing yet all are `bad_comm`."""
        counts: Counter[tuple[str, str]] = Counter()
        latest = self._storage.latest
        for number, schema in enumerate(self._catalogue.schemas):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            quality = latest.quality(schema)
            if quality is None:
                counts[schema.device, _UNREAD] += len(schema.tags)
            elif not any(quality):
                counts[schema.device, "good"] += len(quality)
            else:
                for code, tags in Counter(quality).items():
                    counts[schema.device, quality_name(code)] += tags
        return [(device, quality, tags) for (device, quality), tags in counts.items() if tags]


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
