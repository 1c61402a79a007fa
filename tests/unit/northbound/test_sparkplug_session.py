"""What a node says of devices, groups and tags that come and go is what a strict host application accepts."""

import pytest

from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.northbound.sparkplug import codec
from agent.northbound.sparkplug.tree import Book, Tree
from tests.sim.sparkplug_host import Sample
from tests.unit.northbound.sparkplug_devices import METER, PRESS, SECOND, SLOW, World, schema


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


def test_a_device_dies_of_a_frame_that_only_says_what_has_changed() -> None:
    """Reported by exception: what was gone before is not told again."""
    world = World(METER)
    world.birth()
    bad = bytes((Quality.BAD_COMM,))
    world.send(world.read(METER, 1.0, None, quality=b"\0" + bad))
    world.send(world.read(METER, None, quality=bad, columns=(0,)))
    assert world.verbs()[-1] == ("DDEATH", "meter")
    world.send(world.read(METER, 2.0, columns=(0,)), world.read(METER, None, quality=bad, columns=(0,)))
    assert world.verbs()[-4:] == [("DBIRTH", "meter"), ("DDATA", "meter"), ("DDATA", "meter"), ("DDEATH", "meter")]


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


def test_a_device_that_is_read_seldom_lives_though_its_values_come_late() -> None:
    world = World(METER, PRESS)
    world.birth()
    late = world.read(PRESS, 1.0)._replace(history=True)
    world.send(late)
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "press"), ("DDATA", "press")]
    assert world.host.values("press") == {"u": 1.0}


def test_a_device_dies_though_it_is_told_late_that_it_is_gone() -> None:
    world = World(METER, SLOW)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(SLOW, 3.0))
    world.send(world.gone(METER)._replace(history=True))
    assert "meter" in world.host.devices
    world.send(world.gone(SLOW)._replace(history=True))
    assert world.verbs()[-2:] == [("DDATA", "meter"), ("DDEATH", "meter")]


def test_births_of_very_many_metrics_come_a_thousand_at_a_time() -> None:
    world = World(*(schema(f"d{n}", "1s", *(f"t{m}" for m in range(100))) for n in range(25)))
    for each in world.schemas:
        world.read(each, *[1.0] * 100)
    world.hear(world.session.birth(world.now))
    slices = []
    while world.session.waiting:
        slices.append(world.session.more(world.now))
        world.hear(slices[-1])
    assert [len(each) for each in slices] == [10, 10, 5]
    assert len(world.host.devices) == 25
    assert world.host.faults == []


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


def test_a_birth_says_where_the_device_is_and_data_do_not() -> None:
    world = World(METER, SLOW, PRESS, places={"meter": "line-3/cell-2"})
    world.read(METER, 1.0, 2.0)
    world.birth()
    since = len(world.host.samples)
    world.send(world.read(METER, 3.0, 4.0), world.read(PRESS, 1.0))
    assert world.host.values("meter") == {"u": 3.0, "i": 4.0, "e": None, "Properties/Place": "line-3/cell-2"}
    assert "Properties/Place" not in world.host.values("press")
    assert all("Properties/Place" not in sample for sample in world.host.samples[since:])
    assert world.host.faults == []


def test_a_tag_that_is_called_as_the_place_is_told_instead() -> None:
    tag, other = schema("d", "Properties", "Place"), schema("d", "1s", "Place")
    world = World(tag, other, places={"d": "line-3"})
    world.read(tag, 1.0)
    world.read(other, 2.0)
    world.birth()
    assert world.host.values("d") == {"Properties/Place": 1.0, "1s/Place": 2.0}
    assert world.host.faults == []
