"""What can be said of any value, whether it is read or worked out."""

from pydantic import Field

from agent.model.tag import Kind
from drivers.rules.alarm import Alarms
from drivers.rules.counter import CounterConfig
from drivers.rules.limits import LimitsConfig
from drivers.rules.report import ReportSaid
from drivers.rules.state import StateMap
from drivers.rules.window import Aggregates
from drivers.section import Section


class ValueConfig(Section):
    """What a value means, and what becomes of it."""

    unit: str = Field("", max_length=32, description="UCUM code, such as kWh")
    as_: str = Field("", alias="as", max_length=32, description="the unit in which it leaves; `unit` unless told")
    kind: Kind = Field("gauge", description="what the numbers mean")
    description: str = Field("", max_length=512, description="for people")
    limits: LimitsConfig | None = Field(None, description="what its values can be; others are bad")
    counter: CounterConfig | None = Field(None, description="what is made of a counter")
    aggregate: Aggregates | None = Field(
        None, description="minimum, mean and more of windows: {every: 15m, of: [min, max, mean]}"
    )
    alarms: Alarms | None = Field(None, description="when it is an alarm")
    report: ReportSaid | None = Field(None, description="when a value is told; default: what the device says")
    state: StateMap | None = Field(None, description="which values mean which state: how long, how often")
