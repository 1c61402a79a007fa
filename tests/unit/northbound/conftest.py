"""A fresh broker for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.mosquitto import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running
