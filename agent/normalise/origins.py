"""Of what a tag that is made here is made: for a person who asks why there is nothing of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.normalise.alarms.rule import GROUP as ALARM
from agent.normalise.calculated import Source
from agent.normalise.made import Names
from agent.normalise.oee import TAGS as OF_SHIFTS
from agent.normalise.rules import Recipes, Rules


@dataclass(frozen=True, slots=True)
class Origin:
    """`how` it is made, in words, and of which tags."""

    how: str
    sources: tuple[Source, ...]


def origin(recipes: Recipes, device: str, tag: str, found: Mapping[str, Rules]) -> Origin | None:
    """None for a tag that nothing here makes. `found` are the rules of tags that the recipes do not know."""
    for each in recipes.derived:
        for derived in each.tags if each.device == device else ():
            if derived.tag.name == tag:
                return Origin(f"the formula {derived.formula}", tuple(source for _, source in derived.inputs))
    names = Names(recipes.calendars)
    known = {name: rules for (owner, name), rules in recipes.tags.items() if owner == device}
    for name, rules in (known | dict(found)).items():
        for group, made in names.made(name, rules):
            if made == tag:
                others = [each.other for each in rules.alarms if each.other] if group == ALARM else []
                return Origin(f"the group {group} of {name}", tuple((device, of) for of in (name, *others)))
    for source, weighed in recipes.weighed.items():
        for by in weighed:
            if by.device == device and tag in (by.name, f"{by.name}_factor"):
                return Origin("a tag times a factor", (source,))
    return _of_shift(recipes, device, tag)


def _of_shift(recipes: Recipes, device: str, tag: str) -> Origin | None:
    oee = recipes.oee.get(device)
    if oee is None or tag not in {each.name for each in OF_SHIFTS}:
        return None
    return Origin("the shifts of its `oee`", tuple(oee.source(name, device) for name in (oee.state, *oee.counters)))


def first(sources: Sequence[Source], is_well: Mapping[Source, bool]) -> Source | None:
    """The source that is to be looked at: the first that is not well, or else the first."""
    return next((each for each in sources if not is_well.get(each, True)), sources[0] if sources else None)
