"""The whole agent: 100 devices with 100 float32 tags each, a durable store, QoS 1 to mosquitto."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import rig
from report import Row, at_least, at_most, shown
from subscriber import Envelope, Subscriber
from uplink import Uplink

DEVICES, TAGS = 100, 100
WARM, WINDOW, OUTAGE, DRAIN = 5.0, 20.0, 30.0, 60.0


@dataclass(slots=True)
class Scene:
    """What runs while a figure is taken."""

    farm: rig.Farm
    platform: Subscriber
    uplink: Uplink
    agent: rig.Agent

    def watch(self, seconds: float) -> None:
        """Wait, but not for an agent that has ended."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.agent.check()
            time.sleep(min(1.0, left))

    def finish(self) -> tuple[int, int, int]:
        """Hush the devices, let everything arrive: samples served, samples delivered, the exit code of the agent."""
        self.farm.hush()
        self.platform.settle()
        return self.farm.samples, self.platform.samples, self.agent.stop()


Decode = Callable[[bytes], Iterable[Envelope]]


@contextmanager
def scene(
    interval: str, *, through_uplink: bool = False, keys: str = "", decode: Decode | None = None, kind: str = "mqtt"
) -> Iterator[Scene]:
    """`keys` are options of the sink, `decode` reads what it sends; without them it is JSON envelopes."""
    topic = {"mqtt": "floorgate/bench/+/+", "sparkplug": "spBv1.0/bench/DDATA/#"}[kind]
    with rig.folder() as place, rig.farm(place, DEVICES, TAGS) as farm, rig.broker(place) as port:
        platform = Subscriber(port, topic, farm.age, decode=decode)
        uplink = Uplink(port)
        url = f"mqtt://127.0.0.1:{uplink.port if through_uplink else port}"
        sink = f"{{name: platform, type: {kind}, url: '{url}'{keys}}}"
        rig.write_site(place, farm.ports, TAGS, interval, port, sink=sink)
        with rig.agent(place) as agent:
            yield Scene(farm, platform, uplink, agent)
        uplink.cut()
        platform.close()


def rows() -> Iterator[Row]:
    yield from workload("W3, 100,000 samples/s", "100ms", 100_000, full=True)
    yield from workload("W2, 10,000 samples/s", "1s", 10_000, full=False)
    yield from outage("W4, 10,000 samples/s, 30 s without uplink", "1s")


def workload(name: str, interval: str, rate: int, *, full: bool) -> Iterator[Row]:
    """`full`: the costs have bars."""
    with scene(interval) as it:
        it.watch(WARM)
        began, frames = time.monotonic(), len(it.platform.frames()[0])
        cpu, served, came = it.agent.cpu(), it.farm.samples, it.platform.samples
        stolen = rig.stolen()
        it.watch(WINDOW)
        took = time.monotonic() - began
        cpu, served, came = it.agent.cpu() - cpu, it.farm.samples - served, it.platform.samples - came
        stolen = rig.stolen() - stolen
        latency, peak = it.platform.latencies(frames), it.agent.peak()
        yield at_least(f"{name}: read", served / took, 0.995 * rate, "samples/s")
        cost = cpu / max(came, 1) * 1e6
        yield at_most(f"{name}: CPU", cost, 3.0, "s/Msample") if full else shown(f"{name}: CPU", cost, "s/Msample")
        yield shown(f"{name}: CPU of one core", 100 * cpu / took, "%")
        yield shown(f"{name}: taken from this machine by its host, of one core", 100 * stolen / took, "%")
        yield at_most(f"{name}: peak RSS", peak, 90, "MB")
        for share in (50, 99) if latency else ():
            within = latency[len(latency) * share // 100]
            yield shown(f"{name}: latency, {share} % of the frames within", 1000 * within, "ms")
        yield from delivery(name, it, 99.9)


def delivery(name: str, it: Scene, share: float) -> Iterator[Row]:
    served, delivered, code = it.finish()
    yield at_least(f"{name}: delivered of {served:,} samples", 100 * delivered / max(served, 1), share, "%")
    yield at_most(f"{name}: gaps in the sequence", it.platform.missing, 0, "frames")
    yield at_most(f"{name}: wrong values", it.platform.wrong, 0, "frames")
    yield shown(f"{name}: delivered twice", it.platform.repeated, "frames")
    yield shown(f"{name}: on the wire", it.platform.bytes / max(delivered, 1), "bytes/sample")
    yield at_most(f"{name}: exit code after SIGTERM", abs(code), 0)


def outage(name: str, interval: str) -> Iterator[Row]:
    with scene(interval, through_uplink=True) as it:
        it.watch(WARM)
        it.uplink.cut()
        it.watch(1)
        before = it.platform.samples
        it.watch(OUTAGE - 1)
        if it.platform.samples != before:
            raise RuntimeError("the uplink is cut, and samples came through")
        back, owed = it.farm.age(), it.farm.samples
        it.uplink.join()
        yield at_most(f"{name}: drained", drained(it, back, owed) - back, 10, "s after it was back")
        it.watch(2)
        yield shown(f"{name}: peak RSS", it.agent.peak(), "MB")
        served, delivered, code = it.finish()
        yield at_most(f"{name}: missing of {served:,} samples", served - delivered, 0, "samples")
        yield at_most(f"{name}: gaps in the sequence", it.platform.missing, 0, "frames")
        yield shown(f"{name}: delivered twice", it.platform.repeated, "frames")
        yield at_most(f"{name}: exit code after SIGTERM", abs(code), 0)


def drained(it: Scene, back: float, owed: int) -> float:
    """When (age of the farm, s) the last of the `owed` samples came that the devices had served by `back`."""
    end = back + DRAIN
    while it.farm.age() < end:
        it.agent.check()
        old = [(came, n) for came, born, n in zip(*it.platform.frames(), strict=True) if born <= back]
        if sum(n for _, n in old) >= owed:
            return max(came for came, _ in old)
        time.sleep(0.2)
    return end
