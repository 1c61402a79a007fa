"""When a tag is an alarm: limits, a distance from another value, states, how fast it changes, and no value at all."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from drivers.section import Name, Number, Seconds, Section

SEVERITIES = {"low": 250, "medium": 500, "high": 750, "urgent": 1000}
LIMITS = ("ll", "l", "h", "hh")  # in this order
_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?) per (second|minute|hour)")
_LONGEST = 7 * 86400  # seconds
Delay = Annotated[Seconds, Field(ge=0, le=_LONGEST)]


def _severity(given: object) -> object:
    if isinstance(given, str):
        if given not in SEVERITIES:
            raise ValueError(f"{given!r} is none: a number from 1 to 1000, or low, medium, high, urgent")
        return SEVERITIES[given]
    return given


def _per_second(given: object) -> float:
    match = _RATE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise ValueError(f"{given!r} is no rate: write a number and what for, such as `10 per second` or `3 per hour`")
    return float(match[1]) / _PERIODS[match[2]]


def _several(given: object) -> object:
    return given if isinstance(given, list) else [given]


Severity = Annotated[
    int,
    BeforeValidator(_severity),
    Field(ge=1, le=1000),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, {"enum": list(SEVERITIES)}]}),
]
State = bool | int | str
States = Annotated[
    list[State],
    BeforeValidator(_several, json_schema_input_type=State | list[State]),
    Field(min_length=1, max_length=64),
]


class DeviationConfig(Section):
    """How far a value may be from where it should be."""

    from_: Number | Name = Field(alias="from", description="a number, or another tag of the device")
    by: Number = Field(gt=0, description="more than that is an alarm, in the tag's unit")


class RateConfig(Section):
    """How fast a value may change."""

    above: Annotated[
        float,
        BeforeValidator(_per_second),
        WithJsonSchema({"type": "string", "pattern": f"^{_RATE.pattern}$"}),
    ] = Field(gt=0, description="faster than that, up or down, is an alarm, such as 10 per second")
    over: Annotated[Seconds, Field(gt=0, le=86400)] = Field(description="the time over which it is measured")


class AlarmConfig(Section):
    """One or more conditions of a tag that share their delays."""

    name: Name | None = Field(None, description="default: the tag's name and what it is, such as oil_temp_hh")
    hh: Number | None = Field(None, description="far too high: a value above it")
    h: Number | None = Field(None, description="too high: a value above it")
    l: Number | None = Field(None, description="too low: a value below it")  # noqa: E741  # the word of the standard
    ll: Number | None = Field(None, description="far too low: a value below it")
    deviation: DeviationConfig | None = Field(None, description="too far from a number or another tag")
    rate: RateConfig | None = Field(None, description="changes too fast")
    state: States | None = Field(None, description="values that are an alarm, such as fault")
    on_bad: bool = Field(False, description="true: no good value is an alarm, too")
    hysteresis: Annotated[Number, Field(ge=0)] = Field(
        0, description="how far a value must be back until the alarm goes, in the tag's unit"
    )
    on_delay: Delay = Field(0.0, description="how long it must be so until the alarm comes")
    off_delay: Delay = Field(0.0, description="how long it must be over until the alarm goes")
    severity: Severity | None = Field(
        None, description="1 to 1000, or low, medium, high, urgent; default: high for hh and ll, else medium"
    )
    text: str = Field("", max_length=256, description="what people are told")
    chatter: int = Field(10, ge=2, le=600, description="one that changes more often in a minute is held")

    def kinds(self) -> Iterator[str]:
        """What it is an alarm for, in the words that end the names of alarms."""
        yield from (limit for limit in LIMITS if getattr(self, limit) is not None)
        yield from (kind for kind in ("deviation", "rate", "state") if getattr(self, kind) is not None)
        yield from ("bad",) if self.on_bad else ()

    @model_validator(mode="after")
    def _is_one_that_can_be(self) -> Self:
        kinds = list(self.kinds())
        if not kinds:
            raise ValueError("no condition: such as `h: 80`, `state: fault`, `on_bad: true`")
        if self.name is not None and len(kinds) > 1:
            raise ValueError(f"name: there are {len(kinds)} alarms here ({', '.join(kinds)}): write each as an item")
        _in_order(self)
        self._has_a_way_back(kinds)
        return self

    def _has_a_way_back(self, kinds: list[str]) -> None:
        """With too large a hysteresis an alarm would not go."""
        if self.hysteresis and not {*kinds} - {"state", "bad"}:
            raise ValueError("hysteresis: it is for limits, deviation and rate")
        most = [("deviation.by", self.deviation.by)] if self.deviation else []
        most += [("rate.above", self.rate.above)] if self.rate else []
        highs = [limit for limit in (self.h, self.hh) if limit is not None]
        lows = [limit for limit in (self.l, self.ll) if limit is not None]
        most += [("the band between low and high limits", min(highs) - max(lows))] if highs and lows else []
        for what, room in most:
            if self.hysteresis > room:
                raise ValueError(f"hysteresis: {self.hysteresis:g} is more than {what}, {room:g}: it would not go")


def _in_order(*alarms: AlarmConfig) -> None:
    """Limits of one tag are in the order ll, l, h, hh."""
    found = [(limit, value) for limit in LIMITS for each in alarms if (value := getattr(each, limit)) is not None]
    for at, (low, below) in enumerate(found):
        for high, above in found[at + 1 :]:
            if low != high and (below > above or (below == above and low[0] != high[0])):
                raise ValueError(f"{low}: {below:g} is not below {high}, {above:g}")


def _consistent(alarms: list[AlarmConfig]) -> list[AlarmConfig]:
    _in_order(*alarms)
    return alarms


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, dict) else given


Alarms = Annotated[
    list[AlarmConfig],
    BeforeValidator(_listed, json_schema_input_type=AlarmConfig | list[AlarmConfig]),
    AfterValidator(_consistent),
    Field(min_length=1, max_length=32),
]
