"""The compiled steps that every frame passes before it is stored."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import stopwatch
from report import Row, at_most

from agent.normalise import Recipes, Rules, Steps
from agent.normalise.convert import Conversion

WIDE = 200  # tags


def rows() -> Iterator[Row]:
    schema = stopwatch.schema()
    step, good = Steps()[schema], stopwatch.frame(schema)
    nan = replace(good, values=(float("nan"), *good.values[1:]))
    yield at_most("a good frame of 100 floats: CPU", stopwatch.cpu_us(lambda: step(good), 20_000), 3, "µs")
    yield at_most("a frame of 100 floats with a NaN: CPU", stopwatch.cpu_us(lambda: step(nan), 2_000), 60, "µs")
    yield at_most("scale of a 200-tag frame: CPU", _scaled(), 30, "ns/tag")


def _scaled() -> float:
    """What a conversion of every tag adds to a step."""
    schema = stopwatch.schema(tags=WIDE)
    rules = Rules(conversion=Conversion(Fraction(80), Fraction(0), "A"))
    recipes = Recipes({(schema.device, tag.name): rules for tag in schema.tags})
    plain, step, frame = Steps()[schema], Steps((), recipes)[schema], stopwatch.frame(schema)
    both = [stopwatch.cpu_us(lambda work=work: work(frame), 20_000) for work in (plain, step)]
    return (both[1] - both[0]) / WIDE * 1000
