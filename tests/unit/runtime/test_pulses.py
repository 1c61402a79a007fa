"""Who of a running agent has a pulse, for how long each is waited for, and that it goes with what it is a pulse of."""

from pathlib import Path

from tests.unit.runtime.applying import device, plain, plant, tag

NOBODY = "tcp://127.0.0.1:1"
OPCUA = {"driver": "opcua", "endpoint": "opc.tcp://127.0.0.1:1"}


async def test_patience_follows_what_a_part_may_rightly_take(tmp_path: Path) -> None:
    press = {"name": "press", **OPCUA, "tags": [{"name": "a", "node": "ns=2;s=a"}]}
    said = plain(
        tmp_path,
        device("own", "tcp://127.0.0.1:2", tag("a", 1), timeout="30s"),
        device("slow", NOBODY, tag("b", 1), pause="30s"),
        press,
    )
    said["lines"] = [{"endpoint": NOBODY, "timeout": "60s", "connect_delay": "5s", "pause": "10s"}]
    said["sinks"].append({"name": "far", "type": "http", "url": "http://127.0.0.1:1/", "timeout": "30s"})
    async with plant(tmp_path, said) as agent:
        patience = {key: pulse.patience for key, pulse in agent.health.pulses.items()}
        assert patience == {
            ("store", "store.db"): 300.0,
            ("store", "disk"): 3600.0,
            ("store", "commits"): 300.0,
            ("line", "tcp://127.0.0.1:2"): 20 * 30.0,
            ("line", "tcp://127.0.0.1:1"): 20 * (60.0 + 30) + 5,
            ("device", "press"): 900.0,
            ("sink", "out"): 300.0,
            ("sink", "far"): 600.0,
        }


async def test_what_is_no_more_has_none(tmp_path: Path) -> None:
    said = plain(tmp_path, device("quick", NOBODY, tag("a", 1)))
    more = plain(tmp_path, device("quick", NOBODY, tag("a", 1)), device("late", "tcp://127.0.0.1:2", tag("b", 1)))
    more["sinks"].append({"name": "far", "type": "http", "url": "http://127.0.0.1:1/"})
    async with plant(tmp_path, said) as agent:
        before = dict(agent.health.pulses)
        await agent.apply(more)
        assert agent.health.pulses.keys() - before.keys() == {("line", "tcp://127.0.0.1:2"), ("sink", "far")}
        await agent.apply(said)
        assert agent.health.pulses == before
