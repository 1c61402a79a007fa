"""What a wire has to do is known before it is laid."""

from typing import Any

import pytest

from drivers.api import LineConfig
from drivers.modbus.budget import NETWORK, RESPONSE, budget
from drivers.modbus.config import Config

RTU = "rtu:///dev/ttyUSB0?baud=9600"
CHAR = 10 / 9600  # seconds: start, 8 data, stop


def device(name: str = "d", endpoint: str = RTU, count: int = 10, **more: Any) -> Config:
    tags = [{"name": f"t{address}", "address": address} for address in range(count)]
    return Config.model_validate({"name": name, "driver": "modbus", "endpoint": endpoint, "tags": tags, **more})


def seconds(config: Config, **line: Any) -> float:
    """Of the one scan of a device."""
    (found,) = budget(LineConfig(endpoint=config.endpoint, **line), [config])
    (cost,) = found.costs
    return cost.seconds


def test_ten_registers_at_9600_baud() -> None:
    """8 bytes there, 25 back, and 3.5 characters of silence around each."""
    assert seconds(device()) == pytest.approx((8 + 25 + 7) * CHAR + RESPONSE["rtu"])


def test_parity_and_stop_bits_take_time() -> None:
    assert seconds(device(endpoint=f"{RTU}&parity=E&stop=2")) == pytest.approx(40 * 12 / 9600 + RESPONSE["rtu"])


def test_each_request_has_its_own_overhead() -> None:
    one, five = seconds(device(count=10)), seconds(device(count=10, max_registers=2))
    assert five == pytest.approx(one + 4 * (20 * CHAR + RESPONSE["rtu"]))


def test_coils_take_a_bit_each() -> None:
    tags = [{"name": f"c{address}", "register": "coil", "address": address} for address in range(32)]
    assert seconds(device(tags=tags)) == pytest.approx((8 + 5 + 4 + 7) * CHAR + RESPONSE["rtu"])
    assert seconds(device(tags=tags[:1])) == pytest.approx((8 + 5 + 1 + 7) * CHAR + RESPONSE["rtu"])


@pytest.mark.parametrize(
    "pauses", [({"pause": "30ms"}, {}), ({}, {"pause": "30ms"}), ({"pause": "10ms"}, {"pause": "30ms"})]
)
def test_the_larger_pause_counts(pauses: tuple[dict[str, Any], dict[str, Any]]) -> None:
    of_device, of_line = pauses
    assert seconds(device(**of_device), **of_line) == pytest.approx(seconds(device()) + 0.03)


def test_a_network_takes_only_the_answer() -> None:
    assert seconds(device(endpoint="tcp://h", max_registers=5)) == pytest.approx(2 * NETWORK)


def test_each_group_has_its_cost_and_its_interval() -> None:
    tags = [{"name": "a", "address": 0}, {"name": "b", "address": 1, "group": "slow"}]
    (found,) = budget(LineConfig(endpoint=RTU), [device(tags=tags, groups={"slow": {"interval": "10s"}})])
    assert [(cost.device, cost.group, cost.interval) for cost in found.costs] == [("d", "1s", 1.0), ("d", "slow", 10.0)]


def test_a_faster_baud_is_a_remedy_with_the_share_that_it_leaves() -> None:
    (found,) = budget(LineConfig(endpoint=RTU), [device()])
    (at, share), *rest = found.remedies
    assert at == "baud=19200"
    assert share == pytest.approx(seconds(device(endpoint=RTU.replace("9600", "19200"))))
    assert [what for what, _ in rest] == ["baud=38400", "baud=57600", "baud=115200"]
    assert not budget(LineConfig(endpoint=RTU), [device(endpoint=RTU.replace("9600", "115200"))])[0].remedies


def test_connections_share_the_devices() -> None:
    """As the driver spreads them, and one more is a remedy."""
    devices = [device(f"d{number}", endpoint="tcp://h") for number in range(5)]
    found = budget(LineConfig(endpoint="tcp://h", connections=2), devices)
    assert [each.wire for each in found] == ["tcp://h", "tcp://h #2"]
    assert [[cost.device for cost in each.costs] for each in found] == [["d0", "d2", "d4"], ["d1", "d3"]]


def test_devices_that_dial_in_have_a_wire_each() -> None:
    ends = ["listen://:8899?id=a", "listen://:8899?id=b", "listen://:8899?id=a"]
    devices = [device(f"d{number}", endpoint=end) for number, end in enumerate(ends)]
    found = budget(LineConfig(endpoint="listen://:8899"), devices)
    assert [[cost.device for cost in each.costs] for each in found] == [["d0", "d2"], ["d1"]]
    assert found[1].costs[0].seconds == pytest.approx(RESPONSE["listen"])
