"""A device whose tags grow while it is read: its frames have a bigger schema from then on, and nothing else changes."""

from agent.health import Health
from agent.model.errors import Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.state import States
from agent.normalise.steps import MINUTE
from agent.runtime.latest import Latest
from agent.runtime.targets import targets
from drivers.api import TagConfig, WriteConfig
from drivers.finding import Search
from drivers.sim.config import Config
from tests.bench.virtual import running
from tests.unit.runtime.test_line import Bench, Device


class Growing(Device):
    """With the third scan it has another tag; it takes the schema of before, too."""

    def __init__(self, tags: int = 1) -> None:
        super().__init__("press")
        self.start = self.schemas = (Schema("press", "g0", tuple(Tag(f"t{n}", "int16") for n in range(tags)), 1.0),)

    async def scan(self, schema: Schema) -> Frame:
        await super().scan(schema)
        if len(self.scans) == 3:
            self.schemas = (Schema("press", "g0", (*schema.tags, Tag("more", "int16")), 1.0),)
        wide = len(self.schemas[0].tags)
        return Frame(self.schemas[0], running().mono(), (1,) * wide, bytes(wide))


def test_a_line_goes_on_with_the_schema_that_a_frame_has() -> None:
    press = Growing()
    bench = Bench(press).at(5.5, lambda: setattr(press, "dead", True)).run(8.5)
    *frames, bad = bench.frames["press"]
    assert [len(frame.values) for frame in frames] == [1, 1, 2, 2, 2]
    assert {id(frame.schema) for frame in frames} == {id(press.start[0]), id(press.schemas[0])}
    assert (bad.schema, bad.quality) == (press.schemas[0], bytes([Quality.BAD_COMM]) * 2)


def test_a_group_without_tags_is_asked_and_gives_nothing_until_it_has_some() -> None:
    press = Growing(tags=0)
    press.fail = lambda schema: Unreachable("gone") if len(press.scans) == 1 else None
    bench = Bench(press).run(20.0)
    assert {len(frame.values) for frame in bench.frames["press"]} == {1}
    assert len(press.scans) > 3


def test_steps_are_compiled_once_and_one_is_kept_for_each_group() -> None:
    """However often a device grows."""
    steps = Steps()
    for tags in range(1, 100):
        schema = Schema("press", "1s", (Tag("t", "int16"),) * tags)
        assert steps[schema] is steps[schema]
    other = Schema("press", "10s", (Tag("t", "int16"),))
    assert steps[other](Frame(other, 1, (1,), bytes(1)))
    assert list(steps) == [schema, other]


def test_what_was_to_be_kept_before_a_device_grew_is_kept_afterwards() -> None:
    """Its frames are on their way: with an older state a total would go back after a crash."""
    states = States(("run", "idle"), ((1, 0), (2, 1)))
    steps = Steps((), Recipes({("press", "a"): Rules(states=states)}))
    small = Schema("press", "1s", (Tag("a", "int16"),), 1.0)
    big = Schema("press", "1s", (*small.tags, Tag("b", "int16")), 1.0)
    (_, told) = steps[small](Frame(small, MINUTE, (1,), bytes(1), MINUTE))
    assert told.schema.group == "state"
    assert steps[big] is not None
    assert "normal/press/1s/states/0" in steps.kept(0)


def test_a_frame_without_tags_is_left_out() -> None:
    schema = Schema("press", "1s", ())
    assert Steps()[schema](Frame(schema, 1, (), b"")) == ()


def test_the_newest_values_of_a_group_that_grows_stay_known() -> None:
    """Its first frame afterwards has the new tag alone."""
    small = Schema("press", "1s", (Tag("a", "int16"), Tag("b", "int16")))
    big = Schema("press", "1s", (*small.tags, Tag("c", "int16")))
    latest = Latest()
    latest.add([Frame(small, 5, (1, 2), bytes(2)), Frame(big, 6, (3,), bytes(1), columns=(2,))])
    whole = latest.get(big)
    assert whole is not None
    assert (tuple(whole.values), whole.quality, whole.stamps) == ((1, 2, 3), bytes(3), (5, 5, 6))
    assert latest.get(small) is None
    other = Schema("press", "1s", (Tag("x", "int16"), *big.tags))
    latest.add([Frame(other, 7, (9,), bytes(1), columns=(0,))])
    whole = latest.get(other)
    assert whole is not None and tuple(whole.values) == (9, 1, 2, 3)


class Setpoint(TagConfig):
    write: WriteConfig


class Finds(Growing):
    """A device that says itself which tags it has."""

    tags: list[TagConfig] = []  # noqa: RUF012  # a test's own

    async def find(self, done: object, *, most: int, seconds: float) -> Search:
        raise AssertionError("nobody asks for a search")


def test_a_tag_that_is_found_later_can_be_commanded() -> None:
    press = Finds()
    press.tags = [Setpoint(name="a", write=WriteConfig())]
    known = targets([], [press], Health())["press"]
    assert list(known) == ["a"]
    press.tags += [Setpoint(name="b", write=WriteConfig()), TagConfig(name="c")]
    assert known["b"].tag is press.tags[1]
    assert (known["c"].tag, known.get("d"), len(known)) == (None, None, 3)


def test_of_a_tag_that_may_not_be_written_no_more_is_kept_than_that_it_is_there() -> None:
    config = Config.model_validate({"name": "d", "driver": "sim", "endpoint": "sim:", "tags": [{"name": "a"}]})
    known = targets([config], [Device("d")], Health())["d"]
    assert (list(known), known["a"].tag) == (["a"], None)
