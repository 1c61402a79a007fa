"""An alarm as it is told in words: slow, with everything that ever was in lists."""

from typing import Any

from agent.normalise.alarms import Alarm

SECOND = 10**9
MINUTE = 60 * SECOND


class Slow:
    """`told` are (ns, whether it is on, state) in the order in which they must come."""

    def __init__(self, alarm: Alarm) -> None:
        self.alarm, self.active, self.chattering = alarm, False, False
        self.path: list[tuple[int, bool, int]] = []  # since the condition differs: time, whether it was good, mono
        self.flips: list[int] = []
        self.calm: int | None = 0  # mono; None: a minute from the next tick on
        self.history: list[tuple[int, Any]] = []
        self.told: list[tuple[int, bool, str]] = []
        self.state = "normal"

    def restart(self) -> None:
        self.path, self.flips, self.history, self.calm = [], [], [], None

    def value(self, x: Any, t: int, mono: int) -> None:
        if self.alarm.kind == "rate" and x is not None:
            x = self._rate(x, t)
        if self.path:
            self.path.append((t, x is not None, mono))
            over = self._elapsed() - self._delay()
            if over >= 0:
                self._flip(t - over, mono)
        if x is None:
            return
        if self._beyond(x) == self.active:
            self.path = []
        elif not self.path:
            self.path = [(t, True, mono)]
            if self._delay() == 0:
                self._flip(t, mono)

    def tick(self, wall: int, mono: int) -> None:
        if self.path and self.path[-1][1]:
            t, _, seen = self.path[-1]
            left = self._delay() - self._elapsed()
            if mono - seen >= left:
                self._flip(t + left, mono)
        if self.chattering:
            if self.calm is None:
                self.calm = mono + MINUTE
            self.chattering = mono < self.calm
        self._tell(wall)

    def _rate(self, x: Any, t: int) -> float | None:
        if self.history and t < self.history[-1][0]:
            self.history = []
        old = [(then, value) for then, value in self.history if then <= t - self.alarm.over]
        if not self.history or t > self.history[-1][0]:
            self.history.append((t, x))
        return float((x - old[-1][1]) / ((t - old[-1][0]) / SECOND)) if old else None

    def _beyond(self, x: Any) -> bool:
        alarm = self.alarm
        if alarm.kind == "state":
            return x in list(alarm.states)
        if alarm.kind == "bad":
            return bool(x)
        within = alarm.hysteresis if self.active else 0
        return not alarm.low + within <= x <= alarm.high - within

    def _elapsed(self) -> int:
        pairs = zip(self.path, self.path[1:], strict=False)
        return sum(max(0, b[0] - a[0]) for a, b in pairs if a[1])

    def _delay(self) -> int:
        return self.alarm.off_delay if self.active else self.alarm.on_delay

    def _flip(self, at: int, mono: int) -> None:
        self.active, self.path = not self.active, []
        if self.flips and at < self.flips[-1]:
            self.flips = []
        self.flips.append(at)
        if len([flip for flip in self.flips if at - flip < MINUTE]) > self.alarm.chatter:
            self.chattering = True
        if self.chattering:
            self.calm = mono + MINUTE
        self._tell(at)

    def _tell(self, at: int) -> None:
        state = "chattering" if self.chattering else "active" if self.active else "normal"
        if state != self.state:
            self.state = state
            self.told.append((at, state != "normal", state))
