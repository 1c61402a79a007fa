"""The compiled steps that every frame passes before it is stored."""

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count

import stopwatch
from report import Row, at_most

from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.convert import Conversion
from agent.normalise.limits.asked import Limits
from agent.normalise.report.asked import Reporting
from agent.normalise.windows.ask import Window

WIDE = 200  # tags of a frame
DERIVED = 50  # formulas over it
LIMITS, KILO = Limits(-1, 1001), Conversion(Fraction(1, 1000), Fraction(0), "kW")


def rows() -> Iterator[Row]:
    schema = stopwatch.schema()
    step, good = Steps()[schema], stopwatch.frame(schema)
    nan = replace(good, values=(float("nan"), *good.values[1:]))
    yield at_most("a good frame of 100 floats: CPU", stopwatch.cpu_us(lambda: step(good), 20_000), 3, "µs")
    yield at_most("a frame of 100 floats with a NaN: CPU", stopwatch.cpu_us(lambda: step(nan), 2_000), 60, "µs")
    yield at_most("scale of a 200-tag frame: CPU", _scaled(), 40, "ns/tag")
    yield at_most("limits of a tag, of 200 good ones: CPU", _limits(), 40, "ns")
    asked = Rules(conversion=KILO, limits=LIMITS, report=Reporting(changes=True))
    yield at_most("a tag of 200, converted, within limits, unchanged: CPU", _a_tag(asked), 90, "ns")
    asked = Rules(report=Reporting(changes=True, band=0.5))
    yield at_most("a tag of 200, deadband with 5 % changes: CPU", _a_tag(asked, changes=10), 110, "ns")
    yield at_most("a derived tag, a + b + c, of 50 over 200 tags: CPU", _formula(), 0.5, "µs")
    yield at_most("min, max, mean and count of windows, 200 tags: CPU", _windows_ns(), 150, "ns/tag")
    yield at_most("alarms on all of 200 tags, none of them near: CPU a tag", _alarms(), 50, "ns")


def _alarms() -> float:
    """What two alarms on each tag add to the step."""
    schema = stopwatch.schema(tags=200)
    rules = Rules(alarms=(Alarm("h", high=1001.0), Alarm("l", low=-1.0)))
    steps, plain = Steps((), Recipes({(schema.device, tag.name): rules for tag in schema.tags})), Steps()
    frame = stopwatch.frame(schema)
    with_them = stopwatch.cpu_us(lambda: steps[schema](frame), 5_000)
    return (with_them - stopwatch.cpu_us(lambda: plain[schema](frame), 5_000)) / len(schema.tags) * 1000


def _limits() -> float:
    return _a_tag(Rules(limits=LIMITS), changes=200) - _a_tag(Rules(), changes=200)


def _a_tag(asked: Rules, changes: int = 0, tags: int = 200) -> float:
    """ns a tag for frames of which so many values have moved."""
    schema = stopwatch.schema(tags=tags)
    steps = Steps((), Recipes({(schema.device, tag.name): asked for tag in schema.tags}))
    first = stopwatch.frame(schema)
    frames, values = [], list(first.values)
    for n in range(100):
        for column in random.sample(range(tags), changes):
            values[column] = (values[column] + 10.0) % 1000.0
        frames.append(replace(first, values=tuple([value + 0.0 for value in values]), ts=first.ts + n * 10**9))
    step = steps[schema]
    return stopwatch.cpu_us(lambda: [step(frame) for frame in frames], 20) / len(frames) / tags * 1000


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


def _scaled() -> float:
    """What a conversion of every tag adds to a step."""
    schema = stopwatch.schema(tags=WIDE)
    rules = Rules(conversion=Conversion(Fraction(80), Fraction(0), "A"))
    recipes = Recipes({(schema.device, tag.name): rules for tag in schema.tags})
    plain, step, frame = Steps()[schema], Steps((), recipes)[schema], stopwatch.frame(schema)
    both = [stopwatch.cpu_us(lambda work=work: work(frame), 20_000) for work in (plain, step)]
    return (both[1] - both[0]) / WIDE * 1000


def _windows_ns() -> float:
    """Of a frame a second, with what each costs at its end."""
    schema = stopwatch.schema(tags=200)
    rules = Rules(windows=(Window(900 * 10**9, ("min", "max", "mean", "count")),))
    step = Steps([schema], Recipes({(schema.device, tag.name): rules for tag in schema.tags}))[schema]
    frame = stopwatch.frame(schema)
    seconds = count(frame.ts, 10**9)
    return stopwatch.cpu_us(lambda: step(replace(frame, ts=next(seconds))), 3_000) * 1000 / 200
