"""The `energy:` of devices: each tag with its factor, that both are there, and that the one is counted in the other."""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Table
from pathlib import Path

from agent.config.derived import Owner, Tags, known_tags, owner_title, raws_of
from agent.config.explain import validate
from agent.config.factors import KINDS, FactorsConfig, Known, read_factors
from agent.config.problems import Mark, Scope
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.virtual import VirtualConfig
from agent.config.words import did_you_mean, shown
from agent.model.text import LONGEST_NAME, duration_text
from agent.normalise.calculated import Source
from agent.normalise.carbon import scale
from agent.normalise.counters.names import interval_name
from agent.normalise.factors import Factor, Weighed
from agent.normalise.local import Local
from agent.registry import DriverConfig, names_of
from drivers.rules.energy import WeighedConfig
from drivers.rules.value import ValueConfig

GRID = "grid"
UNITS = {"coal_equivalent": "kgce", "co2": "kg"}
SUFFIXES = {"coal_equivalent": "kgce", "co2": "co2"}


class Energy:
    """What the devices of a site ask to be weighed; all problems of it go to `scope`."""

    def __init__(
        self, root: Mapping, devices: Sequence[DriverConfig], virtual: Sequence[VirtualConfig], scope: Scope
    ) -> None:
        self._root, self._scope, self._devices, self._virtual = root, scope, devices, virtual
        self._owners: list[Owner] = [*devices, *virtual]
        self._known: dict[str, Tags] = {}
        self._values: dict[Source, ValueConfig] = {}
        self._taken: set[Source] = set()
        self._found: dict[Source, tuple[Weighed, ...]] = {}
        self._factors: Known = {}
        self._said = FactorsConfig()

    def weighed(self, raws: Sequence[Mapping], folder: Path, local: Local) -> Table[Source, tuple[Weighed, ...]]:
        """By the tags of which it is asked. `raws` is what the file says of the virtual devices."""
        raw = self._root.get("factors")
        asked = [owner for owner in self._owners if owner.energy is not None]
        if raw is None and not asked:
            return self._found
        mark = self._root.value_marks.get("factors", self._root.mark)
        raw = Mapping(mark) if raw is None else raw
        said = validate(FactorsConfig, raw, mark, self._scope.within("factors"))
        if said is None:
            return self._found
        self._said, self._factors = said, read_factors(said, raw, folder, local, self._scope)
        if said.grid and ("co2", f"{GRID}_{said.grid}") not in self._factors:
            grids = [name.removeprefix(f"{GRID}_") for _, name in self._factors if name.startswith(f"{GRID}_")]
            what = f"factors: there is no grid {shown(said.grid)}"
            self._scope.add(raw.value_marks["grid"], what, _near(said.grid, grids))
            return self._found
        if asked:
            self._known = known_tags(self._root, self._devices, self._virtual)
            self._values = {(owner.name, name): value for owner in self._owners for name, value in _values(owner)}
        for owner, of_owner in zip(self._owners, [*raws_of(self._root, self._devices), *raws], strict=True):
            if owner.energy is not None:
                self._of(owner, of_owner)
        return self._found

    def _of(self, owner: Owner, raw: Mapping) -> None:
        assert owner.energy is not None
        section = raw.get("energy")
        for kind in KINDS:
            listed = section.get(kind) if isinstance(section, Mapping) else None
            items: list[WeighedConfig] = getattr(owner.energy, kind)
            for index, item in enumerate(items):
                at = listed[index] if isinstance(listed, Raws) else Mapping(raw.mark)
                self._item(owner, kind, item, at, self._scope.within(f"{owner_title(owner)}, energy.{kind}[{index}]"))

    def _item(self, owner: Owner, kind: str, item: WeighedConfig, raw: Mapping, scope: Scope) -> None:
        factor = self._factor(kind, item.factor, raw.value_marks.get("factor", raw.mark), scope)
        mark = raw.value_marks.get("tag", raw.mark)
        device, slash, tag = item.tag.partition("/")
        device, tag = (device, tag) if slash else (owner.name, device)
        if device not in self._known:
            scope.add(mark, f"there is no device {shown(device)}", did_you_mean(device, self._known))
        elif not self._known[device].has(tag):
            scope.add(mark, f"there is no tag {shown(item.tag)}", did_you_mean(tag, self._known[device].names))
        elif factor is not None:
            self._add(owner, kind, item, (device, tag), factor, mark, scope)

    def _factor(self, kind: str, name: str, mark: Mark, scope: Scope) -> Factor | None:
        if name == GRID and kind == "co2":
            if not self._said.grid:
                scope.add(mark, "which grid is not said", "add `factors: {grid: cn-national}` to the file")
                return None
            name = f"{GRID}_{self._said.grid}"
        found = self._factors.get((kind, name))
        if found is None:
            names = [each for of, each in self._factors if of == kind]
            scope.add(mark, f"there is no factor {shown(name)}", _near(name, names))
        return found

    def _add(
        self, owner: Owner, kind: str, item: WeighedConfig, source: Source, factor: Factor, mark: Mark, scope: Scope
    ) -> None:
        value = self._values.get(source)
        if value is not None:
            unit = value.as_ or value.unit
            try:
                scale(unit, factor)
            except ValueError:
                said = f"its unit is {unit}" if unit else "it has no unit"
                what = f"{shown(item.tag)}: {said}, and {factor.name} is per {factor.per}"
                scope.add(mark, what, "say the `unit` of the tag, or take another factor")
                return
        names = [source[1]] if value is None or value.kind != "counter" else list(_intervals(source[1], value))
        if not names:
            hint = "add `counter: {intervals: 15m}` to it: what an interval holds is weighed by the factor of its time"
            scope.add(mark, f"{shown(item.tag)} is a counter, and nothing says for which intervals", hint)
        for name in names:
            whole = item.name if item.name and len(names) == 1 else f"{item.name or name}_{SUFFIXES[kind]}"
            if item.name and len(names) > 1:
                whole = f"{item.name}{name.removeprefix(source[1])}"
            both = {(owner.name, whole), (owner.name, f"{whole}_factor")}
            if len(whole) + len("_factor") > LONGEST_NAME or both & self._taken:
                scope.add(mark, f"{shown(whole)}: the name is taken, or too long", "give it another `name`")
                continue
            self._taken |= both
            if getattr(owner, "enabled", True):
                key = source[0], name
                self._found[key] = (*self._found.get(key, ()), Weighed(owner.name, whole, UNITS[kind], factor))


def _values(owner: Owner) -> Iterator[tuple[str, ValueConfig]]:
    for tag in getattr(owner, "tags", ()):
        for name in names_of(tag):
            yield name, tag
    yield from owner.derived.items()


def _intervals(tag: str, value: ValueConfig) -> Iterator[str]:
    for every in value.counter.intervals if value.counter else ():
        yield interval_name(tag, duration_text(every))


def _near(name: str, names: Sequence[str]) -> str:
    return did_you_mean(name, names) or "configs/factors.yaml has those that there are"
