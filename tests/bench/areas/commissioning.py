"""What a person waits for who sets up a site, and what a file costs that is none."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import rig
from report import Row, at_most

from tests.sim.bad_config import CASES, put

DEVICES, TAGS = 100, 100
MANY, EACH = 200, 50
POINTS = 5000  # rows of a table
EVERYTHING = (
    ", limits: {min: 0, max: 100, stuck: 1h}, counter: {intervals: [15m, 1h], demand: 15m}, "
    "alarms: {h: 90, hh: 95, hysteresis: 2, on_delay: 10s}, aggregate: {every: 15m, of: [min, max, mean]}, "
    "report: {when: on_change_or_period, deadband: 1%, period: 10m}"
)
TAG = "  - {{name: t{n}, address: {at}, type: float32, unit: kWh, kind: counter{more}}}\n"


class Cost(NamedTuple):
    """CPU in seconds, memory at its most in MB."""

    cpu: float
    memory: float


def rows() -> Iterator[Row]:
    with rig.folder() as place:
        rig.write_site(place, tuple(range(15000, 15000 + DEVICES)), TAGS, "1s", 1883)
        began = time.monotonic()
        subprocess.run([str(rig.FLOORGATE), "check", str(place / "site.yaml")], check=True, capture_output=True)
        yield at_most(f"check of {DEVICES} devices with {TAGS} tags: wall time", time.monotonic() - began, 2, "s")
    yield at_most("floorgate --help: CPU", min(_cost(["--help"]).cpu for _ in range(3)), 0.12, "s")
    yield from _checks("tags in the file", "", own_maps=False)
    yield from _checks("each its own map, all sections", EVERYTHING, own_maps=True)
    yield from _tables()
    yield from _bad()


def _tables() -> Iterator[Row]:
    """The same map in both ways; the XLSX is made of the CSV."""
    with rig.folder() as place:
        lines = (f"tag_{n},{2 * n},浮点,CDAB,0.1,V,1s,第{n}点\n" for n in range(POINTS))
        table = place / "points.csv"
        table.write_text("# driver: modbus\n名称,地址,类型,字节序,倍率,单位,周期,备注\n" + "".join(lines), "utf-8")
        book = place / "points.xlsx"
        subprocess.run([str(rig.FLOORGATE), "export", str(table), "-o", str(book)], check=True, capture_output=True)
        for path in (table, book):
            costs = [_cost(["check", str(path)]) for _ in range(2)]
            what = f"check of a map of {POINTS:,} tags, {path.suffix[1:].upper()}"
            yield at_most(f"{what}: CPU", min(each.cpu for each in costs), 2, "s")
            yield at_most(f"{what}: RSS", max(each.memory for each in costs), 150, "MB")


def _checks(how: str, more: str, *, own_maps: bool) -> Iterator[Row]:
    with rig.folder() as place:
        _write(place, more, own_maps=own_maps)
        costs = [_cost(["check", str(place / "site.yaml")]) for _ in range(2)]
    what = f"check of {MANY} devices with {EACH} tags, {how}"
    yield at_most(f"{what}: CPU", min(each.cpu for each in costs), 2.5, "s")
    yield at_most(f"{what}: RSS", max(each.memory for each in costs), 200, "MB")


def _write(place: Path, more: str, *, own_maps: bool) -> None:
    tags = "".join(TAG.format(n=n, at=2 * n, more=more) for n in range(EACH))
    inline = tags.replace("  - ", "      - ")
    lines = ["gateway: {id: bench}\ndevices:\n"]
    for n in range(MANY):
        head = f"  - name: d{n}\n    driver: modbus\n    endpoint: tcp://127.0.0.{n + 1}\n"
        if own_maps:
            text = f"device: {{vendor: v, model: m{n}}}\ndriver: modbus\ntags:\n{tags}"
            (place / f"m{n}.yaml").write_text(text, "utf-8")
        lines.append(f"{head}    map: ./m{n}.yaml\n" if own_maps else f"{head}    tags:\n{inline}")
    (place / "site.yaml").write_text("".join(lines), "utf-8")


def _bad() -> Iterator[Row]:
    """Beside a good site, so that what is loaded anyway does not count."""
    most = Cost(0, 0)
    for name in CASES:
        with rig.folder() as place:
            good, bad = (_cost(["check", str(path)], 78) for path in put(name, place))
        most = Cost(max(most.cpu, bad.cpu - good.cpu), max(most.memory, bad.memory - good.memory))
    yield at_most(f"check of {len(CASES)} kinds of bad input, more than of a good site: CPU at most", most.cpu, 1, "s")
    yield at_most("bad input: RSS at most", most.memory, 50, "MB")


def _cost(arguments: Sequence[str], fine: int = 0) -> Cost:
    """Of one call of `floorgate`. Raises RuntimeError when it ends otherwise than with 0, or with `fine`."""
    child = subprocess.Popen(
        [str(rig.FLOORGATE), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, fine):
        raise RuntimeError(f"floorgate {' '.join(arguments)} ended with {child.returncode}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
