"""What holds for all tests."""

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.lengths import often

# Two test processes share two cores with brokers and servers: how long an example takes says nothing.
settings.register_profile(
    "house", max_examples=often(40, 200), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

os.environ["FLOORGATE_LANG"] = "en"  # whoever runs the tests may speak another language
os.environ["PATH"] += f"{os.pathsep}/usr/sbin"  # where Debian puts mosquitto


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: to look for garbage in it, now or later, would take a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _shared(item: pytest.Item) -> str:
    """The fixture that it shares with other tests, by its place and name; of several one that a folder shares."""
    known = getattr(item, "_fixtureinfo", None)
    found = [definitions[-1] for definitions in known.name2fixturedefs.values()] if known else []
    ours = [each for each in found if each.scope != "function" and each.baseid.startswith("tests")]
    names = sorted(f"{each.baseid}:{each.argname}" for each in ours)
    return min(names, default="", key=lambda name: ".py" in name)


class Together:
    """Tests that share a fixture run in one process, so that their server is started once and not four times."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            name = _shared(item)
            if name and item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(name))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Together())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist 3.8 tells groups by a suffix of `_nodeid`, which pytest 9.2 does not look at: there would be none.

    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    for item in items:
        named = getattr(item, "_nodeid", item.nodeid)
        if named != item.nodeid:
            item._id = type(item.id).parse(named)
