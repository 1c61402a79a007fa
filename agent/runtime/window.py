"""What everybody may see of the gateway: its devices, the newest value of each tag, and what is still on the disk."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from agent.health import Health
from agent.model.frame import Entry, Frame
from agent.model.quality import Quality, quality_name
from agent.model.tag import Schema
from agent.model.text import public
from agent.northbound.encode import as_json, told
from agent.northbound.shapes.pages import pages
from agent.runtime.catalogue import Catalogue
from agent.runtime.storage import Storage
from agent.status.pull import Page, Span, Style
from buffer.shelf import Opener, Pick, Shelf

MOST_SAMPLES = 200_000  # of a page, and one frame more
AT_ONCE = 500  # values that are written at a time
PATIENCE = 0.5  # seconds that a page of history may take to be found
BREATH = 0.005  # seconds between two looks, in which others have the store
_MS = 1_000_000


def _done() -> None:
    """Nothing is held."""


class Window:
    """As `agent.status.pull.Window`."""

    def __init__(self, gateway: str, catalogue: Catalogue, storage: Storage, health: Health) -> None:
        self.gateway, self._catalogue, self._storage, self._health = gateway, catalogue, storage, health
        self._turn = asyncio.Semaphore(1)  # one question for the past at a time

    def devices(self) -> dict[str, Any]:
        """`{"gateway", "devices": [{"name", "state", "line", "groups", "tags"}], "lines": [{"name", "state"}]}`"""
        lines = {part.name: public(load.name) for load in self._health.loads.values() for part in load.devices}
        parts = [*self._health.parts.values()]
        states = {part.name: part.breaker if part.breaker != "closed" else "up" for part in parts if part.breaker}
        states |= {part.name: part.state for part in parts if part.kind == "device" and not part.breaker}
        devices = [
            {
                "name": device,
                "state": states.get(device, "starting" if self._catalogue.reads(device) else "virtual"),
                "line": lines.get(device),
                "groups": [schema.group for schema in schemas],
                "tags": sum(len(schema.tags) for schema in schemas),
            }
            for device, schemas in self._catalogue.devices.items()
        ]
        found = [{"name": public(part.name), "state": part.state} for part in parts if part.kind == "line"]
        return {"gateway": self.gateway, "devices": devices, "lines": found}

    def values(self, devices: frozenset[str], tags: frozenset[str]) -> Iterator[bytes]:
        """`{"gateway", "tags": [{"device", "group", "tag", "ts", "value", "quality", "unit"}, …]}`"""
        head = b'{"gateway":%b,"tags":[' % as_json(self.gateway)
        for device, schemas in self._catalogue.devices.items():
            for schema in schemas if not devices or device in devices else ():
                rows = _rows(schema, self._storage.latest.get(schema), tags)
                while some := list(islice(rows, AT_ONCE)):
                    yield head + b",".join(some)
                    head = b","
        yield b"]}" if head == b"," else head + b"]}"

    async def history(self, span: Span, limit: int, style: Style) -> Page:
        async with self._turn:
            entries, cursor = await self._past(span, limit)
        kind, write = pages(style.format, style.shape, self.gateway)
        following = str(cursor) if cursor else ""
        return Page(write(entries, msgspec.json.encode(following or None)), kind, following, _done)

    async def _past(self, span: Span, limit: int) -> tuple[list[Entry], int]:
        """Up to so many frames, and where it goes on; 0: there are no more."""
        storage, shelf = self._storage, self._storage.store.shelf
        cursor = span.cursor or await storage.call(shelf.since, span.first) - 1
        opener, entries, samples = Opener(shelf.schemas), list[Entry](), 0
        pick = Pick(device=span.device, until=await storage.call(shelf.since, span.last + 1) - 1)
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            found, cursor, left = await storage.call(_look, shelf, opener, cursor, pick)
            for entry in found:
                if span.first <= entry.frame.ts <= span.last and (fit := _only(entry, span.tags)):
                    entries.append(fit)
                    samples += len(fit.frame.values)
                    if len(entries) >= limit or samples >= MOST_SAMPLES:
                        return entries, entry.seq
            if left <= 0:
                return entries, 0
            if asyncio.get_running_loop().time() >= end:
                return entries, cursor
            await asyncio.sleep(BREATH)


def _look(shelf: Shelf, opener: Opener, cursor: int, pick: Pick) -> tuple[list[Entry], int, int]:
    """In the owner thread: a short page of it."""
    page = shelf.after(cursor, pick)
    return [entry._replace(history=True) for entry in opener.open(page) if entry], page.cursor, page.left


def _only(entry: Entry, tags: frozenset[str]) -> Entry | None:
    """With these tags alone; None when it has none of them."""
    if not tags:
        return entry
    frame = entry.frame
    places = [place for place, tag in enumerate(frame.tags()) if tag.name in tags]
    if not places:
        return None
    columns = tuple(places if frame.columns is None else (frame.columns[place] for place in places))
    values, quality = [frame.values[place] for place in places], bytes(frame.quality[place] for place in places)
    stamps = None if frame.stamps is None else tuple(frame.stamps[place] for place in places)
    return entry._replace(frame=Frame(frame.schema, frame.ts, values, quality, frame.mono, columns, stamps))


def _rows(schema: Schema, frame: Frame | None, tags: frozenset[str]) -> Iterator[bytes]:
    """One for each tag. What has not come yet has no time and no value, and is called `bad_comm`."""
    values, doubts = told(frame) if frame else ({}, dict.fromkeys((tag.name for tag in schema.tags), Quality.BAD_COMM))
    stamps = frame.stamps if frame and frame.stamps else (0,) * len(schema.tags)
    head = b'{"device":%b,"group":%b,"tag":' % (as_json(schema.device), as_json(schema.group))
    return (
        b'%b%b,"ts":%b,"value":%b,"quality":"%b","unit":%b}'
        % (
            head,
            as_json(tag.name),
            b"%d" % (stamp // _MS) if stamp else b"null",
            as_json(values.get(tag.name)),
            quality_name(doubts.get(tag.name, 0)).encode(),
            as_json(tag.unit),
        )
        for tag, stamp in zip(schema.tags, stamps, strict=True)
        if not tags or tag.name in tags
    )
