"""Look for what the patterns of a device mean: once a session, beside the values, a request at a time.

Values come first: a walk through a large server takes minutes, and nobody waits for it. It goes on where it was when
the session is lost. How often a server is walked goes by how long that takes, and a device that has grown is left alone
for longer each time: a server that makes nodes all the time must not make a new set of columns each minute.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

from asyncua import ua

from agent.model.clock import SYSTEM, Clock
from agent.model.errors import Refused
from drivers.browsing import Place
from drivers.opcua.browse import OBJECTS, browse
from drivers.opcua.config import Tag
from drivers.opcua.globs import DEEPEST, Trails, can_be_tag
from drivers.opcua.naming import shown
from drivers.opcua.nodes import parse
from drivers.opcua.pins import Hit, Pattern, Pins, TooMany
from drivers.opcua.resolve import resolve
from drivers.opcua.services import spelt
from drivers.opcua.session import Session
from drivers.opcua.spots import locate

SERVER = "i=2253"  # the server's own object: diagnostics, limits
MOST_PLACES = 100_000  # that one walk goes through
ANSWER = 400  # references in one answer: to decode them takes a tenth of a second, and others need the loop, too
LONGEST = 600.0  # seconds of requests of one walk
RARELY = 100  # times as long as a walk took a server is left alone after it,
SOONEST, LATEST = 10.0, 600.0  # at least and at most so many seconds
GROWN, DAY = 600.0, 86_400.0  # seconds that a device that has grown is left alone: twice as long each time, up to a day
MOST_SAID = 100  # remarks that are remembered
LOOK = 60.0  # seconds between two looks at the file


@dataclass(slots=True)
class Way:
    """A walk from one place on. `hits` are the places that a pattern means, each with the number of that pattern."""

    start: str
    patterns: list[Pattern]
    found: list[Place] = field(default_factory=list)
    expanded: int = 0
    hits: list[tuple[int, int]] = field(default_factory=list)
    looked: int = 0
    trails: Trails = field(init=False)

    def __post_init__(self) -> None:
        self.trails = Trails([each.glob for each in self.patterns], self.found)

    def wanted(self, at: int) -> bool:
        """Whether to look into this place."""
        led = any(self.trails.at(at)) and self.trails.depth(at) < DEEPEST
        return led and (not at or self.found[at].address != SERVER)

    def look(self) -> None:
        """Note which of the places that are new are meant."""
        for at in range(self.looked, len(self.found)):
            number = self.trails.first(at)
            if number is not None and can_be_tag(self.found, at):
                self.hits.append((number, at))
        self.looked = len(self.found)


class Seeker:
    """The search of one device, over all its sessions. What it finds is in `pins`; `cut` says why the last walk was
    broken off, `barren` why a device that has nothing but patterns has no tag."""

    def __init__(
        self,
        pins: Pins,
        device: str,
        clock: Clock = SYSTEM,
        *,
        alone: bool,
        most: int = MOST_PLACES,
        seconds: float = LONGEST,
    ) -> None:
        self._pins, self._device, self._clock, self._alone = pins, device, clock, alone
        self._most, self._seconds = most, seconds
        self._patterns = [each for each in pins.patterns if each.tag.enabled]
        self._ways: list[Way] = []
        self._at = 0  # the way that is gone
        self._steps: AsyncGenerator[int, None] | None = None
        self._spent = self._next = self._look_at = 0.0
        self._sessions = self._walked = 0
        self._patience = GROWN
        self._said: set[str] = set()
        self.cut = self.barren = self._excess = ""

    def opened(self) -> None:
        """There is a new session, in which a walk is due."""
        self._sessions += 1

    async def rest(self) -> None:
        """The session ends; a walk that is under way goes on in the next one."""
        steps, self._steps = self._steps, None
        if steps is not None:
            await steps.aclose()

    @property
    def walking(self) -> bool:
        return bool(self._ways)

    @property
    def pending(self) -> bool:
        """Whether a walk of this session is still to come, or not over."""
        return self.walking or (bool(self._patterns) and self._walked < self._sessions)

    @property
    def seen(self) -> int:
        """How many places this walk has come to."""
        return sum(len(way.found) for way in self._ways)

    def news(self) -> list[str]:
        """What a person should hear of and has not heard yet."""
        fresh = [each for each in dict.fromkeys(self._pins.remarks) if each not in self._said]
        self._said = {*(self._said if len(self._said) < MOST_SAID else ()), *fresh}
        self._pins.remarks.clear()
        return fresh

    def due(self) -> bool:
        """Whether there is something to do."""
        return self.walking or self._walk_is_due() or self._now() >= self._look_at

    async def step(self, session: Session, listed: Callable[[], set[ua.NodeId]]) -> Sequence[Tag]:
        """Do one thing, a request or a look at the file; the tags that are new by it.

        `listed` gives the nodes that have a tag in this session. Raises Unreachable and Garbled, and Refused when a
        walk is over and the device has no tag at all.
        """
        if self._now() >= self._look_at:
            self._look_at = self._now() + LOOK
            before = len(self._pins.tags)
            return self._pins.tags[before:] if self._pins.refresh() else ()
        if not self.walking:
            if self._walk_is_due():
                self._begin()
            return ()
        began = self._now()
        try:
            over = await self._walk(session, self._ways[self._at])
        except Refused as error:
            over, self.cut = True, f"the walk was broken off: {error}"
        finally:
            self._spent += self._now() - began
        self._at += over
        if self._spent > self._seconds:
            self.cut = f"the walk was broken off after {self._seconds:g} s"
        elif self._at < len(self._ways):
            return ()
        await self.rest()
        return await self._settle(session, listed())

    def _walk_is_due(self) -> bool:
        return self.pending and self._now() >= self._next

    def _begin(self) -> None:
        starts = list(dict.fromkeys(each.start for each in self._patterns))
        self._ways = [Way(start, [each for each in self._patterns if each.start == start]) for start in starts]
        self._at, self._walked, self._spent, self.cut = 0, self._sessions, 0.0, ""

    async def _walk(self, session: Session, way: Way) -> bool:
        """One request; whether this way is gone to its end."""
        steps, self._steps = self._steps, None  # after an error there is nothing to go on with
        if steps is None:
            start = "" if way.found else await _address(session, way.start)
            most = self._most - self.seen + len(way.found)
            steps = browse(session, way.found, way.expanded, start=start, wanted=way.wanted, most=most, answer=ANSWER)
        done = await anext(steps, None)
        way.look()
        if done is not None:
            way.expanded, self._steps = done, steps
            return False
        if way.expanded < len(way.found):
            self.cut = f"the walk was broken off after {self._most:,} nodes"
        return True

    async def _settle(self, session: Session, listed: set[ua.NodeId]) -> Sequence[Tag]:
        """Keep what the walk has found, and say when the next one may be."""
        hits = [Hit(way.patterns[number], way.found, at) for way in self._ways for number, at in way.hits]
        self._ways = []
        self._next = self._now() + min(max(RARELY * self._spent, SOONEST), LATEST)
        before, self._excess = len(self._pins.tags), ""
        try:
            self._pins.add([hit for hit in hits if self._is_free(session, hit.place.address, listed)])
        except TooMany as error:
            self._excess = f"{error}: none of the new ones is a tag; write patterns that mean fewer"
        if not self._pins.saved:
            await self._save()
        if before and len(self._pins.tags) > before:
            self._next = max(self._next, self._now() + self._patience)
            self._patience = min(2 * self._patience, DAY)
        self._judge()
        return self._pins.tags[before:]

    def _is_free(self, session: Session, address: str, listed: set[ua.NodeId]) -> bool:
        """Whether it has no tag by another name of its node, such as a browse path; a pinned node stays."""
        return self._pins.knows(address) or session.resolve(parse(address)) not in listed

    async def _save(self) -> None:
        try:
            await asyncio.to_thread(self._pins.save)
        except OSError as error:
            self._pins.remarks.append(
                f"{self._pins.path}: {error.strerror}: what was found is not kept, and looked for again after a restart"
            )

    def _judge(self) -> None:
        """Say what was not found. Raises Refused where the device has nothing but patterns, and no tag of them."""
        missed = [each.tag.match for each in self._pins.missed() if each.tag.enabled]
        nothing = f"nothing on the server is meant by {shown(missed)}" if missed else ""
        said = self._excess or self.cut or nothing
        self.barren = f"{self._device}: {said}" if self._alone and not self._pins.tags else ""
        if self.barren:
            raise Refused(self.barren, hint="`floorgate browse … --match` shows what a pattern means")
        if self.cut:
            said = f"{self.cut}: what lies beyond it is not found; begin the patterns with / or ./"
        self._pins.remarks += [each for each in (self._excess, said) if each]

    def _now(self) -> float:
        return self._clock.mono() / 1e9


async def _address(session: Session, root: str) -> str:
    """The node at the end of this path, as a tag has it; Objects without one. Raises Refused."""
    if not root:
        return OBJECTS
    (found,) = await resolve(session, [locate(root)])
    uris = {index: uri for uri, index in session.namespaces.items()}
    address = spelt(found.node, uris) if found.node is not None else ""
    if not address:
        raise Refused(f"root: {root}: {found.why or 'its node has no name'}")
    return address
