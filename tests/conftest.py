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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist 3.8 tells groups by a suffix of `_nodeid`, which pytest 9.2 does not look at: there would be none.

    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    for item in items:
        named = getattr(item, "_nodeid", item.nodeid)
        if named != item.nodeid:
            item._id = type(item.id).parse(named)
