"""The compiled steps that every frame passes before it is stored."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import stopwatch
from report import Row, at_most

from agent.normalise import Recipes, Rules, Steps
from agent.normalise.windows.ask import Window


def rows() -> Iterator[Row]:
    schema = stopwatch.schema()
    step, good = Steps()[schema], stopwatch.frame(schema)
    nan = replace(good, values=(float("nan"), *good.values[1:]))
    yield at_most("a good frame of 100 floats: CPU", stopwatch.cpu_us(lambda: step(good), 20_000), 3, "µs")
    yield at_most("a frame of 100 floats with a NaN: CPU", stopwatch.cpu_us(lambda: step(nan), 2_000), 60, "µs")
    yield at_most("min, max, mean and count of windows, 200 tags: CPU", _windows_ns(), 150, "ns/tag")


def _windows_ns() -> float:
    """Of a frame a second, with what each costs at its end."""
    schema = stopwatch.schema(tags=200)
    rules = Rules(windows=(Window(900 * 10**9, ("min", "max", "mean", "count")),))
    step = Steps([schema], Recipes({(schema.device, tag.name): rules for tag in schema.tags}))[schema]
    frame = stopwatch.frame(schema)
    seconds = count(frame.ts, 10**9)
    return stopwatch.cpu_us(lambda: step(replace(frame, ts=next(seconds))), 3_000) * 1000 / 200
