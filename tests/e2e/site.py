"""An agent process on a site of its own, and a platform that counts what arrives."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

import paho.mqtt.client as paho

from tests.sim.mosquitto import wait_until


class Agent:
    """`floorgate run` as a process that can be stopped, killed and started again on the same data."""

    def __init__(
        self, folder: Path, config: str, data: Path | None = None, *, options: Sequence[str] = (), **environ: str
    ) -> None:
        self._environ, self._options = environ, options
        self.config, self.data, self.log = folder / "site.yaml", data or folder / "data", folder / "agent.log"
        self.config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process and self._process.poll() is None:
            self.kill()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "error",
                    "-m",
                    "agent",
                    "run",
                    "-c",
                    self.config,
                    "--data",
                    self.data,
                    *self._options,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **self._environ},
            )

    def ready(self) -> None:
        """Wait until this run of the agent has started all of its parts."""
        path = self.data / "agent.json"
        wait_until(lambda: path.exists() and json.loads(path.read_text())["pid"] == self.pid, "the agent's start", 30)
        self.facts = json.loads(path.read_text())  # where it listens

    def kill(self) -> None:
        """As a power cut would: no chance to say goodbye."""
        assert self._process
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, path: str) -> Any:
        """What its status server answers."""
        request = Request(f"http://{self.facts['host']}:{self.facts['port']}{path}")
        request.add_header("Authorization", f"Bearer {self.facts['token']}")
        with urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return floorgate(*arguments, "--data", str(self.data))

    def ledger(self) -> list[dict[str, Any]]:
        done = self.command("ledger", "--json")
        assert done.returncode == 0, done.stderr
        accounts = json.loads(done.stdout)
        assert isinstance(accounts, list)
        return accounts


def floorgate(*arguments: str, timeout: float = 60, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the agent to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "agent", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
    )


async def until(true: Callable[[], bool], what: str) -> None:
    """Half a minute at most, while the loop goes on; see `wait_until` where there is none."""
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"waited for {what}")


class Platform:
    """A subscriber with a session that outlives the broker; idempotent on (gateway, epoch, seq).

    A frame that comes in parts is there when all of them are.
    """

    def __init__(self, port: int, topic: str = "floorgate/#", login: tuple[str, str] | None = None) -> None:
        self.frames: dict[tuple[str, str, int], dict[str, Any]] = {}
        self.conflicts = 0  # frames that came again with other contents
        self.parted = 0  # frames that came in parts
        self.delays: list[tuple[str, bool, float]] = []  # of each frame: device, history, seconds since it was read
        self.arrivals: list[tuple[float, dict[str, Any]]] = []  # seconds since 1970, frame
        self.status: list[dict[str, Any]] = []
        self._parts: dict[tuple[str, str, int, int], dict[int, dict[str, Any]]] = {}
        self._topic, self._lock, self._ready = topic, threading.Lock(), threading.Event()
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, f"platform-{os.getpid()}-{id(self):x}", clean_session=False
        )
        if login:
            self._client.username_pw_set(*login)
        self._client.on_connect = lambda *_: self._client.subscribe(self._topic, qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self.wait_for_session()
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def forget_session(self) -> None:
        """The broker is gone, and its memory with it."""
        self._ready.clear()

    def wait_for_session(self) -> None:
        assert self._ready.wait(15), "the platform could not subscribe"

    def _take(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        body, now = json.loads(message.payload), time.time()
        with self._lock:
            if message.topic.endswith("/$status"):
                self.status.append(body)
                return
            key = (body["gateway"], body["epoch"], body["seq"])
            whole = self._whole(key, body) if "part" in body else body
            if whole is None:
                return
            known = self.frames.setdefault(key, whole)
            if known is whole:
                self.delays.append((whole["device"], whole["history"], now - whole["ts"] / 1000))
                self.arrivals.append((now, whole))
            else:
                self.conflicts += {**known, "history": None} != {**whole, "history": None}

    def _whole(self, key: tuple[str, str, int], body: dict[str, Any]) -> dict[str, Any] | None:
        """The frame that this part completes."""
        number, count = body.pop("part")
        parts = self._parts.setdefault((*key, count), {})
        parts[number] = body
        if len(parts) < count:
            return None
        self.parted += key not in self.frames
        joined = {
            name: {k: v for part in parts.values() for k, v in part[name].items()} for name in ("values", "quality")
        }
        return {**body, **joined}

    def taken(self) -> dict[tuple[str, str, int], dict[str, Any]]:
        with self._lock:
            return dict(self.frames)

    def samples(self) -> Counter[str]:
        """Distinct samples per device, counted from what arrived."""
        counts: Counter[str] = Counter()
        for frame in self.taken().values():
            counts[frame["device"]] += len(frame["values"].keys() | frame["quality"].keys())
        return counts

    def order(self) -> list[list[int]]:
        """The numbers of live frames and those of history, by epoch, as they came."""
        lanes: dict[tuple[str, bool], list[int]] = defaultdict(list)
        for _, frame in self.arrivals:
            lanes[frame["epoch"], frame["history"]].append(frame["seq"])
        return list(lanes.values())

    def gaps(self) -> list[str]:
        """Sequence numbers that an epoch skips: what the platform can see of a loss by itself."""
        epochs: dict[str, list[int]] = defaultdict(list)
        for _, epoch, seq in self.taken():
            epochs[epoch].append(seq)
        return [
            f"{epoch}: {a}..{b}"
            for epoch, seqs in epochs.items()
            for a, b in zip(sorted(seqs), sorted(seqs)[1:], strict=False)
            if b != a + 1
        ]
