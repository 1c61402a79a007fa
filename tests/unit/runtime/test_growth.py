"""A device whose tags grow while it is read: its frames have a bigger schema from then on, and nothing else changes."""

from agent.model.errors import Unreachable
from agent.model.frame import Frame
from agent.model.quality import Quality
from agent.model.tag import Schema, Tag
from agent.normalise import Steps, compile_step
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


def test_a_frame_without_tags_is_left_out() -> None:
    schema = Schema("press", "1s", ())
    assert compile_step(schema)(Frame(schema, 1, (), b"")) == ()
