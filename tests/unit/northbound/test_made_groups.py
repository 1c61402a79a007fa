"""Groups that are worked out come seldom, and say nothing of whether their device is there."""

from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.northbound.mqtt.retained import Newest
from agent.runtime.latest import Latest
from tests.sim.mosquitto import Mosquitto
from tests.unit.northbound.making import entry
from tests.unit.northbound.sparkplug_devices import METER, SLOW, World
from tests.unit.northbound.sparkplug_world import PRESS, Plant, running, sparkplug
from tests.unit.northbound.test_thingsboard_letters import Desk

WINDOW = Schema("meter", "window-15m", (Tag("u_min_15m"), Tag("u_max_15m")), made=True)
VIRTUAL = Schema("plant", "derived", (Tag("power"),), made=True)


def test_a_window_without_values_is_born_with_its_device() -> None:
    world = World(METER, WINDOW)
    world.read(METER, 1.0, 2.0)
    world.birth()
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter")]
    assert world.host.values("meter") == {"u": 1.0, "i": 2.0, "u_min_15m": None, "u_max_15m": None}
    world.send(world.read(WINDOW, 0.5, columns=(1,)))
    assert world.verbs()[2:] == [("DDATA", "meter")]
    assert world.host.values("meter")["u_max_15m"] == 0.5


def test_a_device_dies_whatever_was_worked_out_of_it() -> None:
    world = World(METER, SLOW, WINDOW)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.read(WINDOW, 1.0, 2.0), world.read(SLOW, 1.0))
    since = len(world.verbs())
    world.send(world.gone(METER), world.gone(SLOW))
    assert world.verbs(since) == [("DDATA", "meter"), ("DDATA", "meter"), ("DDEATH", "meter")]


def test_the_last_window_of_a_dead_device_is_told_and_does_not_make_it_live() -> None:
    world = World(METER, WINDOW)
    world.birth()
    world.send(world.read(METER, 1.0, 2.0), world.gone(METER))
    since = len(world.verbs())
    world.send(world.read(WINDOW, 1.0, 2.0))
    assert world.verbs(since) == [("DBIRTH", "meter"), ("DDATA", "meter"), ("DDEATH", "meter")]
    world.send(world.read(METER, 3.0, 4.0))
    assert world.verbs(since + 3) == [("DBIRTH", "meter"), ("DDATA", "meter")]
    world.birth()
    assert world.host.values("meter")["u_min_15m"] == 1.0


def test_what_comes_before_the_first_values_of_its_device_does_not_end_it() -> None:
    """An alarm goes first."""
    world = World(METER, WINDOW)
    world.birth()
    first = world.read(METER, 1.0, 2.0)
    world.send(world.read(WINDOW, 1.0, 2.0), first)
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "meter"), ("DDATA", "meter"), ("DDATA", "meter")]


def test_a_device_that_is_only_worked_out_lives_by_that() -> None:
    world = World(VIRTUAL)
    world.birth()
    world.send(world.read(VIRTUAL, 1.0))
    assert world.verbs() == [("NBIRTH", ""), ("DBIRTH", "plant"), ("DDATA", "plant")]
    world.send(world.gone(VIRTUAL))
    assert world.verbs()[3:] == [("DDATA", "plant"), ("DDEATH", "plant")]


class Asked(Plant):
    """Counts how often somebody wants to know what there is of a window."""

    looks = 0

    def latest(self, schema: Schema) -> Frame | None:
        self.looks += schema.made
        return super().latest(schema)


async def test_births_do_not_wait_for_what_comes_every_quarter_of_an_hour(broker: Mosquitto) -> None:
    plant = Asked((PRESS, Schema("press", "window-15m", WINDOW.tags, made=True)))
    plant.read(PRESS, *[None] * len(PRESS.tags), quality=bytes((Quality.BAD_DEVICE,)) * len(PRESS.tags))
    async with running(sparkplug(broker.url, plant)):
        assert 0 < plant.looks < 10


def test_on_thingsboard_a_device_goes_whatever_was_worked_out_of_it() -> None:
    desk = Desk()
    bad = bytes((Quality.BAD_COMM,)) * 2
    batches = (
        [entry([1.0, 2.0], of=METER), entry([1.0, 2.0], of=WINDOW), entry([None] * 2, bad, of=METER)],
        [entry([1.0, 2.0], of=WINDOW)],
        [entry([1.0, 2.0], of=METER)],
    )
    there = []
    for batch in batches:
        desk.send(*batch)
        there.append(bool(desk.platform.connected))
    assert there == [False, False, True]


def test_the_newest_values_of_a_window_keep_each_its_own_time() -> None:
    newest = Latest()
    newest.add([Frame(WINDOW, 900, (1.0, 2.0), bytes(2)), Frame(WINDOW, 1800, (5.0,), bytes(1), columns=(1,))])
    whole = newest.get(WINDOW)
    assert whole is not None
    assert (whole.values, whole.stamps) == ((1.0, 5.0), (900, 1800))


def test_a_broker_keeps_the_last_window_though_newer_values_were_read() -> None:
    plant = Plant((METER, WINDOW))
    window = plant.read(WINDOW, 1.0, 2.0)
    (judge,) = Newest(plant).of([window, plant.read(METER, 1.0, 2.0)][:1])
    assert judge.frame()
    assert judge.column(0)
