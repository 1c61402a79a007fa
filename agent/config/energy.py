"""The `energy:` of devices: each tag with its factor, that both are there, and that the one is counted in the other."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from pathlib import Path

from agent.config.derived import owner_title
from agent.config.dtypes import dtype_of
from agent.config.explain import validate
from agent.config.factors import GRID, KINDS, FactorsConfig, read_factors
from agent.config.factors import Known as Factors
from agent.config.files import Files
from agent.config.known import Known, weighed_names
from agent.config.lists import in_file
from agent.config.problems import Mark, Scope
from agent.config.recipes import Owner, source_of
from agent.config.tree import Mapping
from agent.config.tree import Sequence as Raws
from agent.config.words import did_you_mean, shown
from agent.model.text import LONGEST_NAME
from agent.normalise.calculated import Source
from agent.normalise.carbon import scale
from agent.normalise.factors import Factor, Weighed
from agent.normalise.local import Local
from drivers.rules.energy import WeighedConfig

UNITS = {"coal_equivalent": "kgce", "co2": "kg"}


class Energy:
    """What the devices of a site ask to be weighed; all problems of it go to `scope`."""

    def __init__(self, root: Mapping, pairs: Sequence[tuple[Owner, Mapping]], known: Known, scope: Scope) -> None:
        self._root, self._scope, self._pairs, self._known = root, scope, pairs, known
        self._taken: set[Source] = set()
        self._found: dict[Source, tuple[Weighed, ...]] = {}
        self._factors: Factors = {}
        self._said = FactorsConfig()

    def weighed(self, folder: Path, local: Local, files: Files) -> Table[Source, tuple[Weighed, ...]]:
        """By the tags of which it is asked."""
        raw = self._root.get("factors")
        asked = [(owner, of) for owner, of in self._pairs if owner.energy is not None]
        if raw is None and not asked:
            return self._found
        mark = self._root.value_marks.get("factors", self._root.mark)
        raw = Mapping(mark) if raw is None else raw
        said = validate(FactorsConfig, raw, mark, self._scope.within("factors"))
        if said is None:
            return self._found
        self._said, self._factors = said, read_factors(said, raw, folder, local, files, self._scope)
        if said.grid and self._factors and ("co2", f"{GRID}_{said.grid}") not in self._factors:
            grids = [name.removeprefix(f"{GRID}_") for _, name in self._factors if name.startswith(f"{GRID}_")]
            what = f"factors: there is no grid {shown(said.grid)}"
            self._scope.add(raw.value_marks["grid"], what, _near(said.grid, grids))
            return self._found
        for owner, of_owner in asked if self._factors else ():
            self._of(owner, of_owner)
        return self._found

    def _of(self, owner: Owner, raw: Mapping) -> None:
        assert owner.energy is not None
        section = raw.get("energy")
        scope = in_file(owner_title(owner), raw.mark.file, self._scope)
        for kind in KINDS:
            listed = section.get(kind) if isinstance(section, Mapping) else None
            items: list[WeighedConfig] = getattr(owner.energy, kind)
            for index, item in enumerate(items):
                if scope.full:
                    return
                at = listed[index] if isinstance(listed, Raws) else Mapping(raw.mark)
                self._item(owner, kind, item, at, scope.within(f"energy.{kind}[{index}]"))

    def _item(self, owner: Owner, kind: str, item: WeighedConfig, raw: Mapping, scope: Scope) -> None:
        factor = self._factor(kind, item.factor, raw.value_marks.get("factor", raw.mark), scope)
        mark = raw.value_marks.get("tag", raw.mark)
        device, tag = source_of(item.tag, owner.name)
        if device not in self._known:
            scope.add(mark, f"there is no device {shown(device)}", did_you_mean(device, self._known))
        elif not self._known[device].has(tag):
            scope.add(mark, *self._known[device].missing(tag))
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
        value = self._known.value(source)
        if value is not None:
            if dtype_of(value) in ("str", "bool"):
                return scope.add(mark, f"{shown(item.tag)} is no number", "only numbers can be weighed")
            unit = value.as_ or value.unit
            try:
                scale(unit, factor)
            except ValueError:
                said = f"its unit is {unit}" if unit else "it has no unit"
                what = f"{shown(item.tag)}: {said}, and {factor.name} is per {factor.per}"
                return scope.add(mark, what, "say the `unit` of the tag, or take another factor")
        names = list(weighed_names(kind, item, source[1], value))
        if not names:
            hint = "add `counter: {intervals: 15m}` to it: what an interval holds is weighed by the factor of its time"
            scope.add(mark, f"{shown(item.tag)} is a counter, and nothing says for which intervals", hint)
        for name, whole in names:
            both = {(owner.name, whole), (owner.name, f"{whole}_factor")}
            if len(whole) + len("_factor") > LONGEST_NAME or both & self._taken:
                scope.add(mark, f"{shown(whole)}: the name is taken, or too long", "give it another `name`")
                continue
            self._taken |= both
            if getattr(owner, "enabled", True):
                key = source[0], name
                self._found[key] = (*self._found.get(key, ()), Weighed(owner.name, whole, UNITS[kind], factor))
        return None


def _near(name: str, names: Sequence[str]) -> str:
    return did_you_mean(name, names) or "configs/factors.yaml has those that there are"
