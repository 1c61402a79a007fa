"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

from tests.lengths import often

# Two test processes share two cores with brokers and servers: how long an example takes says nothing.
settings.register_profile(
    "house", max_examples=often(40, 200), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

os.environ["PATH"] += f"{os.pathsep}/usr/sbin"  # where Debian puts mosquitto
