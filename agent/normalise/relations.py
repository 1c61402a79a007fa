"""Whose tags feed what is worked out elsewhere: what has to be joined anew when a device is made anew."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from agent.normalise.calculated import Calculated
from agent.normalise.rules import Recipes


def sources(recipes: Recipes) -> Mapping[str, set[str]]:
    """By the device that something is made for: the devices whose tags it is made of, itself perhaps among them."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in recipes.derived:
        found[each.device] |= _inputs(each)
    for (device, _), weighed in recipes.weighed.items():
        for one in weighed:
            found[one.device].add(device)
    for device, asked in recipes.oee.items():
        found[device] |= {asked.source(name, device)[0] for name in (asked.state, *asked.counters)}
    return found


def joined(before: Recipes, after: Recipes, fresh: Collection[str]) -> set[str]:
    """The devices that stay as they are while what their tags feed is made anew for the `fresh` ones.

    All formulas of a site have an order, so that those which use others come last: with one of them it may be another.
    """
    found: set[str] = set()
    for recipes in (before, after):
        known = sources(recipes)
        found |= {source for device in fresh for source in known.get(device, ())}
    if derives(before, fresh) or derives(after, fresh):
        found = found.union(*map(_inputs, after.derived))
    return found - set(fresh)


def derives(recipes: Recipes, devices: Collection[str]) -> bool:
    """Whether any of these devices has a formula."""
    return any(each.device in devices for each in recipes.derived)


def _inputs(asked: Calculated) -> set[str]:
    return {device for tag in asked.tags for _, (device, _) in tag.inputs}
