"""Kills, stops, frozen and restarted brokers, with two sinks: the accounts agree to the last sample."""

import os
import random
import signal
import time
from collections.abc import Callable

from tests.e2e.site import Agent, Platform
from tests.faults.plant import Lines, not_arrived, settled, site, unbalanced
from tests.faults.rows.broker import caught_up, missing, sink
from tests.faults.table import Seen, row
from tests.sim.mosquitto import Mosquitto, wait_until


class Mischief:
    """What may happen to an agent and its broker; each leaves both running."""

    def __init__(self, agent: Agent, broker: Mosquitto, dice: random.Random) -> None:
        self.agent, self.broker, self.dice = agent, broker, dice
        self.unbalanced = 0
        self.all: list[Callable[[], None]] = [self.kill, self.kill, self.end, self.freeze, self.restart, self.hold]
        self.all += [self.ask, self.ask_at_rest]

    def kill(self) -> None:
        self.agent.kill()
        self.agent.start()

    def end(self) -> None:
        self.agent.stop()
        self.agent.start()

    def freeze(self) -> None:
        with self.broker.frozen():
            time.sleep(self.dice.uniform(0.2, 4))

    def restart(self) -> None:
        self.broker.restart(self.dice.uniform(0, 4))

    def hold(self) -> None:
        os.kill(self.agent.pid, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.1, 2))
        os.kill(self.agent.pid, signal.SIGCONT)

    def ask(self) -> None:
        self.agent.ready()
        self.unbalanced += unbalanced(self.agent.ledger())

    def ask_at_rest(self) -> None:
        self.agent.kill()
        self.unbalanced += unbalanced(self.agent.ledger())
        self.agent.start()


@row(
    "1, 4, 28, 47",
    "agent killed, stopped and frozen, broker frozen and restarted, at random, with mosquitto",
    runs=60,
    short=4,
)
def everything_at_once(seen: Seen) -> None:
    dice, lines = random.Random(), Lines(seen.folder)
    with (
        Mosquitto(seen.folder / "broker", persistence=True, receive_maximum=50) as broker,
        Platform(broker.port) as platform,
        Agent(
            seen.folder, site(seen.folder, more=sink(broker.port, ", timeout: 2s, backfill: {rate: unlimited}"))
        ) as agent,
    ):
        agent.ready()
        mischief = Mischief(agent, broker, dice)
        for _ in range(seen.runs):
            time.sleep(dice.uniform(0.1, 1.5))
            dice.choice(mischief.all)()
        agent.ready()
        caught_up(agent)
        accounts = settled(agent)
        wait_until(lambda: not missing(accounts, platform), "the last frames", 10)
    seen.none("samples lost", missing(accounts, platform) + abs(not_arrived(accounts, lines.read())))
    seen.none("gaps in the numbers", len(platform.gaps()))
    seen.none("id conflicts", platform.conflicts + lines.conflicts)
    seen.none("accounts that do not balance", unbalanced(accounts) + mischief.unbalanced)
