"""The `factors:` section and the file that it names: numbers with a source and a time in which they hold."""

from collections.abc import Mapping as Table
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from agent.config.calendars import day_of
from agent.config.explain import validate
from agent.config.files import Files, Unreadable, configs_dir
from agent.config.problems import Mark, Scope
from agent.config.reader import read
from agent.config.tree import Mapping
from agent.config.words import shown
from agent.model.unit_hints import hint
from agent.model.units import conversion, parse
from agent.normalise.factors import ALWAYS, Factor, Version
from agent.normalise.local import Local, begins
from agent.registry import Name, Section

MAX_FILE = 1 << 20
KINDS = ("coal_equivalent", "co2")
GRID = "grid"  # the factor of CO2 that a site names


def _date(value: Any) -> Any:
    try:
        return day_of(value)
    except (TypeError, ValueError):
        raise ValueError(f"{shown(value)} is no date: write 2021-04-01") from None


Date = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})]
Year = Annotated[str, Field(pattern=r"^(19|20|21)\d{2}$")]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class VersionConfig(Section):
    """A number and the time in which it holds."""

    version: str = Field(min_length=1, max_length=64, description="what it is called, such as a standard or a year")
    value: Amount = Field(description="per `per` of the factor")
    from_: Date | None = Field(None, alias="from", description="its first day; without it it holds since ever")
    until: Date | None = Field(
        None, description="the first day on which it holds no longer; the next `from` unless told"
    )
    source: str = Field("", max_length=512, description="where the number comes from")


class FactorConfig(Section):
    """A factor with its versions, or with a number for each year."""

    per: str = Field(description="the unit of what is counted, such as kWh")
    also: dict[str, Annotated[Amount, Field(gt=0)]] = Field(
        {}, max_length=8, description="other units, and how many of `per` one of them is"
    )
    source: str = Field("", max_length=512, description="where the numbers come from")
    note: str = Field("", max_length=512, description="for people")
    years: dict[Year, Amount] = Field({}, max_length=100, description="the number for each year")
    versions: list[VersionConfig] = Field([], max_length=100, description="numbers with their time")

    @model_validator(mode="after")
    def _has_numbers(self) -> "FactorConfig":
        if bool(self.years) == bool(self.versions):
            raise ValueError("it needs `years` or `versions`, one of the two")
        return self


Factors = Annotated[dict[Name, FactorConfig], Field(max_length=1000)]


class FactorFile(Section):
    """All factors by what they make of a tag."""

    version: str = Field(max_length=64, description="of the file")
    coal_equivalent: Factors = Field({}, description="kgce")
    co2: Factors = Field({}, description="kg of CO2")


class FactorsConfig(Section):
    """Which factors hold for the site."""

    file: str = Field("", description="a file of factors; without one configs/factors.yaml")
    grid: str = Field("", description="what `grid` stands for: cn-national, cn-east, …")
    coal_equivalent: Factors = Field(
        {}, description="factors of the site's own, or in place of those of the file: kgce"
    )
    co2: Factors = Field({}, description="the same: kg of CO2")


Known = Table[tuple[str, str], Factor]  # by kind and name


class _Span(NamedTuple):
    first: date
    until: date | None
    name: str
    value: float
    mark: Mark


def read_factors(said: FactorsConfig, raw: Mapping, folder: Path, local: Local, files: Files, scope: Scope) -> Known:
    """All factors that are right; the problems of the others go to `scope`."""
    mark = raw.value_marks.get("file", raw.mark)
    path = folder / said.file if said.file else configs_dir() / "factors.yaml"
    found: dict[tuple[str, str], Factor] = {}
    try:
        data = files.read(path, MAX_FILE)
    except Unreadable as error:
        scope.add(mark, f"factors: file: {shown(said.file)}: {error.args[0]}", error.hint)
        return found
    root = read(data, str(path), scope.report)
    whole = Scope(scope.report)
    if isinstance(root, Mapping):
        file = validate(FactorFile, root, root.mark, whole)
        if file is not None:
            _add(file, root, found, local, whole)
    elif root is not None:
        whole.add(Mark(str(path), 1, 1), "a file of factors is a mapping with `coal_equivalent` and `co2`")
    _add(said, raw, found, local, scope.within("factors"))
    return found


def _add(
    said: FactorFile | FactorsConfig, raw: Mapping, found: dict[tuple[str, str], Factor], local: Local, scope: Scope
) -> None:
    for kind in KINDS:
        factors: Table[str, FactorConfig] = getattr(said, kind)
        for name, factor in factors.items():
            at = raw[kind][name]
            inner = scope.within(f"{kind}.{name}")
            if kind == "co2" and name == GRID:
                inner.add(
                    raw[kind].key_marks[name], "`grid` stands for the one that `factors: {grid: …}` names", "rename"
                )
            _check_unit("per", factor.per, at.value_marks["per"], inner)
            for other in factor.also:
                _check_other(factor.per, other, at["also"].key_marks[other], inner)
            versions = _versions(factor, at, local, inner)
            found[kind, name] = Factor(name, factor.per, versions, tuple(factor.also.items()))


def _check_unit(key: str, unit: str, mark: Mark, scope: Scope) -> bool:
    try:
        parse(unit)
    except ValueError as error:
        scope.add(mark, f"{key}: {error}", hint(unit))
        return False
    return True


def _check_other(per: str, other: str, mark: Mark, scope: Scope) -> None:
    """What can be converted is, so another number for it would never be looked at."""
    try:
        if _check_unit("also", other, mark, scope):
            conversion(other, per)
            scope.add(mark, f"also: {shown(other)} is converted to {shown(per)} anyway", "leave it out")
    except ValueError:
        return


def _versions(factor: FactorConfig, raw: Mapping, local: Local, scope: Scope) -> tuple[Version, ...]:
    """In the order of their time."""
    spans: list[_Span] = [
        _Span(date(int(year), 1, 1), date(int(year) + 1, 1, 1), year, value, raw["years"].value_marks[year])
        for year, value in sorted(factor.years.items())
    ]
    spans += sorted(
        (
            _Span(each.from_ or date.min, each.until, each.version, each.value, mark)
            for each, mark in zip(factor.versions, raw["versions"].item_marks if factor.versions else (), strict=True)
        ),
        key=lambda span: span.first,
    )
    for one, other in pairwise(spans):
        if one.first == other.first:
            what = f"{shown(one.name)} and {shown(other.name)} begin on the same day"
            scope.add(max(one.mark, other.mark), what, "keep one of the two")
    names = [span.name for span in spans]
    for place, span in enumerate(spans):
        if span.name in names[:place]:
            scope.add(span.mark, f"two versions are called {shown(span.name)}", "values say by which they were made")
    found: list[Version] = []
    for span, following in zip(spans, [*(each.first for each in spans[1:]), None], strict=True):
        until = span.until
        if until is not None and (until <= span.first or (following is not None and until > following)):
            scope.add(span.mark, f"{shown(span.name)} ends before it begins, or after the next has begun")
        end = until or following
        found.append(Version(span.name, span.value, _ns(span.first, local), _ns(end, local) if end else None))
    return tuple(found)


def _ns(on: date, local: Local) -> int:
    return ALWAYS if on == date.min else begins(on, timedelta(0), local.zone)
