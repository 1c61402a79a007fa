"""Dashboard and alert rules against real parts: promtool, a Prometheus that scrapes an agent, Grafana's data model.

python packaging/try/monitoring.py [FLOORGATE…]        the command to try; without one the agent of this checkout

Debian's package prometheus is fetched and unpacked below build/monitoring: nothing is installed, no service runs. Of
Grafana there is neither a Debian package nor one on PyPI, so its data model (grafana-foundation-sdk, from PyPI) reads
the dashboard: what it does not know is lost on the way back.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
HERE = ROOT / "packaging" / "monitoring"
BUILD = ROOT / "build" / "monitoring"
SDK = "grafana-foundation-sdk==1769699998!10.1.0"
KNOWN = ("floorgate_store_hours_left",)  # of promtool's advice: that it be in seconds; it has its name
WANTED = {f"Floorgate{name}" for name in ("NotReady", "LineDead", "DeviceDead", "SinkDown", "TagsBad")}
SITE = """\
gateway: {{id: gw-1}}
devices:
  - name: boiler
    driver: sim
    interval: 100ms
    tags: [{{name: heat, alarms: {{h: 1}}}}, {{name: odd, wave: constant, low: 9, limits: {{max: 1}}}}]
  - {{name: gone, driver: modbus, endpoint: "tcp://127.0.0.1:1", interval: 200ms, tags: [{{name: a, address: 0}}]}}
sinks:
  - {{name: out, type: file, path: {folder}/out.jsonl}}
  - {{name: away, type: mqtt, url: "mqtt://127.0.0.1:1"}}
buffer: {{commit: 100ms, max_size: 64MB, reserve: 64MB}}
status: {{listen: "127.0.0.1:{port}"}}
"""
SCRAPE = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - {{job_name: floorgate, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""
LOST = """
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
register_default_plugins()
ours = json.load(open(sys.argv[1], encoding="utf-8"))
back = json.loads(JSONEncoder().encode(Dashboard.from_json(ours)))
def lost(a, b, path=""):
    if isinstance(a, dict):
        for key, value in a.items():
            yield from lost(value, b[key], f"{path}.{key}") if isinstance(b, dict) and key in b else [f"{path}.{key}"]
    elif isinstance(a, list):
        same = isinstance(b, list) and len(a) == len(b)
        for each, other in zip(a, b) if same else ():
            yield from lost(each, other, f"{path}[]")
        yield from [] if same else [f"{path}[]"]
    elif a != b:
        yield f"{path}: {a!r}"
print(json.dumps(sorted(set(lost(ours, back)))))
"""


class Row(NamedTuple):
    """What was tried, whether it is as it should be, and what was seen."""

    what: str
    ok: bool
    seen: str


def prepare(build: Path = BUILD) -> None:
    """Fetch the parts that are not there yet; this alone needs a network."""
    build.mkdir(parents=True, exist_ok=True)
    if not (build / "prometheus" / "usr" / "bin" / "promtool").exists():
        _run("apt-get", "download", "prometheus", cwd=build)
        (package,) = build.glob("prometheus_*.deb")
        _run("dpkg-deb", "-x", package, build / "prometheus")
    if not (build / "grafana" / "bin" / "python").exists():
        _run(sys.executable, "-m", "venv", build / "grafana")
        _run(build / "grafana" / "bin" / "pip", "install", "--quiet", SDK)


def rows(floorgate: Sequence[str], build: Path = BUILD) -> Iterator[Row]:
    """All that is tried, one row each."""
    promtool = build / "prometheus" / "usr" / "bin" / "promtool"
    yield _said("promtool check rules", promtool, "check", "rules", HERE / "floorgate.rules.yml")
    yield _said("promtool test rules", promtool, "test", "rules", HERE / "floorgate.rules.test.yml")
    lost = json.loads(_run(build / "grafana" / "bin" / "python", "-c", LOST, HERE / "dashboard.json"))
    yield Row("keys of the dashboard that Grafana's model does not know", not lost, f"{len(lost)} {lost or ''}".strip())
    with tempfile.TemporaryDirectory(prefix="floorgate-monitoring-") as name:
        yield from _live(floorgate, build, Path(name))


def _live(floorgate: Sequence[str], build: Path, folder: Path) -> Iterator[Row]:
    ours, theirs = _port(), _port()
    (folder / "site.yaml").write_text(SITE.format(folder=folder, port=ours), "utf-8")
    rules = HERE / "floorgate.rules.yml"
    (folder / "prometheus.yml").write_text(SCRAPE.format(port=ours, rules=rules), "utf-8")
    agent = [*floorgate, "run", "-c", folder / "site.yaml", "--data", folder / "data"]
    server = [build / "prometheus" / "usr" / "bin" / "prometheus", f"--config.file={folder / 'prometheus.yml'}"]
    server += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{theirs}"]
    with _running(agent, folder / "agent.log"), _running(server, folder / "prometheus.log"):
        ask = _asking(f"http://127.0.0.1:{theirs}/api/v1/")
        up = _until(lambda: _value(ask("query", query='up{job="floorgate"}')) == 1)
        yield Row("Prometheus scrapes the agent", up, "up" if up else "not up within 60 s")
        time.sleep(5)  # for rates
        text = urllib.request.urlopen(f"http://127.0.0.1:{ours}/metrics", timeout=10).read()
        promtool = build / "prometheus" / "usr" / "bin" / "promtool"
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        advice = [line for line in (done.stdout + done.stderr).decode().splitlines() if not line.startswith(KNOWN)]
        yield Row("advice of promtool on the names of metrics", not advice, f"{len(advice)} {advice or ''}".strip())
        yield _queries(ask)
        found = ask("rules", type="alert")["groups"][0]["rules"]
        ill = [rule["name"] for rule in found if rule["health"] != "ok"]
        seen = f"{len(ill)} of {len(found)}"
        yield Row("alert rules that Prometheus cannot evaluate", not ill and len(found) > 20, seen)
        fired = {rule["name"] for rule in found if rule["state"] != "inactive"}
        seen = ", ".join(sorted(fired))
        yield Row("alerts for a dead device, a bad tag and a platform that is away", fired >= WANTED, seen)


def _queries(ask: Callable[..., Any]) -> Row:
    """Every query of the dashboard is asked; most of them find something in so small a plant."""
    panels = json.loads((HERE / "dashboard.json").read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    answers = [ask("query", query=each.replace("$instance", ".*")) for each in queries]
    full = sum(bool(each and each["result"]) for each in answers)
    wrong = [query for query, answer in zip(queries, answers, strict=True) if answer is None]
    seen = f"{len(queries)} asked, {len(wrong)} refused, {full} with an answer {wrong or ''}".strip()
    return Row("queries of the dashboard", not wrong and full >= 0.7 * len(queries), seen)


def _asking(base: str) -> Callable[..., Any]:
    def ask(path: str, **query: str) -> Any:
        """What it answers; None where it refuses, or is not there yet."""
        try:
            address = f"{base}{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  # of this machine
                return json.load(answer)["data"]
        except (OSError, ValueError):
            return None

    return ask


def _value(found: Any) -> float | None:
    return float(found["result"][0]["value"][1]) if found and found["result"] else None


def _until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.5)
    return False


@contextmanager
def _running(command: Sequence[object], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, env=environ)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(what: str, *command: object) -> Row:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return Row(what, done.returncode == 0, lines[-1] if done.returncode == 0 and lines else "; ".join(lines))


def _run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main(words: Sequence[str]) -> int:
    prepare()
    bad = 0
    for row in rows(words or [sys.executable, "-m", "agent"]):
        print(f"{'ok  ' if row.ok else 'MISS'} {row.what}: {row.seen}", flush=True)
        bad += not row.ok
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
