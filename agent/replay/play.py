"""Plays a recording: what the devices of a site would have said, at the times at which it was recorded.

Everything follows from the recording and the configuration, so that the same two give the same frames. No request is
timed and no task waits; the clock stands where the notes are, with the steps that it made then.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent import registry
from agent.config import Site, shared
from agent.model.errors import DeviceError, Refused
from agent.model.frame import Frame, bad_frame
from agent.model.quality import Quality
from agent.model.tag import Schema
from agent.normalise import Steps
from agent.record.format import Recording
from drivers.api import DriverConfig
from drivers.tapping import LEARNT, NODES, VALUES, Note, Past, Player

SECOND = 10**9
MOST_TICKS = 3600  # seconds of one pause in which time alone may bring something
MOST_SAID = 50


@dataclass(slots=True)
class Account:
    """What was played, and what a person should know of it."""

    moments: int = 0
    frames: int = 0
    errors: dict[str, str] = field(default_factory=dict)  # the last one of each device
    missing: list[str] = field(default_factory=list)
    omitted: list[str] = field(default_factory=list)  # devices of which nothing can be played


@dataclass(slots=True)
class _Seat:
    """One device: whether it has failed, and which of its groups are refused."""

    player: Player
    failing: bool = False
    refused: set[Schema] = field(default_factory=set)


class Play:
    """`data` is where patterns of OPC UA devices have their found nodes, if anywhere."""

    def __init__(self, site: Site, recording: Recording, data: Path | None = None) -> None:
        header = recording.header
        self.past, self.account = Past(header.wall, header.mono), Account()
        self.steps = Steps((), site.recipes)
        self._seats = [_Seat(player) for player in self._players(site, recording.notes, data)]
        self._order = sorted(
            (mono, at, number)
            for at, seat in enumerate(self._seats)
            for number, (_, mono) in enumerate(seat.player.moments)
        )
        self._ticked = 0

    def _players(self, site: Site, notes: Sequence[Note], data: Path | None) -> Iterable[Player]:
        lines: dict[tuple[str, str], list[DriverConfig]] = {}
        for device in site.devices:
            lines.setdefault((device.driver, shared(device.endpoint)), []).append(device)
        by_wire: dict[str, list[tuple[int, Note]]] = {}
        for at, note in enumerate(notes):
            by_wire.setdefault(_whose(note), []).append((at, note))
        for (driver, wire), members in lines.items():
            make = registry.players(driver)
            if make is None:
                self.account.omitted += [f"{each.name}: the driver {driver!r} cannot be replayed" for each in members]
                continue
            own = [pair for key in (wire, *(each.name for each in members)) for pair in by_wire.get(key, [])]
            if all(note.what == LEARNT for _, note in own):
                self.account.omitted += [f"{each.name}: nothing of {each.endpoint} was recorded" for each in members]
                continue
            told = [note for _, note in sorted(own, key=lambda pair: pair[0])]
            yield from make(site.line(members[0].endpoint), members, told, self.past, data)

    @property
    def schemas(self) -> list[Schema]:
        return [schema for seat in self._seats for schema in seat.player.schemas]

    @property
    def length(self) -> int:
        return len(self._order)

    async def frames(self, speed: float = 0.0) -> AsyncIterator[list[Frame]]:
        """All frames as they leave, those of one moment at once. With a speed it takes as long as it did, divided by
        that; without one no time at all."""
        before = self._order[0][0] if self._order else 0
        for mono, at, number in self._order:
            if speed and mono > before:
                await asyncio.sleep((mono - before) / SECOND / speed)
            before = mono
            seat = self._seats[at]
            wall = seat.player.moments[number][0]
            made = list(self._ticks(wall, mono))
            for frame in await self._moment(seat, number):
                made += self.steps[frame.schema](frame)
            self.account.moments += 1
            self.account.frames += len(made)
            yield made
        last = list(self.steps.finish(self.past.wall, self.past.mono))
        self.account.frames += len(last)
        self.account.missing = [each for seat in self._seats for each in seat.player.missing][:MOST_SAID]
        yield last

    def _ticks(self, wall: int, mono: int) -> Iterable[Frame]:
        """What time alone brings, once a second."""
        if not self._ticked:
            self._ticked = mono
        first = max(self._ticked + SECOND, mono - MOST_TICKS * SECOND)
        for moment in range(first, mono + 1, SECOND):
            self._ticked = moment
            yield from self.steps.tick(max(0, wall - (mono - moment)), moment)

    async def _moment(self, seat: _Seat, number: int) -> Sequence[Frame]:
        """As a line does: what fails says so once, for all groups of the device; what is refused for its group."""
        player, group = seat.player, seat.player.group(number)
        try:
            frames = await player.play(number, self.past)
        except DeviceError as error:
            self.account.errors[player.device] = str(error)
            if isinstance(error, Refused) and group is not None:
                edge, seat.failing = group not in seat.refused, False
                seat.refused.add(group)
                return self._bad([group], Quality.BAD_DEVICE) if edge else []
            edge, seat.failing = not seat.failing, True
            return self._bad(player.schemas, Quality.BAD_COMM) if edge else []
        seat.failing = False
        if group is not None:
            seat.refused.discard(group)
        return frames

    def _bad(self, schemas: Sequence[Schema], quality: Quality) -> list[Frame]:
        return [bad_frame(schema, quality, self.past.wall, self.past.mono) for schema in schemas if schema.tags]


def _whose(note: Note) -> str:
    """The wire, as the lines of a site are told apart, or the device."""
    if note.what in (LEARNT, NODES, VALUES):
        return note.wire
    return shared(note.wire.partition(" #")[0])
