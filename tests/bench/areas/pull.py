"""The whole agent, drained by an application over the pull API: 100 devices with 100 float32 tags each, ten times a
second."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import rig
from report import Row, at_least, at_most, shown

DEVICES, TAGS, RATE = 100, 100, 100_000
WARM, WINDOW = 5.0, 20.0
TOKEN = "bench-bench-bench-bench"
STYLES = {
    "envelope": "format=ndjson",
    "values": "format=ndjson&shape=values",
    "tags": "format=ndjson&shape=tags",
    "flat": "format=ndjson&shape=flat",
    "csv": "format=csv",
    "columnar": "shape=columnar",
}


class Consumer(threading.Thread):
    """Asks, and acknowledges what it has, until it is told to stop. Of NDJSON it counts the lines."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self._facts = json.loads((data / "agent.json").read_text("utf-8"))
        self._connection = http.client.HTTPConnection("127.0.0.1", self._facts["port"], timeout=90)
        self._enough = threading.Event()
        self.samples = self.bytes = 0
        self.seqs: set[int] = set()
        self.repeated = 0

    def run(self) -> None:
        while not self._enough.is_set():
            self.take()

    def take(self) -> int:
        body, cursor = self.page("format=ndjson&wait=2")
        if not cursor:
            return 0
        lines = body.splitlines()
        seqs = [int(line[line.index(b'"seq":') + 6 :].split(b",", 1)[0]) for line in lines]
        self.repeated += sum(seq in self.seqs for seq in seqs)
        self.seqs.update(seqs)
        epoch, _, seq = cursor.partition("/")
        self._ask("POST", "/api/v1/consumers/apps/ack", {"upto": {"epoch": epoch, "seq": int(seq)}})
        self.samples += TAGS * len(lines)
        self.bytes += len(body)
        return len(lines)

    def page(self, query: str) -> tuple[bytes, str]:
        body, headers = self._ask("GET", f"/api/v1/frames?{query}")
        return body, headers.get("Floorgate-Cursor", "")

    def _ask(self, method: str, path: str, body: object = None) -> tuple[bytes, http.client.HTTPMessage]:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        found = response.read()
        if response.status != http.client.OK:
            raise RuntimeError(f"{path}: {response.status} {found[:200]!r}")
        return found, response.headers

    def stop(self) -> None:
        self._enough.set()
        self.join()

    @property
    def missing(self) -> int:
        return max(self.seqs, default=0) - min(self.seqs, default=1) + 1 - len(self.seqs)


def rows() -> Iterator[Row]:
    name = "100,000 samples/s fetched as NDJSON"
    with rig.folder() as place, rig.farm(place, DEVICES, TAGS) as farm:
        sink = f"{{name: apps, type: pull, token: 'file:{place / 'token'}'}}"
        (place / "token").write_text(TOKEN, "utf-8")
        (place / "token").chmod(0o600)
        rig.write_site(place, farm.ports, TAGS, "100ms", 0, sink=sink)
        with rig.agent(place) as agent:
            _await(place / "data" / "agent.json", agent)
            consumer = Consumer(place / "data")
            consumer.start()
            time.sleep(WARM)
            began, cpu, served, came = time.monotonic(), agent.cpu(), farm.samples, consumer.samples
            time.sleep(WINDOW)
            took, cpu = time.monotonic() - began, agent.cpu() - cpu
            served, came = farm.samples - served, consumer.samples - came
            yield at_least(f"{name}: read", served / took, 0.995 * RATE, "samples/s")
            yield at_least(f"{name}: fetched and acknowledged", came / took, 0.99 * RATE, "samples/s")
            yield at_most(f"{name}: CPU", cpu / max(came, 1) * 1e6, 2.0, "s/Msample")
            yield at_most(f"{name}: peak RSS", agent.peak(), 90, "MB")
            consumer.stop()
            time.sleep(3)
            for shape, query in STYLES.items():
                body, _ = consumer.page(query)
                yield shown(f"a page of 1,000 frames as {shape}", len(body) / (1000 * TAGS), "bytes/sample")
            farm.hush()
            time.sleep(1)
            while consumer.take():
                pass
            yield at_least(f"{name}: delivered", 100 * consumer.samples / max(farm.samples, 1), 99.9, "%")
            yield at_most(f"{name}: gaps in the sequence", consumer.missing, 0, "frames")
            yield shown(f"{name}: fetched twice", consumer.repeated, "frames")
            yield at_most(f"{name}: exit code after SIGTERM", abs(agent.stop()), 0)


def _await(path: Path, agent: rig.Agent, deadline: float = 20.0) -> None:
    end = time.monotonic() + deadline
    while not path.exists() and time.monotonic() < end:
        agent.check()
        time.sleep(0.05)
    time.sleep(0.2)
