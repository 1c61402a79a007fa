"""What a step is made of, in the order in which frames pass it."""

from collections.abc import Callable, Mapping, Sequence

from agent.model.frame import Frame
from agent.model.tag import Schema
from agent.normalise import carbon, convert, derived, oee, states
from agent.normalise.alarms import watch
from agent.normalise.api import Build, Context, Report, Stage, Tap
from agent.normalise.counters import tap as counters
from agent.normalise.limits import stage as limits
from agent.normalise.report import stage as report
from agent.normalise.rules import Rules
from agent.normalise.windows import grid as windows

Shape = Callable[[Frame], Frame]
SHAPERS: dict[str, Build[Stage]] = {  # in this order
    "convert": convert.build,
    "limits": limits.build,
}
TAPS: dict[str, Build[Tap]] = {
    "carbon": carbon.build,
    "derived": derived.build,
    "counters": counters.build,
    "states": states.build,
    "oee": oee.build,
    "alarms": watch.build,
    "windows": windows.build,
}
JOINING = "carbon", "derived", "oee"  # those that may make something for other devices
REPORT: Build[Report] = report.build


def built(
    builders: Mapping[str, Build[Tap]], schema: Schema, rules: Sequence[Rules], context: Context
) -> dict[str, Tap]:
    """The taps that have anything to do with a schema."""
    made = ((name, build(schema, rules, context)) for name, build in builders.items())
    return {name: tap for name, tap in made if tap is not None}


def shaping(fit: Shape, stages: Sequence[Stage]) -> Shape:
    """One function for all of them."""
    if not stages:
        return fit

    def shape(frame: Frame) -> Frame:
        frame = fit(frame)
        for stage in stages:
            frame = stage(frame)
        return frame

    return shape
