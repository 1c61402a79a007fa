"""A fresh broker, or HTTP platform, for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.http_platform import HttpPlatform
from tests.sim.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def platform() -> Iterator[HttpPlatform]:
    with HttpPlatform() as running:
        yield running
