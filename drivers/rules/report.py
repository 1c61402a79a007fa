"""When a tag says that its values are worth a message."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic import Tag as Branch

from drivers.section import Seconds, Section

When = Literal["always", "on_change", "period", "on_change_or_period"]
_DAY = 86400
_PERCENT = r"^[0-9]+(\.[0-9]+)?%$"
_Percent = Annotated[str, Field(pattern=_PERCENT)]
_Band = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _kind(said: object) -> str:
    return "share" if isinstance(said, str) else "number"


_Deadband = Annotated[
    Annotated[_Band, Branch("number")] | Annotated[_Percent, Branch("share")],
    Discriminator(_kind),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _PERCENT}]}),
]


class ReportConfig(Section):
    """When a value is told. Of texts, bools, states and events every change counts, whatever a band says."""

    when: When = Field("on_change", description="always, on_change, period, or on_change_or_period: either of them")
    deadband: _Deadband | None = Field(
        None, description="how far a value may be from the one told last, in its unit, or such as 1% of that one"
    )
    deadband_min: _Band | None = Field(None, description="with a percentage: the least deadband, for values near zero")
    door: _Band | None = Field(
        None, description="instead of a deadband: how far a value may be from the line between the two told around it"
    )
    period: Annotated[Seconds, Field(ge=0.1, le=_DAY)] = Field(
        60.0, description="of when: period: one value is told in each, on the grid of the clock"
    )
    max_time: Annotated[Seconds, Field(ge=1, le=30 * _DAY)] | None = Field(
        None, description="what has not been told for so long is told again, as it was and with its time"
    )

    @field_validator("deadband", "door")
    @classmethod
    def _is_about_changes(cls, band: float | str | None, info: ValidationInfo) -> float | str | None:
        when = info.data.get("when", "on_change")
        if band is not None and when in ("always", "period"):
            raise ValueError(f"it says what a change is, and `when: {when}` asks for none: on_change has one")
        if band is not None and info.field_name == "door" and info.data.get("deadband") is not None:
            raise ValueError("either a deadband or a door")
        if isinstance(band, str) and not 0 < float(band[:-1]) <= 100:
            raise ValueError(f"{band} is not more than 0% and at most 100%")
        return band

    @field_validator("deadband_min")
    @classmethod
    def _is_of_a_percentage(cls, least: float | None, info: ValidationInfo) -> float | None:
        if least is not None and "deadband" in info.data and not isinstance(info.data["deadband"], str):
            raise ValueError("it goes with a deadband in percent, such as 1%")
        return least

    @field_validator("period")
    @classmethod
    def _is_asked_for(cls, period: float, info: ValidationInfo) -> float:
        when = info.data.get("when", "period")
        if "period" not in when:
            raise ValueError(f"`when: {when}` has no period: period or on_change_or_period")
        return period


def _form(said: object) -> str:
    return "word" if isinstance(said, str) else "section"


ReportSaid = Annotated[
    Annotated[When, Branch("word")] | Annotated[ReportConfig, Branch("section")], Discriminator(_form)
]
