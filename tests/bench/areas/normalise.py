"""The compiled steps that every frame passes before it is stored."""

import random
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import count

import stopwatch
from report import Row, at_most

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Recipes, Rules, Steps
from agent.normalise.alarms import Alarm
from agent.normalise.calculated import Calculated, Derived
from agent.normalise.convert import Conversion
from agent.normalise.counters.ask import SECOND, Counter
from agent.normalise.limits.asked import Limits
from agent.normalise.report.asked import Reporting
from agent.normalise.state import States
from agent.normalise.windows.ask import Window

START = 1_772_409_600 * SECOND  # the begin of a day
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
    yield at_most("a counter with intervals and demand, of 200: CPU a reading", _counters(), 1.5, "µs")
    saved, restored = _counters_kept()
    yield at_most("state of 10,000 counters in 50 groups, put together: CPU", saved, 0.2, "s")
    yield at_most("the same read again: CPU", restored, 0.2, "s")
    yield at_most("alarms on all of 200 tags, none of them near: CPU a tag", _alarms(), 50, "ns")
    yield at_most("steps of 2,000 devices with an alarm each, compiled: CPU", _many_devices(), 2, "s")
    yield at_most("states of 200 tags, one changes in each frame and is told: CPU a tag", _states(), 250, "ns")


def _metered(schema: Schema) -> Schema:
    return replace(schema, tags=tuple(replace(tag, kind="counter") for tag in schema.tags))


def _asked(schemas: Sequence[Schema]) -> Recipes:
    asked = Rules(counter=Counter(intervals=(60 * SECOND, 900 * SECOND), demand=900 * SECOND))
    return Recipes({(schema.device, tag.name): asked for schema in schemas for tag in schema.tags})


def _readings(schema: Schema, at: int) -> Frame:
    """Registers of float32 with two decimals, each second of a minute."""
    hundredths = struct.Struct(f"{len(schema.tags)}f")
    values = hundredths.unpack(hundredths.pack(*(1000 + column + at / 100 for column in range(len(schema.tags)))))
    return Frame(schema, START + at * SECOND, values, bytes(len(values)), at * SECOND)


def _counters() -> float:
    """What a counter adds to the step of a frame, the ends of intervals left aside."""
    schema = _metered(stopwatch.schema(tags=WIDE))
    steps, plain = Steps((), _asked([schema])), Steps()
    frames = [_readings(schema, at) for at in range(1, 60)]
    spent = []
    for step in (steps[schema], plain[schema]):
        for frame in frames[:30]:
            step(frame)
        began = time.process_time()
        for frame in frames[30:]:
            step(frame)
        spent.append(time.process_time() - began)
    return (spent[0] - spent[1]) / len(frames[30:]) / WIDE * 1e6


def _counters_kept() -> tuple[float, float]:
    """Seconds to put together and to read again what all counters know: no write of its own, it goes with a commit."""
    schemas = [_metered(stopwatch.schema(f"d{n:03d}", WIDE)) for n in range(10_000 // WIDE)]
    recipes = _asked(schemas)
    steps = Steps(schemas, recipes)
    for schema in schemas:
        steps[schema](_readings(schema, 1))
    again = Steps(schemas, recipes)
    began = time.process_time()
    kept = steps.kept(1, all_of_it=True)
    between = time.process_time()
    again.restore(kept)
    return between - began, time.process_time() - between


def _alarms() -> float:
    """What two alarms on each tag add to the step."""
    schema = stopwatch.schema(tags=200)
    rules = Rules(alarms=(Alarm("h", high=1001.0), Alarm("l", low=-1.0)))
    steps, plain = Steps((), Recipes({(schema.device, tag.name): rules for tag in schema.tags})), Steps()
    frame = stopwatch.frame(schema)
    with_them = stopwatch.cpu_us(lambda: steps[schema](frame), 5_000)
    return (with_them - stopwatch.cpu_us(lambda: plain[schema](frame), 5_000)) / len(schema.tags) * 1000


def _many_devices() -> float:
    """What a start costs; each device has a part of its own that all steps share."""
    schemas = [Schema(f"d{number}", "1s", (Tag("a"),)) for number in range(2000)]
    rules = Rules(alarms=(Alarm("h", high=5.0),))
    recipes = Recipes({(schema.device, "a"): rules for schema in schemas})
    return stopwatch.cpu_us(lambda: Steps(schemas, recipes).made, 1) / 1e6


def _states() -> float:
    """A frame a second, in each of which one machine of 200 runs that stood, or stands that ran."""
    schema = replace(stopwatch.schema(tags=WIDE), interval=1.0)
    rules = Rules(states=States(("run", "idle"), ((1, 0), (2, 1))))
    step = Steps((), Recipes({(schema.device, tag.name): rules for tag in schema.tags}))[schema]
    values, frames = [1] * WIDE, []
    for at in range(1, 2001):
        values[at % WIDE] = 3 - values[at % WIDE]
        frames.append(Frame(schema, START + at * SECOND, tuple(values), bytes(WIDE), at * SECOND))
    began = time.process_time()
    for frame in frames:
        step(frame)
    return (time.process_time() - began) / len(frames) / WIDE * 1e9


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
