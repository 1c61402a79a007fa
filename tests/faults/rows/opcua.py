"""An OPC UA server that is cut off, freezes, restarts with other numbers, nodes or limits, is full, or loses time."""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.opcua.feed import CHECK
from drivers.opcua.pki import Pki
from tests.e2e.site import Agent
from tests.faults.inject import WallClock
from tests.faults.plant import Lines, metric, settled, site, unbalanced
from tests.faults.table import Seen, row
from tests.sim.gate import Gate
from tests.sim.mosquitto import wait_until
from tests.sim.opcua_certificates import made
from tests.sim.opcua_fixtures import PRESS, OpcuaServer, node_opcua_server
from tests.sim.ports import free_port

TAGS = 45
FEWER = 30  # nodes of a server that has lost some, or monitored items that one has room for
FEW = 5  # rounds, of which a hurried run has no more: then a freeze is short
BACK = 10.0  # seconds within which values flow again once the server is back
PAUSE = 5.0  # seconds without a value of a tag that nobody could call a pause for breath
HOUR, DAY = 3600.0, 86400.0
UNSET, _2090 = 60.0, 3_786_912_000.0  # where a clock stands that nobody has set, and one that is far ahead
STEPS: list[Callable[[], float]] = [  # how many seconds a server's clock may be ahead
    lambda: random.uniform(1, 12) * HOUR,
    lambda: random.uniform(-12, -1) * HOUR,
    lambda: UNSET - time.time(),
    lambda: _2090 - time.time(),
    lambda: 0.0,
]
SKEW = 'floorgate_device_clock_skew_seconds{device="press"}'
DEVICE = """\
  - {{name: press, driver: opcua, endpoint: "opc.tcp://127.0.0.1:{port}", security: {security}, interval: 200ms, tags: [
      {tags}]}}"""
SECURED = {"policies": "None,Aes256_Sha256_RsaPss", "modes": "None,SignAndEncrypt"}


@dataclass
class Press:
    """The server at a fixed port; a restart may change what it has."""

    clock: WallClock
    usual: dict[str, object] = field(default_factory=dict)  # options of every start
    port: int = field(default_factory=free_port)
    server: OpcuaServer | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self, **options: Any) -> None:
        wanted: dict[str, Any] = {"tags": TAGS, "environ": self.clock.environ, **self.usual, **options}
        self.server = self._stack.enter_context(node_opcua_server(port=self.port, **wanted))

    def stop(self) -> None:
        """At once, without a goodbye."""
        assert self.server is not None
        self.server.kill()
        self._stack.close()

    def restart(self, **options: Any) -> None:
        self.stop()
        self.start(**options)

    def running(self) -> OpcuaServer:
        assert self.server is not None
        return self.server


@dataclass
class Scene:
    """What a fault may break; `freeze` is for how many seconds a server is frozen."""

    press: Press
    gate: Gate
    freeze: float
    lines: Lines
    agent: Agent
    secured: bool
    tags: int = TAGS  # that the server has after the last fault
    leaked: int = 0  # frames with values from a server that is not the one that is trusted
    offset: float = 0.0  # seconds by which the server's clock is ahead
    steps: list[Callable[[], float]] = field(default_factory=list)  # of its clock, that are still to come
    turns: int = 0  # how often it has gone far away or come back
    made: int = 0  # sessions that one step of the clock made necessary, the most


def cut(scene: Scene) -> None:
    scene.gate.shut()
    time.sleep(random.uniform(0.1, 2))
    scene.gate.open()


def swallowed(scene: Scene) -> None:
    """The connection stays, and nothing gets through; then it breaks."""
    scene.gate.swallow()
    time.sleep(random.uniform(4, 6))
    scene.gate.shut()
    scene.gate.open()


def frozen(scene: Scene) -> None:
    scene.press.running().freeze()
    time.sleep(scene.freeze)
    scene.press.running().thaw()


def restarted(scene: Scene) -> None:
    scene.press.restart()
    scene.tags = TAGS


def renumbered(scene: Scene) -> None:
    scene.press.restart(shift=random.randint(1, 5))
    scene.tags = TAGS


def bereft(scene: Scene) -> None:
    """Some nodes are gone, and come back with the next restart."""
    scene.press.restart(tags=FEWER)
    scene.tags = FEWER


def narrowed(scene: Scene) -> None:
    scene.press.restart(max_monitored=random.randint(1, 5), max_read=random.randint(1, 5))
    scene.tags = TAGS


def cramped(scene: Scene) -> None:
    """It has room for fewer monitored items than it is asked for."""
    scene.press.restart(max_items=FEWER)
    scene.tags = FEWER


def skewed(scene: Scene) -> None:
    """The clock is set under a live session, and then the server starts with it.

    One that checks certificates must refuse ours in 1970 and in 2090: then the clock is set right again.
    """
    scene.steps = scene.steps or random.sample(STEPS, len(STEPS))
    step(scene, scene.steps.pop()())
    scene.press.restart()
    scene.tags = TAGS
    if refuses(scene):
        told(scene)
        set_clock(scene, 0.0)
        time.sleep(3.5)  # node-opcua goes on with the old time for 3 s


def step(scene: Scene, offset: float) -> None:
    """One step of the clock under a session: it goes on, or another is made, once."""
    before = scene.press.running().count().made
    set_clock(scene, offset)
    time.sleep(12 if scene.freeze > CHECK else 7)  # the server's clock is looked at every 5 s: twice, or once
    if scene.secured and scene.press.running().process.poll() is not None:
        return  # node-opcua ends when a channel's token runs out by the wall clock
    told(scene)
    if not refuses(scene):
        since = time.time()
        wait_until(lambda: good(scene.lines, scene.tags, since), "values after a step of the clock", BACK)
        scene.made = max(scene.made, scene.press.running().count().made - before)


def set_clock(scene: Scene, offset: float) -> None:
    scene.turns += (offset == 0.0) != (scene.offset == 0.0)
    scene.offset = offset
    scene.press.clock.set(offset)


def told(scene: Scene) -> None:
    wait_until(lambda: abs(astray(scene)) < 1, "the clock's skew to be told", BACK)


def astray(scene: Scene) -> float:
    """How far the skew that is told is from the true one, in seconds."""
    found = metric(scene.agent, SKEW)
    return math.inf if found is None else found - scene.offset


def refuses(scene: Scene) -> bool:
    """Whether our certificate is not in time by the server's clock."""
    return scene.secured and abs(scene.offset) > DAY


def crowded(scene: Scene) -> None:
    """Somebody else has the only session for a while."""
    scene.gate.shut()
    scene.press.restart(max_sessions=1)
    with occupied(scene.press.running().endpoint):
        scene.gate.open()
        time.sleep(3)
    scene.tags = TAGS


def swapped(scene: Scene) -> None:
    """Another server, with a certificate of its own, is at the place of the one that is trusted."""
    scene.press.restart(**made("stranger", number=1).files(scene.lines.folder / "stranger"))
    since = time.time()
    time.sleep(7)
    scene.leaked += sum(bool(frame["values"]) for frame in frames(scene.lines, since))
    scene.press.restart()
    scene.tags = TAGS


@contextmanager
def occupied(endpoint: str) -> Iterator[None]:
    """A session of asyncua's client, in a thread."""
    ready, done = threading.Event(), threading.Event()

    async def hold() -> None:
        from asyncua import Client  # heavy, and only this fault needs it

        async with Client(endpoint):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(hold()), daemon=True)
    thread.start()
    assert ready.wait(10), "the other session could not be opened"
    try:
        yield
    finally:
        done.set()
        thread.join(10)


FAULTS: list[Callable[[Scene], None]] = [
    cut,
    swallowed,
    frozen,
    restarted,
    renumbered,
    bereft,
    narrowed,
    cramped,
    crowded,
    skewed,
]


@row("", "an OPC UA server breaks in one of ten ways, at random", runs=50, short=1)
def opcua_server(seen: Seen) -> None:
    _broken(seen, Press(WallClock(seen.folder)), FAULTS, "none")


@row(
    "",
    "the same with encryption, and an eleventh: another server with another certificate in its place",
    runs=50,
    short=2,
)
def opcua_server_secured(seen: Seen) -> None:
    server = made()
    file = seen.folder / "press.der"
    file.write_bytes(server.der)
    Pki(seen.folder / "data" / "pki").add(file)
    usual = {**SECURED, "home": seen.folder / "home", **server.files(seen.folder / "keys")}
    _broken(seen, Press(WallClock(seen.folder), usual), [*FAULTS, swapped], "auto")


def _broken(seen: Seen, press: Press, faults: list[Callable[[Scene], None]], security: str) -> None:
    dice, lines, figures = random.Random(), Lines(seen.folder), Figures()
    order = [fault for _ in range(1 + seen.runs // len(faults)) for fault in dice.sample(faults, len(faults))]
    press.start()
    tags = ",\n      ".join(f'{{name: v{i}, node: "nsu={PRESS};s=Value{i}"}}' for i in range(TAGS))
    started = time.time()
    with Gate(press.port) as gate:
        devices = DEVICE.format(port=gate.port, tags=tags, security=security)
        with Agent(seen.folder, site(seen.folder, devices=devices)) as agent:
            agent.ready()
            scene = Scene(press, gate, 30.0 if seen.runs > FEW else 4.0, lines, agent, security != "none")
            wait_until(lambda: good(lines, TAGS, 0), "the first values", 20)
            for fault in order[: seen.runs]:
                figures.round(scene, fault)
            accounts = settled(agent)
    press.stop()
    read = frames(lines, 0)
    slowest = f" ({figures.last})" if figures.last else ""
    seen.most(f"s until values flow again, the slowest{slowest}", figures.slow, BACK)
    seen.most("sessions on the server", figures.sessions, 1)
    seen.most("subscriptions on the server", figures.subscriptions, 1)
    seen.none("times the number of monitored items was wrong", figures.wrong)
    seen.none("repairs of monitored items that nothing called for", repaired(agent))
    seen.none("gaps that are not marked", figures.unmarked + silent(read))
    seen.none("frames of a server that is not trusted", scene.leaked)
    seen.most("s by which the skew of its clock is told wrong", figures.astray, 1)
    seen.most("s by which its source times are not its own", figures.stamped, 2)
    seen.most("sessions made for one step of its clock", scene.made, 1)
    seen.none("lines in the log on its clock, too many or too few", abs(noted(agent) - scene.turns))
    seen.none("receive times that are not ours", sum(not started <= f["ts"] / 1000 <= time.time() for f in read))
    seen.none("accounts that do not balance", unbalanced(accounts))


@dataclass
class Figures:
    """What is seen after each fault: the worst of all rounds, or how often it was wrong."""

    slow: float = 0.0
    last: str = ""  # the slowest
    sessions: int = 0
    subscriptions: int = 0
    wrong: int = 0
    unmarked: int = 0
    astray: float = 0.0
    stamped: float = 0.0

    def round(self, scene: Scene, fault: Callable[[Scene], None]) -> None:
        began = time.time() - 0.01  # frames know milliseconds
        fault(scene)
        back = time.time()
        wait_until(lambda: good(scene.lines, scene.tags, back), f"values after {fault.__name__}", 60)
        if (took := time.time() - back) > self.slow:
            self.slow, self.last = took, fault.__name__
        self.unmarked += not marked(scene.lines, began)
        time.sleep(1)
        found = scene.press.running().count()
        self.sessions = max(self.sessions, found.sessions)
        self.subscriptions = max(self.subscriptions, found.subscriptions)
        self.wrong += (found.items, found.nodes) != (scene.tags, scene.tags)
        self.astray = max(self.astray, abs(astray(scene)))
        self.stamped = max(self.stamped, abs(ahead(frames(scene.lines, back)[-1]) - scene.offset))


def frames(lines: Lines, since: float) -> list[dict[str, Any]]:
    """Those of the press that were read since then (seconds since 1970)."""
    return [f for f in lines.read().frames.values() if f["device"] == "press" and f["ts"] / 1000 >= since]


def good(lines: Lines, tags: int, since: float) -> bool:
    """Whether each tag that the server has brought a value since then."""
    found: set[str] = set()
    for frame in frames(lines, since):
        found |= frame["values"].keys() - frame["quality"].keys()
    return len(found) >= tags


def marked(lines: Lines, since: float) -> bool:
    """Whether a gap is seen in the frames since then."""
    return any("bad_comm" in frame["quality"].values() for frame in frames(lines, since))


def silent(read: list[dict[str, Any]]) -> int:
    """How often a tag that is always there has paused without a mark."""
    count, since, excused = 0, 0.0, True
    for frame in read:
        if "v0" in frame["quality"]:
            excused = True
        elif "v0" in frame["values"]:
            count += not excused and frame["ts"] / 1000 - since > PAUSE
            since, excused = frame["ts"] / 1000, False
    return count


def ahead(frame: dict[str, Any]) -> float:
    """By how many seconds a frame's source times are ahead of when it was received."""
    return float(next(iter(frame.get("stamps", {}).values()), frame["ts"]) - frame["ts"]) / 1000


def repaired(agent: Agent) -> int:
    words = ("has forgotten that it watches", "that nobody had asked for", "list of monitored items is wrong")
    return sum(map(agent.log.read_text().count, words))


def noted(agent: Agent) -> int:
    return agent.log.read_text().count("its clock is")
