"""Each option has an example in agent/normalise/README.md, whose examples are all run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agent.config.calendars import CalendarConfig, DaysConfig, PeriodConfig
from agent.config.explain import _models_at
from agent.config.factors import FactorConfig, FactorsConfig, VersionConfig
from agent.config.problems import Report
from agent.config.reader import read
from agent.config.virtual import VirtualConfig
from drivers.rules.alarm import AlarmConfig, DeviationConfig, RateConfig
from drivers.rules.counter import CounterConfig, DemandConfig
from drivers.rules.derived import DerivedConfig
from drivers.rules.energy import EnergyConfig, WeighedConfig
from drivers.rules.limits import LimitsConfig
from drivers.rules.oee import OeeConfig
from drivers.rules.report import ReportConfig
from drivers.rules.units import Standing
from drivers.rules.value import ValueConfig
from drivers.rules.window import AggregateConfig
from drivers.sim.config import Config
from tests.unit.normalise.test_readme import examples, site_of

Option = tuple[str, str]  # class, key
KINDS: dict[str, Any] = {
    "devices": list[Config],
    "virtual": list[VirtualConfig],
    "calendars": dict[str, CalendarConfig],
    "factors": FactorsConfig,
}
SECTIONS: tuple[type[BaseModel], ...] = (
    *(AlarmConfig, DeviationConfig, RateConfig, CounterConfig, DemandConfig, EnergyConfig, WeighedConfig),
    *(LimitsConfig, OeeConfig, ReportConfig, Standing, ValueConfig, AggregateConfig, DerivedConfig, VirtualConfig),
    *(CalendarConfig, DaysConfig, PeriodConfig, FactorsConfig, FactorConfig, VersionConfig),
)
ELSEWHERE = {  # options of which nothing is seen in what comes out
    ("ValueConfig", "description"),
    ("FactorConfig", "note"),
    ("FactorConfig", "source"),
    ("VersionConfig", "source"),
    ("FactorsConfig", "file"),  # tests/unit/config/test_energy.py
    ("Standing", "place"),  # a part of topics: agent/northbound/mqtt/README.md
}


def said(node: Any, kind: Any, path: tuple[str | int, ...] = ()) -> Iterator[Option]:
    """What a file says, by the class that has the key; inherited keys belong to the class that defines them."""
    if isinstance(node, dict):
        for key, inner in node.items():
            for model in _models_at(kind, path):
                yield from ((owner.__name__, key) for owner in model.__mro__ if key in keys(owner))
            yield from said(inner, kind, (*path, key))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield from said(inner, kind, (*path, index))


def keys(model: type) -> list[str]:
    """The keys that a class itself defines, as the file spells them."""
    fields = model.model_fields if issubclass(model, BaseModel) else {}
    return [field.alias or name for name, field in fields.items() if name in vars(model).get("__annotations__", {})]


def test_each_option_has_an_example(tmp_path: Path) -> None:
    found: set[Option] = set()
    for file, _ in examples():
        site_of(file, tmp_path)
        text = (tmp_path / "site.yaml").read_bytes()
        root = read(text, "site.yaml", Report())
        for section, kind in KINDS.items():
            found |= set(said(root.get(section), kind))
    every = {(model.__name__, key) for model in SECTIONS for key in keys(model)}
    assert sorted(every - found - ELSEWHERE) == []
