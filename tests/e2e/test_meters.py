"""Energy over kills: what the platform has of each interval is what the meter itself has counted."""

from collections import defaultdict
from pathlib import Path

from tests.e2e.site import Agent, Platform
from tests.e2e.test_nothing_lost import kill_and_start
from tests.lengths import often
from tests.sim.fixtures import libmodbus_server
from tests.sim.mosquitto import Mosquitto, wait_until

SITE = """\
gateway: {{id: gw-e2e, timezone: Asia/Shanghai}}
devices:
  - name: meter
    driver: modbus
    endpoint: tcp://127.0.0.1:{modbus}
    interval: 50ms
    report: {{when: period, period: 1h}}
    tags:
      - name: answers
        address: 1000
        type: uint32
        unit: kWh
        as: Wh
        kind: counter
        counter: {{intervals: [1s, 5s], demand: 5s, max_rate: 1e12}}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
buffer: {{keep: 1d, reserve: 1MB, commit: 200ms}}
"""


def test_no_interval_is_told_twice_or_lost_over_kills_at_random(tmp_path: Path) -> None:
    with (
        libmodbus_server() as modbus,
        Mosquitto(tmp_path / "broker", persistence=True) as broker,
        Platform(broker.port) as platform,
        Agent(tmp_path, SITE.format(modbus=modbus, broker=broker.port)) as agent,
    ):
        wait_until(lambda: len(platform.taken()) > 20, "first frames")
        kill_and_start(agent, times=often(3, 15))
        agent.ready()
        before = len(platform.taken())
        wait_until(lambda: len(platform.taken()) > before + 60, "frames after the last kill", 30)
        assert agent.stop() == 0
        wait_until(lambda: all(account["buffered"] == 0 for account in agent.ledger()), "the last frames", 30)

    values: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for frame in sorted(platform.frames.values(), key=lambda each: each["ts"]):
        for name, value in frame["values"].items():
            values[name].append((frame["ts"], value))
    totals, seconds, fives = values["answers_total"], values["answers_1s"], values["answers_5s"]
    assert [value for _, value in totals] == sorted(value for _, value in totals)
    first, last = seconds[0][0], seconds[-1][0]
    assert [ts for ts, _ in seconds] == list(range(first, last + 1, 1000)), "each second, and each once"
    at_the_end = max(value for ts, value in totals if ts < last), min(value for ts, value in totals if ts > last)
    assert at_the_end[0] <= totals[0][1] + sum(value for _, value in seconds) <= at_the_end[1]
    for ts, value in fives[1:]:
        assert value == sum(each for at, each in seconds if ts - 5000 < at <= ts)
    assert values["answers_demand_5s"][1:] == [(ts, value * 720) for ts, value in fives[1:]]
    assert all(value % 1000 == 0 for _, value in totals), "the kWh that the meter has, in Wh"
