"""The stages behind the steps: the row in the store, and what each sink has of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.health import Health, Part
from agent.model.figures import moment, span
from agent.model.frame import Entry
from agent.runtime.latest import Mark
from agent.runtime.why.shaping import Sample
from agent.runtime.why.stages import Seen, Stage, State, facts, said
from buffer.shelf import ENDLESS, Opener, Pick
from buffer.store import Store

STORE, SINK = "store", "sink"
CONFIRMED, NOT_OWED, ASIDE, OWED, SENT = "confirmed", "not owed", "set aside", "owed", "sent, not confirmed yet"
PROMPT = 10.0  # seconds within which a frame is usually confirmed
RECENT = 300.0  # seconds for which a frame that was set aside is worth a word
S = 10**9


@dataclass(frozen=True, slots=True)
class Aside:
    """A frame that a sink refused."""

    seq: int
    ts: int
    why: str


@dataclass(frozen=True, slots=True)
class Debt:
    """Whether a sink is owed the row, how many frames it is owed in all, and the newest frame of the device that is set
    aside for it."""

    owed: bool
    frames: int
    aside: Aside | None


def look(store: Store, seq: int, device: str, sinks: Sequence[str]) -> tuple[bool, dict[str, Debt]]:
    """In the owner thread: whether the row is still in the file, and how the sinks stand. Raises StoreError."""
    there = bool(store.shelf.after(seq - 1, Pick(until=seq)).rows)
    known = store.stats().owed
    return there, {sink: _debt(store, seq, device, sink) for sink in sinks if sink in known}


def _debt(store: Store, seq: int, device: str, sink: str) -> Debt:
    page = store.shelf.before(ENDLESS, Pick(sink, device, aside=True))
    aside = None
    if page.rows:
        row = page.rows[-1]
        entry = Opener(store.shelf.schemas).open(page)[-1]
        aside = Aside(row.seq, entry.frame.ts if entry else 0, page.refused.get(row.seq, "no reason is known"))
    return Debt(store.shelf.owed(sink, seq, seq) > 0, store.owed(sink), aside)


def row(health: Health, mark: Mark | None, found: Sample | None, *, waits: bool, there: bool, now: float) -> Stage:
    """`mark` is the row of the newest value that was told; `waits`: a newer one is not on the disk yet."""
    parts = [health.parts.get((STORE, name)) for name in ("store.db", "disk")]
    down = next((part for part in parts if part is not None and part.state == "down"), None)
    seen: list[Seen] = []
    if mark is not None:
        kept = "on the disk" if there else "no longer on the disk: every sink has it"
        name = f"{mark.commit.epoch}/{mark.seq}"
        seen = facts([("row", name), ("committed", moment(mark.commit.at)), ("kept", kept)])
    if found is not None and mark is not None and not waits:
        seen.insert(1, ("of", moment(found.ts)))
    if down is not None:
        seen.append(("store", f"down for {span(now - down.since)}"))
        return Stage(STORE, "failed", seen, said(down), down.hint or "see `floorgate store stats`")
    if waits:
        return Stage(STORE, "ok", [*seen, ("waits", "a newer value is in memory, for the next commit")])
    if mark is None:
        return Stage(STORE, "unreached", seen, "nothing of it has reached the store since the start")
    return Stage(STORE, "ok", seen)


@dataclass(frozen=True, slots=True)
class Now:
    """`mono` is seconds, `wall` ns UTC."""

    mono: float
    wall: int


def sink(health: Health, name: str, debt: Debt | None, mark: Mark, now: Now) -> Stage:
    """What one sink has of the row."""
    title, part = f"{SINK} {name}", health.parts[SINK, name]
    if debt is None:
        return Stage(title, "unreached", wrong="the store does not know this sink yet")
    flight = health.flights.get(name)
    how = _how(debt, mark.seq, flight, part)
    last = f"{span(now.mono - part.confirmed)} ago" if part.confirmed else ""
    seen = facts(
        [("row", how), ("state", part.state), ("last confirmation", last), ("owed", f"{debt.frames:,} frames")]
    )
    if part.state in ("down", "blocked"):
        seen.append((f"{part.state} for", span(now.mono - part.since)))
        hint = part.hint or "it is tried again by itself, and what it is owed waits on the disk"
        state: State = "doubt" if how in (CONFIRMED, NOT_OWED) else "failed"
        return Stage(title, state, seen, said(part), hint)
    return _of_one_that_works(title, name, seen, how, debt, mark, now)


def _of_one_that_works(
    title: str, name: str, seen: Sequence[Seen], how: str, debt: Debt, mark: Mark, now: Now
) -> Stage:
    retry = f"see what it is, and then: floorgate store retry {name}"
    aside, age = debt.aside, (now.wall - mark.commit.at) / S
    if aside is not None and how == ASIDE:
        return Stage(title, "failed", seen, f"it was refused three times and set aside: {aside.why}", retry)
    if aside is not None and how in (OWED, SENT) and now.wall - aside.ts < RECENT * S:
        wrong = f"frames of this device are refused, the last one was {aside.seq:,}: {aside.why}"
        return Stage(title, "failed", seen, wrong, retry)
    if how in (CONFIRMED, NOT_OWED) or age < PROMPT:
        return Stage(title, "ok", seen)
    if ("state", "starting") in seen:
        return Stage(title, "doubt", seen, "it has not been connected yet", "look again in a while, and at the log")
    wrong = f"it has waited for {span(age)}: {debt.frames:,} frames are owed to this sink"
    return Stage(title, "doubt", seen, wrong, "does the other side keep up? history follows at the rate of `backfill`")


def _how(debt: Debt, seq: int, flight: Mapping[int, Sequence[Entry]] | None, part: Part) -> str:
    if debt.aside is not None and debt.aside.seq == seq:
        return ASIDE
    if not debt.owed:
        return CONFIRMED if part.confirmed else NOT_OWED
    sent = any(entry.seq == seq for entries in list((flight or {}).values()) for entry in entries)
    return SENT if sent else OWED
