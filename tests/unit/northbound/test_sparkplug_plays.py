"""Whatever happens to devices, links and hosts, in any order: what a node says is what a strict host accepts."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.quality import Quality
from agent.model.tag import Schema
from tests.lengths import often
from tests.unit.northbound.sparkplug_devices import METER, PRESS, SECOND, SLOW, World, schema


class Play:
    """Anything that may happen, in any order."""

    GROUPS = (METER, SLOW, PRESS, schema("meter", "1s", "u", "i", "x"), schema("late", "1s", "u", dtype="str"))

    def __init__(self, *, old: bool = False) -> None:
        self.world = World(METER, SLOW, PRESS, old=old)

    def do(self, what: str, number: int) -> None:
        getattr(self, what)(self.GROUPS[number % len(self.GROUPS)])

    def value(self, of: Schema) -> Any:
        return "text" if of.tags[0].dtype == "str" else float(self.world.now % 1000)

    def good(self, of: Schema) -> None:
        self.world.pending.append(self.world.read(of, *[self.value(of)] * len(of.tags)))

    def doubtful(self, of: Schema) -> None:
        quality = bytes((Quality.STALE, Quality.BAD_DECODE, Quality.GOOD)[: len(of.tags)])
        self.world.pending.append(self.world.read(of, *[self.value(of)] * len(of.tags), quality=quality))

    def gone(self, of: Schema) -> None:
        self.world.pending.append(self.world.gone(of))

    def sparse(self, of: Schema) -> None:
        self.world.pending.append(self.world.read(of, self.value(of), columns=(len(of.tags) - 1,)))

    def sparse_gone(self, of: Schema) -> None:
        quality = bytes((Quality.BAD_COMM,))
        self.world.pending.append(self.world.read(of, None, quality=quality, columns=(0,)))

    def stamped(self, of: Schema) -> None:
        stamps = tuple(self.world.now + SECOND - n * 10**6 for n in range(len(of.tags)))
        self.world.pending.append(self.world.read(of, *[self.value(of)] * len(of.tags), stamps=stamps))

    def past(self, of: Schema) -> None:
        if self.world.session.born:
            self.world.send(self.world.read(of, *[self.value(of)] * len(of.tags), history=True))

    def past_gone(self, of: Schema) -> None:
        if self.world.session.born:
            self.world.send(self.world.gone(of, history=True))

    def send(self, of: Schema) -> None:
        if self.world.session.born:
            pending, self.world.pending = self.world.pending, []
            late = self.world.now - 10 * SECOND
            self.world.send(*(entry._replace(history=entry.history or entry.frame.ts < late) for entry in pending))

    def birth(self, of: Schema) -> None:
        self.world.birth()

    def begin(self, of: Schema) -> None:
        """A birth that other things come into."""
        self.world.hear(self.world.session.birth(self.world.now))

    def some(self, of: Schema) -> None:
        self.world.hear(self.world.session.more(self.world.now, 1))

    def learn(self, of: Schema) -> None:
        self.world.tree.learn([of], [*self.world.schemas, of])

    def statistics(self, of: Schema) -> None:
        if self.world.session.born:
            self.world.session.samples += 1
            self.world.hear(self.world.session.statistics(self.world.now))
            self.world.hear([self.world.session.answer("{}", self.world.now)])

    def reconnect(self, of: Schema) -> None:
        """The link is lost; what was not sent waits, and is history then."""
        self.world.hear([self.world.session.death(self.world.now)])
        self.world.pending = [entry._replace(history=True) for entry in self.world.pending]
        self.world.connect()

    def stop(self, of: Schema) -> None:
        if self.world.session.born:
            self.world.hear([*self.world.session.deaths(self.world.now), self.world.session.death(self.world.now)])
        self.world.connect()


STEPS = [name for name, work in vars(Play).items() if callable(work) and name[0] != "_" and name not in {"do", "value"}]


@settings(max_examples=often(40, 400))
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=40), st.booleans())
def test_whatever_happens_a_strict_host_finds_no_fault(steps: list[tuple[str, int]], old: bool) -> None:
    play = Play(old=old)
    play.world.birth()
    for what, number in steps:
        play.do(what, number)
        assert play.world.host.faults == [], what
    play.world.session.born or play.world.birth()
    play.send(METER)
    world = play.world
    assert world.host.faults == []
    assert world.host.bdseqs == sorted(world.host.bdseqs)
    alive = {device for device, life in world.session._lives.items() if life.born is not None}
    assert set(world.host.devices) == alive


@given(st.lists(st.tuples(st.sampled_from(["good", "gone", "send", "past"]), st.integers(0, 2)), max_size=30))
def test_in_the_end_a_host_knows_which_devices_live_and_their_values(steps: list[tuple[str, int]]) -> None:
    play = Play()
    play.world.birth()
    for what, number in steps:
        play.do(what, number)
    play.send(METER)
    world = play.world
    down = bytes((Quality.BAD_COMM,))
    for device, groups in {"meter": (METER, SLOW), "press": (PRESS,)}.items():
        frames = [frame for group in groups if (frame := world.latest.get(group)) is not None]
        living = [frame for frame in frames if frame.quality != down * len(frame.quality)]
        assert (device in world.host.devices) == bool(living)
        for frame in living:
            values = world.host.values(device)
            assert [values[tag.name] for tag in frame.schema.tags] == list(frame.values)
