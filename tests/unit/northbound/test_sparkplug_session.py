"""What a node says is what a strict host application accepts, whatever happens to devices, links and hosts."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.model.frame import Entry, Frame
from agent.model.quality import Quality
from agent.model.tag import DType, Schema, Tag
from agent.northbound.broker.packet import Message
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.names import Names
from agent.northbound.sparkplug.session import Session
from agent.northbound.sparkplug.tree import Book, Tree
from agent.runtime.latest import Latest
from tests.sim.sparkplug_host import Host, Sample

NOW = 1_700_000_000_000_000_000
SECOND = 10**9


def schema(device: str, group: str, *tags: str, dtype: DType = "float64") -> Schema:
    return Schema(device, group, tuple(Tag(tag, dtype) for tag in tags))


class World:
    """A gateway's devices, its session, and a host that hears it."""

    def __init__(self, *schemas: Schema) -> None:
        self.schemas = list(schemas)
        self.latest = Latest()
        self.tree = Tree(Book())
        self.host = Host("G", "E")
        self.now = NOW
        self.bdseq = -1
        self.pending: list[Entry] = []
        self._seq = 0
        self.connect()

    def connect(self, *, fits: Any = lambda _: True) -> None:
        self.bdseq = (self.bdseq + 1) % 256
        self.tree.begin(self.schemas)
        about = [("Node Info/Product", codec.STRING, "Floorgate")]
        self.session = Session(Names("G", "E"), self.tree, self.bdseq, self.latest.get, fits, about)

    def hear(self, messages: Sequence[Message]) -> None:
        self.host.hear_all(messages)

    def read(self, of: Schema, *values: Any, quality: bytes = b"", history: bool = False, **more: Any) -> Entry:
        """A frame is read, a second later, and is on disk."""
        self.now += SECOND
        self._seq += 1
        frame = Frame(of, self.now, values, quality or bytes(len(values)), **more)
        if not history:
            self.latest.add([frame])
        return Entry("ab" * 8, self._seq, history, frame)

    def gone(self, of: Schema, **more: Any) -> Entry:
        return self.read(of, *[None] * len(of.tags), quality=bytes((Quality.BAD_COMM,)) * len(of.tags), **more)

    def send(self, *entries: Entry) -> list[Message]:
        written = self.session.data(entries, self.now)
        assert written.refused == []
        self.hear(written.messages)
        return written.messages

    def birth(self) -> list[Message]:
        messages = self.session.birth(self.now)
        self.hear(messages)
        return messages

    def verbs(self, since: int = 0) -> list[tuple[str, str]]:
        assert self.host.faults == []
        return self.host.verbs[since:]


METER, SLOW, PRESS = schema("meter", "1s", "u", "i"), schema("meter", "10s", "e"), schema("press", "1s", "u")


def test_a_node_without_values_is_born_without_devices_and_a_device_with_its_first_value() -> None:
    world = World(METER, SLOW)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(METER, 3.0, 4.0))
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DDATA", "meter"), ("DDATA", "meter")]
    assert world.host.values("meter") == {"u": 3.0, "i": 4.0, "e": None}


def test_devices_that_were_read_are_born_with_their_values() -> None:
    world = World(METER, SLOW, PRESS)
    world.read(METER, 1.0, 2.0)
    world.gone(PRESS)
    world.birth()
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter")]
    assert world.host.values("meter") == {"u": 1.0, "i": 2.0, "e": None}


def test_a_device_dies_when_the_last_of_its_groups_gives_nothing_and_comes_back_with_a_value() -> None:
    world = World(METER, SLOW)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(SLOW, 3.0))
    since = len(world.verbs())
    world.send(world.gone(METER))
    assert world.verbs(since) == [("DDATA", "meter")]
    world.send(world.gone(SLOW), world.gone(METER), world.gone(SLOW))
    assert world.verbs(since + 1) == [("DDATA", "meter"), ("DDEATH", "meter")]
    world.send(world.read(SLOW, 4.0))
    assert world.verbs(since + 3) == [("DBIRTH", "meter"), ("DDATA", "meter")]
    assert world.host.values("meter") == {"u": None, "i": None, "e": 4.0}


def test_a_device_that_refuses_everything_lives() -> None:
    world = World(METER)
    world.birth()
    world.send(world.read(METER, None, None, quality=bytes((Quality.BAD_DEVICE,)) * 2))
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DDATA", "meter")]


def test_history_is_marked_and_moves_no_current_value() -> None:
    world = World(METER)
    old = world.read(METER, 1.0, 2.0, history=True)
    world.read(METER, 5.0, 6.0)
    world.birth()
    world.send(old)
    assert world.verbs()[-1] == ("DDATA", "meter")
    ms = old.frame.ts // 10**6
    assert world.host.samples == [
        Sample("meter", "u", ms, 1.0, None, historical=True),
        Sample("meter", "i", ms, 2.0, None, historical=True),
    ]
    assert world.host.values("meter") == {"u": 5.0, "i": 6.0}


def test_history_of_a_dead_device_comes_between_a_birth_and_a_death() -> None:
    world = World(METER, PRESS)
    world.birth()
    world.send(world.read(PRESS, 1.0))
    since = len(world.verbs())
    entries = [world.read(METER, 1.0, 2.0, history=True), world.read(PRESS, 3.0, history=True)]
    world.send(*entries, world.read(METER, 4.0, 5.0, history=True))
    assert world.verbs(since) == [
        ("DBIRTH", "meter"),
        ("DDATA", "meter"),
        ("DDATA", "press"),
        ("DDATA", "meter"),
        ("DDEATH", "meter"),
    ]


def test_a_device_that_comes_back_while_its_history_is_told_stays() -> None:
    world = World(METER)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0, history=True), world.read(METER, 4.0, 5.0))
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DDATA", "meter"), ("DDATA", "meter")]
    assert world.host.values("meter") == {"u": 4.0, "i": 5.0}


def test_what_is_older_than_the_birth_moves_no_current_value_either() -> None:
    """Frames that waited for their turn while the birth told newer values."""
    world = World(METER)
    first = world.read(METER, 1.0, 2.0)
    second = world.read(METER, 3.0, 4.0)
    world.birth()
    world.send(first, second)
    assert world.verbs()[-1] == ("DDATA", "meter")
    assert [sample.historical for sample in world.host.samples] == [True, True, False, False]


def test_what_comes_again_is_history_and_what_comes_after_the_clock_was_set_is_not() -> None:
    world = World(METER)
    world.birth()
    again = world.read(METER, 1.0, 2.0)
    world.send(again)
    world.send(world.read(METER, 3.0, 4.0), again)
    assert [sample.historical for sample in world.host.samples] == [False] * 4 + [True] * 2
    world.now -= 3600 * SECOND
    world.session.data([world.read(METER, 5.0, 6.0)], world.now)
    (message,) = world.session.data([world.read(METER, 7.0, 8.0)], world.now).messages
    assert not any(metric.historical for metric in codec.decode(message[1]).metrics)


def test_a_rebirth_says_everything_anew_and_ends_nothing() -> None:
    """tck-id-operational-behavior-data-commands-rebirth-action-2 and -action-3"""
    world = World(METER, PRESS)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(PRESS, 1.0))
    since = len(world.verbs())
    world.birth()
    assert world.verbs(since) == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DBIRTH", "press")]
    assert world.host.bdseqs == [0, 0]
    world.send(world.read(METER, 3.0, 4.0))
    assert world.host.values("meter") == {"u": 3.0, "i": 4.0}
    assert world.verbs(since + 3) == [("DDATA", "meter")]


def test_a_device_that_grows_is_born_again_and_keeps_its_aliases() -> None:
    world = World(METER)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0))
    before = {name: known.alias for name, known in world.host.devices["meter"].by_name.items()}
    grown = schema("meter", "1s", "u", "i", "more")
    world.tree.learn([grown], [grown])
    since = len(world.verbs())
    world.send(world.read(grown, 1.0, 2.0, 3.0))
    assert world.verbs(since) == [("DDEATH", "meter"), ("DBIRTH", "meter"), ("DDATA", "meter")]
    after = {name: known.alias for name, known in world.host.devices["meter"].by_name.items()}
    assert {name: after[name] for name in before} == before
    assert world.host.values("meter") == {"u": 1.0, "i": 2.0, "more": 3.0}


def test_what_the_agent_says_of_itself_is_data_of_the_node() -> None:
    world = World(METER)
    world.birth()
    tags = ("sink", "reason", "from_seq", "to_seq", "frames", "samples", "first_ts", "last_ts")
    loss = Schema("$gateway", "loss", tuple(Tag(tag, "str") for tag in tags))
    clock = Schema("$gateway", "clock", (Tag("step_s"),))
    world.send(world.read(loss, "platform", "age", 1, 9, 9, 90, 1, 2), world.read(clock, 2.5))
    assert world.verbs() == [("NBIRTH", ""), ("NDATA", ""), ("NDATA", "")]
    gap, report = world.host.samples
    assert (gap.metric, report.metric) == ("Gap", "Report")
    assert '"type":"gap"' in str(gap.value) and '"ranges":[{"from":1,"to":9' in str(gap.value)
    assert '"type":"clock"' in str(report.value) and '"step_s":2.5' in str(report.value)


def test_the_node_tells_what_has_changed_of_it() -> None:
    """tck-id-topics-ndata-payload, tck-id-operational-behavior-data-publish-nbirth-change"""
    world = World(METER)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0))
    world.session.samples = 2
    world.hear(world.session.statistics(world.now))
    world.hear(world.session.statistics(world.now))
    assert world.verbs()[3:] == [("NDATA", "")]
    told = {sample.metric: sample.value for sample in world.host.samples if not sample.device}
    assert told == {"Statistics/Devices": 1, "Statistics/Samples": 2}


def test_a_planned_end_is_told_device_by_device() -> None:
    world = World(METER, PRESS)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(PRESS, 1.0))
    since = len(world.verbs())
    world.hear([*world.session.deaths(world.now), world.session.death(world.now)])
    assert world.verbs(since) == [("DDEATH", "meter"), ("DDEATH", "press"), ("NDEATH", "")]
    assert world.host.node is None


def test_the_number_goes_round() -> None:
    """tck-id-payloads-sequence-num-incrementing"""
    world = World(METER)
    world.birth()
    for _ in range(600):
        world.send(world.read(METER, 1.0, 2.0))
    assert world.host.faults == []


def test_a_frame_that_is_too_large_goes_in_pieces() -> None:
    wide = schema("wide", "1s", *(f"t{n}" for n in range(100)))
    world = World(wide)
    world.connect(fits=lambda message: len(message[1]) < 500 or b"DBIRTH" in message[0])
    world.birth()
    messages = world.send(world.read(wide, *(float(n) for n in range(100))))
    assert all(len(payload) < 500 for head, payload, _ in messages if b"DDATA" in head)
    assert len(messages) > 4
    assert list(world.host.values("wide").values()) == [float(n) for n in range(100)]
    assert world.host.faults == []


@pytest.mark.parametrize("history", [False, True])
def test_a_device_whose_birth_is_too_large_is_refused_and_the_others_are_not(history: bool) -> None:
    wide = schema("wide", "1s", *(f"t{n}" for n in range(100)))
    world = World(wide, METER)
    world.connect(fits=lambda message: len(message[1]) < 500)
    world.birth()
    entries = [world.read(wide, *[1.0] * 100, history=history), world.read(METER, 1.0, 2.0)]
    written = world.session.data(entries, world.now)
    world.hear(written.messages)
    assert written.refused == [(0, "the birth of wide")]
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DDATA", "meter")]


def test_a_value_that_alone_is_too_large_is_refused_and_nothing_of_its_frame_is_said() -> None:
    texts = schema("meter", "1s", "a", "b", dtype="str")
    world = World(texts)
    world.connect(fits=lambda message: len(message[1]) < 300)
    world.birth()
    written = world.session.data([world.read(texts, "x" * 1000, "y"), world.read(texts, "x", "y")], world.now)
    world.hear(written.messages)
    assert written.refused == [(0, "a value of meter")]  # and the birth had the newest ones, which are small
    assert [sample.value for sample in world.host.samples] == ["x", "y"]


def test_names_say_the_group_only_where_they_must() -> None:
    world = World(schema("d", "1s", "a", "b"), schema("d", "10s", "b", "c"))
    world.read(world.schemas[0], 1.0, 2.0)
    world.birth()
    assert set(world.host.devices["d"].by_name) == {"a", "1s/b", "10s/b", "c"}


def test_a_tag_that_has_changed_its_type_is_a_metric_of_its_own() -> None:
    now, then = schema("d", "1s", "a"), schema("d", "1s", "a", dtype="int16")
    world = World(now)
    world.birth()
    world.send(world.read(now, 1.5), world.read(then, 7, history=True))
    assert {name: known.datatype for name, known in world.host.devices["d"].by_name.items()} == {
        "a": codec.DOUBLE,
        "a (int16)": codec.INT16,
    }
    assert world.host.samples[-1][1:4] == ("a (int16)", (world.now) // 10**6, 7)
    assert world.host.faults == []


def test_names_that_look_like_others_are_still_different() -> None:
    world = World(schema("d", "1s", "a", "10s/a"), schema("d", "10s", "a"))
    world.read(world.schemas[0], 1.0, 2.0)
    world.birth()
    assert len(world.host.devices["d"].by_name) == 3
    assert world.host.faults == []


class Play:
    """Anything that may happen, in any order."""

    GROUPS = (METER, SLOW, PRESS, schema("meter", "1s", "u", "i", "x"), schema("late", "1s", "u", dtype="str"))

    def __init__(self) -> None:
        self.world = World(METER, SLOW, PRESS)

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


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=40))
def test_whatever_happens_a_strict_host_finds_no_fault(steps: list[tuple[str, int]]) -> None:
    play = Play()
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


def test_aliases_are_the_same_after_a_restart_with_the_same_metrics_and_others_otherwise() -> None:
    def aliases(kept: bytes, *schemas: Schema) -> tuple[set[int], bytes]:
        book = Book(kept)
        tree = Tree(book)
        tree.begin(schemas)
        tree.learn([PRESS])
        return set(tree.by_alias), book.dump()

    first, kept = aliases(b"", METER)
    assert first == {1, 2, 3}
    again, kept = aliases(kept, METER)
    assert again == {1, 2, 4}  # what was learnt later may mean something else
    other, kept = aliases(kept, METER, SLOW)
    assert other == {5, 6, 7, 8}
    assert aliases(kept, METER, SLOW)[0] == {5, 6, 7, 9}


def test_aliases_start_over_before_they_grow_long() -> None:
    book = Book(b'{"digest": "", "base": 1, "next": 16384}')
    book.start([("d", ("1s", "t", "bool"))])
    assert book.alias("d", ("1s", "t", "bool")) == 1


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"digest": 1}', b'{"digest": "", "base": "x", "next": 1}'])
def test_what_was_kept_and_makes_no_sense_is_a_start(kept: bytes) -> None:
    assert Book(kept).alias("d", ("1s", "t", "bool")) == 1
