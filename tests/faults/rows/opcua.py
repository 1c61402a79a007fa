"""An OPC UA server that is cut off, freezes, restarts with other numbers, nodes or limits, or is full."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from drivers.opcua.pki import Pki
from tests.e2e.site import Agent
from tests.faults.plant import Lines, settled, site, unbalanced
from tests.faults.table import Seen, row
from tests.sim.gate import Gate
from tests.sim.mosquitto import free_port, wait_until
from tests.sim.opcua_certificates import made
from tests.sim.opcua_fixtures import PRESS, OpcuaServer, node_opcua_server

TAGS = 45
FEWER = 30  # nodes of a server that has lost some
FEW = 5  # rounds, of which a hurried run has no more: then a freeze is short
BACK = 10.0  # seconds within which values flow again once the server is back
DEVICE = """\
  - {{name: press, driver: opcua, endpoint: "opc.tcp://127.0.0.1:{port}", security: {security}, interval: 200ms, tags: [
      {tags}]}}"""
SECURED = {"policies": "None,Aes256_Sha256_RsaPss", "modes": "None,SignAndEncrypt"}


@dataclass
class Press:
    """The server at a fixed port; a restart may change what it has."""

    usual: dict[str, object] = field(default_factory=dict)  # options of every start
    port: int = field(default_factory=free_port)
    server: OpcuaServer | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self, **options: Any) -> None:
        wanted: dict[str, Any] = {"tags": TAGS, **self.usual, **options}
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
    tags: int = TAGS  # that the server has after the last fault
    leaked: int = 0  # frames with values from a server that is not the one that is trusted


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
    crowded,
]


@row("", "an OPC UA server breaks in one of eight ways, at random", runs=50, short=3)
def opcua_server(seen: Seen) -> None:
    _broken(seen, Press(), FAULTS, "none")


@row(
    "", "the same with encryption, and a ninth: another server with another certificate in its place", runs=50, short=3
)
def opcua_server_secured(seen: Seen) -> None:
    server = made()
    file = seen.folder / "press.der"
    file.write_bytes(server.der)
    Pki(seen.folder / "data" / "pki").add(file)
    _broken(seen, Press({**SECURED, **server.files(seen.folder / "keys")}), [*FAULTS, swapped], "auto")


def _broken(seen: Seen, press: Press, faults: list[Callable[[Scene], None]], security: str) -> None:
    dice, lines = random.Random(), Lines(seen.folder)
    slow, wrong, crowd, unmarked, last = 0.0, 0, 0, 0, ""
    order = [fault for _ in range(1 + seen.runs // len(faults)) for fault in dice.sample(faults, len(faults))]
    press.start()
    tags = ",\n      ".join(f'{{name: v{i}, node: "nsu={PRESS};s=Value{i}"}}' for i in range(TAGS))
    with Gate(press.port) as gate:
        devices = DEVICE.format(port=gate.port, tags=tags, security=security)
        with Agent(seen.folder, site(seen.folder, devices=devices)) as agent:
            agent.ready()
            scene = Scene(press, gate, 30.0 if seen.runs > FEW else 4.0, lines)
            wait_until(lambda: good(lines, TAGS, 0), "the first values", 20)
            for fault in order[: seen.runs]:
                began = time.time() - 0.01  # frames know milliseconds
                fault(scene)
                back = time.time()
                wait_until(lambda: good(lines, scene.tags, back), f"values after {fault.__name__}", 60)  # noqa: B023  # at once
                if (took := time.time() - back) > slow:
                    slow, last = took, fault.__name__
                unmarked += not marked(lines, began)
                time.sleep(1)
                sessions, items = press.running().count()
                crowd = max(crowd, sessions)
                wrong += items != scene.tags
            accounts = settled(agent)
    press.stop()
    seen.most(f"s until values flow again, the slowest ({last})" if last else "s until values flow again", slow, BACK)
    seen.most("sessions on the server", crowd, 1)
    seen.none("times the number of monitored items was wrong", wrong)
    seen.none("gaps that are not marked", unmarked)
    seen.none("frames of a server that is not trusted", scene.leaked)
    seen.none("accounts that do not balance", unbalanced(accounts))


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
