"""An agent, a broker and a platform in the network namespace of this process, whose packets get lost.

    python in_a_net.py FOLDER WHAT SECONDS

WHAT: `loss`: a fifth of them for so many seconds, both ways; `hole`: all of them, until it is noticed.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.site import Agent, Platform
from tests.faults.plant import Lines, healthy, not_arrived, of, settled, site, unbalanced
from tests.faults.rows.broker import caught_up, missing, sink
from tests.sim.mosquitto import Mosquitto, wait_until

_FAR = "10.77.0.1"  # the broker's address as the agent knows it
_RULES = """
table inet fault {{
  counter gone {{ }}
  chain input {{ type filter hook input priority 0; ip daddr {far} {what} counter name gone drop; }}
  chain output {{ type filter hook output priority 0; ip saddr {far} {what} counter name gone drop; }}
}}
"""


def nft(*arguments: str, rules: str = "") -> str:
    return subprocess.run(["nft", *arguments], input=rules, check=True, capture_output=True, text=True).stdout


def lose(what: str) -> None:
    nft("-f", "-", rules=_RULES.format(far=_FAR, what=what))


def lost_packets() -> int:
    """How many were dropped; and none will be from now on."""
    table = json.loads(nft("-j", "list", "counters"))["nftables"]
    nft("flush", "ruleset")
    return int(next(entry["counter"]["packets"] for entry in table if "counter" in entry))


def main(folder: Path, what: str, seconds: float) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{_FAR}/32", "dev", "lo"], check=True)
    lines, noticed = Lines(folder), 0.0
    with Mosquitto(folder / "broker", address="0.0.0.0") as broker, Platform(broker.port) as platform:
        north = sink(broker.port, ", backfill: {rate: unlimited}").replace("127.0.0.1", _FAR)
        with Agent(folder, site(folder, more=north)) as agent:
            agent.ready()
            wait_until(lambda: healthy(agent, "platform"), "the sink to be up", 30)
            time.sleep(2)
            if what == "loss":
                lose("numgen random mod 100 < 20")
                time.sleep(seconds)
            else:
                lose("")
                began = time.monotonic()
                wait_until(lambda: not healthy(agent, "platform"), "the sink to be down", 60)
                noticed = time.monotonic() - began
            dropped = lost_packets()
            caught_up(agent)
            accounts = settled(agent)
            wait_until(lambda: not missing(accounts, platform), "the last frames", 10)
    said = {"lost": missing(accounts, platform) + abs(not_arrived(accounts, lines.read())), "dropped": dropped}
    said |= {"conflicts": platform.conflicts, "unbalanced": unbalanced(accounts), "noticed": noticed}
    print(json.dumps({**said, "read": of(accounts, "platform", "read")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
