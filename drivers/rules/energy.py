"""Energy and media as coal equivalent and CO2."""

from typing import Annotated

from pydantic import Field

from drivers.section import Name, Section


class WeighedConfig(Section):
    """A tag times a factor."""

    tag: str = Field(description="what is counted: a tag of the device, or DEVICE/TAG; of a counter its intervals")
    factor: str = Field(description="by its name in the file of factors; grid is the one that `factors:` names")
    name: Name | None = Field(None, description="of what comes of it; TAG_kgce or TAG_co2 unless told")


WeighedList = Annotated[list[WeighedConfig], Field(max_length=1000)]


class EnergyConfig(Section):
    """What is made of the consumption of a device."""

    coal_equivalent: WeighedList = Field([], description="in kgce")
    co2: WeighedList = Field([], description="in kg of CO2")
