"""One alarm at work: its condition, its delays, and what was told of it."""

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Self

from agent.model.frame import Value
from agent.normalise.alarms.rule import MINUTE, Alarm

State = Literal["normal", "active", "chattering", "shelved"]
STATES: tuple[State, ...] = "normal", "active", "chattering", "shelved"
ON: tuple[State, ...] = "active", "chattering"  # states in which the alarm is told to be on
LONGEST_SHELF = 7 * 24 * 60 * MINUTE  # ns
Judge = Callable[[Any, bool], bool]  # whether what was measured is an alarm, for one that is active or is not


class Edge(NamedTuple):
    """What is to be told: `ts` is the frame's time, `stamp` the source's own where it gives one (else 0)."""

    cell: "Cell"
    ts: int
    stamp: int
    state: State
    value: Value


class Notes:
    """What the alarms of a device have in common: what is to be told, who is to be asked as time passes, and whether
    anything changed of which nothing is told."""

    __slots__ = ("busy", "changed", "edges")

    def __init__(self) -> None:
        self.edges: list[Edge] = []
        self.busy: dict[Cell, None] = {}
        self.changed = False


@lru_cache(4096)  # alarms of many tags are alike
def judge_of(alarm: Alarm) -> Judge:
    if alarm.kind == "bad":
        return lambda bad, _: bool(bad)
    if alarm.kind == "state":
        states = alarm.states
        return lambda value, _: value in states
    low, high = alarm.low, alarm.high
    back_low, back_high = low + alarm.hysteresis, high - alarm.hysteresis

    def beyond(x: Any, active: bool) -> bool:
        return bool(x < back_low or x > back_high if active else x < low or x > high)

    return beyond


class Cell:
    """A value holds until the next one. The times of values are their own (`t`, ns UTC); `mono` says when they came.

    While the condition differs from what the alarm is, it waits: time between two good values counts, time that goes
    backwards and time without a good value do not. Where no more values come, time passes as the monotonic clock says.
    """

    __slots__ = (
        "_calm",
        "_due",
        "_flips",
        "_last",
        "_notes",
        "_waited",
        "active",
        "alarm",
        "blind",
        "chattering",
        "columns",
        "judge",
        "name",
        "since",
        "stamped",
        "tag",
        "told",
        "until",
        "value",
        "waiting",
    )

    def __init__(self, tag: str, alarm: Alarm, notes: Notes, columns: tuple[int, ...] = ()) -> None:
        self.tag, self.alarm, self.name, self.columns = tag, alarm, alarm.called(tag), columns
        self.judge = judge_of(alarm)
        self.active = self.chattering = self.waiting = self.blind = self.stamped = False
        self.told: State = "normal"
        self.since = 0  # ns UTC, since when it is active, or not active any more
        self.until = 0  # ns UTC: it is shelved until then
        self.value: Value = None
        self._notes = notes
        self._last = self._waited = self._due = self._calm = 0
        self._flips: deque[int] | None = None

    @property
    def state(self) -> State:
        if self.until:
            return "shelved"
        return "chattering" if self.chattering else "active" if self.active else "normal"

    def take(self, x: Any, value: Value, t: int, mono: int, arrived: int) -> None:
        """What was measured. `arrived` is 0 where `t` is the gateway's own time."""
        if self.waiting:
            self._pass(t, mono, arrived)
        self.value, self.blind, self.stamped, self._last = value, False, arrived > 0, t
        if self.judge(x, self.active) == self.active:
            self.waiting = False
            return
        delay = self._delay
        if not self.waiting:
            self.waiting, self._waited = True, 0
        if self._waited >= delay:
            self._flip(t, mono, arrived)
        else:
            self._due = mono + delay - self._waited
            self._notes.busy[self] = None

    def lose(self, t: int, mono: int, arrived: int) -> None:
        """The value is bad from `t` on, or cannot be judged: the alarm stays as it is, and does not wait meanwhile."""
        if self.waiting:
            self._pass(t, mono, arrived)
        self.blind, self._last = True, t

    def tick(self, wall: int, mono: int) -> bool:
        """What time alone brings; whether there is anything left to wait for."""
        arrived = wall if self.stamped else 0
        if self.waiting and not self.blind and mono >= self._due:
            self._flip(self._last + self._delay - self._waited, mono, arrived)
        if self.chattering:
            self._calm = self._calm or mono + MINUTE
            self.chattering = mono < self._calm
        if self.until:
            self.until = 0 if wall >= self.until else min(self.until, wall + LONGEST_SHELF)
        self._tell(wall, 0)
        return (self.waiting and not self.blind) or self.chattering or self.until > 0

    def shelve(self, until: int) -> None:
        """0: no more. It is told with the next tick."""
        self.until = until
        self._notes.busy[self] = None
        self._notes.changed = True

    def dump(self) -> tuple[bool, int, str, Value, int] | None:
        """Nothing for an alarm that is as it was at the very start."""
        if self.told == "normal" and not self.active and not self.until:
            return None
        value = self.value
        if isinstance(value, int) and abs(value) >= 1 << 63:
            value = None
        return self.active, self.since, self.told, value, self.until

    def load(self, kept: tuple[bool, int, str, Value, int]) -> Self:
        self.active, self.since, told, self.value, self.until = kept
        self.told = next((state for state in STATES if state == told), "normal")
        self.chattering = self.told == "chattering"
        if self.chattering or self.until or self.told != self.state:
            self._notes.busy[self] = None
        return self

    @property
    def _delay(self) -> int:
        return self.alarm.off_delay if self.active else self.alarm.on_delay

    def _pass(self, t: int, mono: int, arrived: int) -> None:
        """Time has passed up to `t`, and the value was what it was."""
        if not self.blind:
            self._waited += max(0, t - self._last)
            over = self._waited - self._delay
            if over >= 0:
                self._flip(t - over, mono, arrived)

    def _flip(self, at: int, mono: int, arrived: int) -> None:
        self.active, self.waiting, self.since = not self.active, False, at
        if self._flips is None:
            self._flips = deque(maxlen=self.alarm.chatter + 1)
        if self._flips and at < self._flips[-1]:
            self._flips.clear()
        self._flips.append(at)
        if len(self._flips) > self.alarm.chatter and at - self._flips[0] < MINUTE:
            self.chattering = True
        if self.chattering:
            self._calm = mono + MINUTE
            self._notes.busy[self] = None
        self._notes.changed = True
        self._tell(at, arrived)

    def _tell(self, at: int, arrived: int) -> None:
        state = self.state
        if state != self.told:
            self.told = state
            self._notes.edges.append(Edge(self, arrived or at, at if arrived else 0, state, self.value))
