"""What holds for all tests."""

import os

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-xdist 3.8 tells groups by a suffix of `_nodeid`, which pytest 9.2 does not look at: there would be none.

    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """
    for item in items:
        named = getattr(item, "_nodeid", item.nodeid)
        if named != item.nodeid:
            item._id = type(item.id).parse(named)
