"""An alarm reaches the platform before everything else of its commit, and once, whoever is killed meanwhile."""

import time
from pathlib import Path
from typing import Any

from tests.e2e.site import Agent, Platform
from tests.sim.mosquitto import Mosquitto, wait_until

SITE = """\
gateway: {{id: gw-alarms}}
devices:
  - name: oven
    driver: sim
    interval: 100ms
    tags:
      - {{name: oil, wave: constant, low: 90, unit: Cel, alarms: {{h: 80, severity: urgent, text: oil is hot}}}}
      - {{name: door, wave: square, period: 2s, alarms: {{state: true, chatter: 600}}}}
sinks:
  - {{name: platform, type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}
buffer: {{reserve: 1MB, commit: 2s}}
log: {{format: json}}
"""


def alarms(platform: Platform, name: str) -> list[tuple[int, dict[str, Any]]]:
    """The frames that tell of it, in the order in which they were made."""
    frames = sorted(platform.taken().values(), key=lambda frame: (frame["ts"], frame["seq"]))
    return [(frame["seq"], frame) for frame in frames if frame["group"] == "alarm" and name in frame["values"]]


def test_an_alarm_goes_first_and_survives_a_kill_and_is_told_once(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path / "broker", persistence=True) as broker,
        Platform(broker.port) as platform,
        Agent(tmp_path, SITE.format(broker=broker.port)) as agent,
    ):
        agent.ready()
        wait_until(lambda: alarms(platform, "oil_h"), "the alarm")
        broker.stop()
        changes = len(agent.ask("/api/v1/alarms?all=1")["alarms"])
        seen = _since(agent, "door_state")
        wait_until(lambda: _since(agent, "door_state") != seen, "an alarm that the platform does not get")
        time.sleep(0.1)  # an alarm is on the disk at once, while what else was read may wait for two seconds
        agent.kill()
        broker.start()
        agent.start()
        agent.ready()
        before = len(alarms(platform, "door_state"))
        wait_until(lambda: len(alarms(platform, "door_state")) >= before + 4, "alarms after the restart")
        shelved = agent.command("alarms", "shelve", "oven", "oil_h", "--for", "1h")
        assert (shelved.returncode, changes) == (0, 2), shelved.stderr
        wait_until(lambda: len(alarms(platform, "oil_h")) > 1, "that it is shelved")
        assert agent.stop() == 0
        wait_until(lambda: not platform.gaps(), "what had waited")

    assert platform.conflicts == 0
    (_, raised), (_, off) = alarms(platform, "oil_h")
    assert raised["values"] == raised["values"] | {"oil_h": True, "oil_h_state": "active", "oil_h_severity": 1000}
    assert (raised["values"]["oil_h_value"], raised["values"]["oil_h_text"]) == (90.0, "oil is hot")
    assert (off["values"]["oil_h"], off["values"]["oil_h_state"]) == (False, "shelved")
    told = [frame["values"]["door_state"] for _, frame in alarms(platform, "door_state")]
    assert told == [told[0] ^ bool(at % 2) for at in range(len(told))], "each coming and going is told once"
    _are_before_what_was_read(platform)


def _since(agent: Agent, name: str) -> Any:
    return next(each["since"] for each in agent.ask("/api/v1/alarms?all=1")["alarms"] if each["name"] == name)


def _are_before_what_was_read(platform: Platform) -> None:
    """The frame of a scan comes with its alarms, but after them: by its number, and at the platform."""
    arrived = [(frame["epoch"], frame["seq"]) for _, frame in platform.arrivals if not frame["history"]]
    read = {(f["epoch"], f["ts"]): f for f in platform.frames.values() if f["group"] == "100ms"}
    both = [
        (f, read[f["epoch"], f["ts"]])
        for f in platform.frames.values()
        if f["group"] == "alarm" and (f["epoch"], f["ts"]) in read
    ]
    assert len(both) >= 4
    for alarm, scan in both:
        assert alarm["seq"] < scan["seq"]
        keys = [(each["epoch"], each["seq"]) for each in (alarm, scan)]
        if all(key in arrived for key in keys):
            assert arrived.index(keys[0]) < arrived.index(keys[1])
