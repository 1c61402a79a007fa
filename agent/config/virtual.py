"""The `virtual:` section: devices that only exist by calculation."""

from collections.abc import Sequence as Several
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from agent.config.alarms import check_alarms, derived_of
from agent.config.explain import validate
from agent.config.lists import first, mappings, name_of
from agent.config.problems import Scope
from agent.config.tree import Mapping, Sequence
from agent.config.words import shown
from agent.registry import Name, Seconds, Section
from drivers.rules.derived import Derivations
from drivers.rules.energy import EnergyConfig
from drivers.rules.oee import OeeConfig
from drivers.rules.report import ReportSaid

MOST = 200  # devices


class VirtualConfig(Section):
    """A device whose tags are worked out from those of others."""

    name: Name = Field(description="the device's name, unique in the file")
    place: list[Name] = Field([], max_length=8, description="where it is within the site: line, cell")
    inputs: dict[str, str] = Field(
        {}, max_length=500, description="names that its formulas may use, each for a DEVICE/TAG"
    )
    derived: Annotated[Derivations, Field(min_length=1)] = Field({}, description="its tags, by their names")
    energy: EnergyConfig | None = Field(None, description="consumption as coal equivalent and CO2")
    oee: OeeConfig | None = Field(None, description="how its shifts are judged, by inputs and derived tags")
    every: Annotated[Seconds, Field(ge=0, le=3600)] = Field(
        1.0, description="how often they are worked out, when an input has come; 0s: with each frame that has one"
    )

    report: ReportSaid = Field("always", description="when values of its tags are told, unless a tag says otherwise")

    @field_validator("every")
    @classmethod
    def _is_for_ticks(cls, every: float) -> float:
        if 0 < every < 1:
            raise ValueError("between 0s and 1s there is nothing: time is looked at once a second")
        return every

    @model_validator(mode="after")
    def _has_tags(self) -> Self:
        if not self.derived and self.oee is None:
            raise ValueError("it has no tags: give it `derived:`, or `oee:`")
        return self


def read_virtual(root: Mapping, scope: Scope) -> list[tuple[VirtualConfig, Mapping]]:
    """Those that are right, each with what the file says; the problems of the others go to `scope`."""
    found: list[tuple[VirtualConfig, Mapping]] = []
    if not isinstance(root.get("virtual"), Sequence):
        if root.get("virtual") is not None:
            scope.add(root.value_marks["virtual"], "virtual: must be a list", "such as - {name: line-1, derived: {…}}")
        return found
    names = {name_of(raw): raw.value_marks["name"] for raw in _named(root.get("devices"))}
    listed = Mapping(root.mark)
    listed.put("virtual devices", root["virtual"], root.key_marks["virtual"], root.value_marks["virtual"])
    for raw, inner in mappings(listed, "virtual device", scope):
        name = name_of(raw)
        if name in names:
            mark = raw.value_marks["name"]
            inner.add(mark, f"two devices are named {shown(name)}", first(names[name], mark))
            continue
        if name:
            names[name] = raw.value_marks["name"]
        config = validate(VirtualConfig, raw, raw.mark, inner)
        if config is not None:
            check_alarms(derived_of(config.derived, raw.get("derived")), inner)
            found.append((config, raw))
    if len(found) > MOST:
        scope.add(root.value_marks["virtual"], f"virtual: {len(found)} devices are more than {MOST}")
    return found


def _named(listed: object) -> Several[Mapping]:
    return [raw for raw in listed if name_of(raw)] if isinstance(listed, Sequence) else []
