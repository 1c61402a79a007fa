"""The compiled steps that every frame passes before it is stored."""

from collections.abc import Iterator
from dataclasses import replace

import stopwatch
from report import Row, at_most

from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Steps
from agent.normalise.calculated import Calculated, Derived

DERIVED = 50  # formulas over a frame of 200 tags


def rows() -> Iterator[Row]:
    schema = stopwatch.schema()
    step, good = Steps()[schema], stopwatch.frame(schema)
    nan = replace(good, values=(float("nan"), *good.values[1:]))
    yield at_most("a good frame of 100 floats: CPU", stopwatch.cpu_us(lambda: step(good), 20_000), 3, "µs")
    yield at_most("a frame of 100 floats with a NaN: CPU", stopwatch.cpu_us(lambda: step(nan), 2_000), 60, "µs")
    yield at_most("a derived tag, a + b + c, of 50 over 200 tags: CPU", _formula(), 0.5, "µs")


def _formula() -> float:
    """What each of the formulas adds to the step, its share of the frame that is made included."""
    schema = stopwatch.schema(tags=200)
    frame, steps, plain = stopwatch.frame(schema), Steps((), Recipes(derived=(_plan(schema),))), Steps()
    with_them = stopwatch.cpu_us(lambda: steps[schema](frame), 5_000)
    return (with_them - stopwatch.cpu_us(lambda: plain[schema](frame), 5_000)) / DERIVED


def _plan(schema: Schema) -> Calculated:
    names = [tag.name for tag in schema.tags]
    inputs = [zip("abc", names[3 * n : 3 * n + 3], strict=True) for n in range(DERIVED)]
    tags = [
        Derived(Tag(f"sum{n}"), "a + b + c", tuple((name, (schema.device, tag)) for name, tag in pairs))
        for n, pairs in enumerate(inputs)
    ]
    return Calculated(schema.device, tuple(tags))
