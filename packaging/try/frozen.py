"""Tries a bundle: every page, every command, and what a bundle of other programs often lacks.

    build/venv/bin/python packaging/try/frozen.py [PROGRAM]

PROGRAM is build/onedir/floorgate/floorgate unless told; the onefile and an installed one do as well. Its pages are held
against those of the checkout, so it must be of the same commit. Needs mosquitto and openssl; as root it also looks at
certificates where other distributions have them. Ends with 1 when something is not well.
"""

import io
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging"), str(Path(__file__).parent)]

import click  # noqa: E402  # the path comes first

import frozen_stage as stage  # noqa: E402
from agent.cli import BAD_CONFIG  # noqa: E402
from agent.cli import main as ours  # noqa: E402
from frozen_stage import Program, hold  # noqa: E402

START = 0.15  # seconds that `--version` may take
SHELF = ROOT / "configs/devices"


def version(program: Program) -> str:
    """It says its version, and soon; the processor's time counts where others keep the machine busy."""
    took, work = [], []
    for _ in range(9):
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        said = program.run("--version").strip()
        took.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        hold(said.startswith("floorgate "), f"--version said {said!r}")
    told = f"{min(took):.3f} s at best, {statistics.median(work):.3f} s of them work"
    hold(min(*took, statistics.median(work)) <= START or not program.is_folder, f"{told}; {START} s are allowed")
    return told


def pages(program: Program) -> str:
    """The help of each command and subcommand, in both languages, is that of the source."""
    asked = [("--lang", language, *words, "--help") for words in commands(ours) for language in ("en", "zh")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(lambda words: program.run(*words, COLUMNS="80"), asked)
        for words, text in zip(asked, told, strict=True):
            hold(text == page(words), f"{' '.join(words)} differs from what the source says")
    return f"{len(asked)} pages"


def page(words: tuple[str, ...]) -> str:
    """As the source has it."""
    os.environ["COLUMNS"] = "80"
    said = io.BytesIO()
    with io.TextIOWrapper(said, "utf-8") as text, redirect_stdout(text):
        ours.main(words, prog_name="floorgate", standalone_mode=False)
        text.flush()
        return said.getvalue().decode("utf-8")


def commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield above
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))
        else:
            yield (*above, name)


def locales(program: Program) -> str:
    """It speaks by the locale, and where that cannot show Chinese it speaks English instead of failing."""
    hold("用法" in program.run("--help", LC_ALL="zh_CN.UTF-8"), "zh_CN.UTF-8 got no Chinese")
    hold("Usage" in program.run("--help", LC_ALL="de_DE.UTF-8"), "de_DE.UTF-8 got no English")
    for locale in ("C", "POSIX", "zh_CN.GBK"):
        hold("demo" in program.run("--help", LC_ALL=locale), f"{locale} got no page")
    return "zh_CN.UTF-8, de_DE.UTF-8, C, POSIX, zh_CN.GBK"


def files(program: Program) -> str:
    """Schema and maps are there, and every example is fine."""
    for options, name in (((), "floorgate"), (("--map",), "device-map")):
        told = json.loads(program.run("schema", *options))
        hold(
            told == json.loads((ROOT / f"configs/{name}.schema.json").read_text("utf-8")), f"the schema {name} differs"
        )
    examples = sorted((ROOT / "configs/examples").glob("*.yaml"))
    program.run("check", *examples)
    maps = json.loads(program.run("maps", "list", "--json"))
    hold(len(maps) == len(list(SHELF.glob("*.yaml"))), f"there are {len(maps)} maps in it")
    for name in ("schneider-pm5000", "opcua-packml"):
        program.run("maps", "show", name)
    return f"{len(examples)} examples, {len(maps)} maps"


def tables(program: Program) -> str:
    """A map goes into a workbook of Excel, and comes back."""
    for kind in ("xlsx", "csv", "yaml"):
        program.run("export", "schneider-pm5000", "-o", f"map.{kind}")
        site = program.folder / f"{kind}.yaml"
        site.write_text(
            "gateway: {id: gw}\n"
            f"devices: [{{name: m, driver: modbus, endpoint: 'tcp://127.0.0.1', map: ./map.{kind}, interval: 1s}}]\n"
            "sinks: [{name: a, type: file, path: a.jsonl}]\n"
        )
        hold("26 tags" in program.run("check", site), f"the map in .{kind} did not come back whole")
    return "xlsx, csv, yaml"


def zones(program: Program) -> str:
    """Time zones are there where the system has none."""
    site = program.folder / "zone.yaml"
    text = (ROOT / "configs/examples/simulated-plant.yaml").read_text("utf-8")
    site.write_text(text.replace("gateway: {", "gateway: {timezone: Asia/Shanghai, "))
    hold("Asia/Shanghai" in site.read_text(), "the example has another head than this wants")
    program.run("check", site, PYTHONTZPATH="")
    site.write_text(site.read_text().replace("Asia/Shanghai", "Asia/Shangri-La"))
    hold("no time zone" in program.run("check", site, ends=BAD_CONFIG, PYTHONTZPATH=""), "Asia/Shangri-La is known")
    return "without /usr/share/zoneinfo"


def papers(program: Program) -> str:
    """Keys and certificates for OPC UA are made, shown and made anew."""
    program.run("pki", "renew", "--yes", "--data", "pki")
    own = json.loads(program.run("pki", "list", "--json", "--data", "pki"))
    hold(len(own) == 1, f"there are {len(own)} certificates")
    program.run("pki", "show", "own", "--data", "pki")
    return "own"


def demo(program: Program) -> str:
    """The demo, with its own processes, loses nothing."""
    said = program.run("demo", "--seconds", "8", seconds=90)
    hold("nothing lost" in said, said)
    return said.strip().splitlines()[-1]


def plant(program: Program) -> str:
    """An agent reads a simulated plant by Modbus and encrypted OPC UA, and delivers by MQTT, packed with zstd."""
    with stage.broker(program.folder / "broker") as broker, stage.simulated(program, broker) as site:
        count, took = stage.delivered(program, site, broker)
    return f"{count} frames by zstd; the first after {took:.1f} s"


def replaced(program: Program) -> str:
    """An agent whose files are gone, as while dpkg upgrades, goes on, and answers by modules that it had not needed."""
    if not program.is_folder:
        return "left out: it is no folder"
    old, port = program.folder / "old", stage.free_port()
    shutil.copytree(program.path.parent, old)
    site = program.folder / "replaced.yaml"
    site.write_text(
        "gateway: {id: gw}\n"
        "devices: [{name: d, driver: sim, interval: 1s, tags: [{name: x, wave: sine}]}]\n"
        "sinks: [{name: up, type: file, path: up.jsonl}]\n"
        f"status: {{listen: '127.0.0.1:{port}'}}\n"
    )
    agent = Program(old / program.path.name, program.folder).start("run", "-c", site, "--data", "replaced")
    try:
        stage.until_open(port)
        shutil.rmtree(old)
        codes = [stage.answer(port, path) for path in ("/metrics", "/healthz")]
        hold(codes[1] == 200, f"/metrics and /healthz answered {codes}; 0: nothing")
    finally:
        agent.terminate()
        ends = agent.wait(30)
    hold(ends == 0, f"it ended with {ends}")
    return f"/metrics answered {codes[0]}"


def trust(program: Program) -> str:
    """The certificates of the system are found where Debian has them, and where Red Hat and SUSE do."""
    if os.geteuid() != 0:
        return "left out: it needs root"
    with stage.broker(program.folder / "trust", tls=True) as broker:
        site = program.folder / "trust.yaml"
        site.write_text(
            "gateway: {id: gw}\n"
            "devices: [{name: d, driver: sim, interval: 1s, tags: [{name: x, wave: sine}]}]\n"
            f"sinks: [{{name: up, type: mqtt, url: 'mqtts://localhost:{broker.port}'}}]\n"
        )
        ask = ("check", "--online", site, "--data", program.folder / "trust-data")
        for place in stage.STORES:
            stage.elsewhere(program, broker.authority, place, *ask)
        stage.elsewhere(program, broker.authority, "", *ask, ends=1)
    return ", ".join(stage.STORES)


TRIES = (version, pages, locales, files, tables, zones, papers, demo, plant, replaced, trust)


def main(words: list[str]) -> int:
    """Try all, or those named behind the program."""
    path = Path(words[0] if words else ROOT / "build/onedir/floorgate/floorgate").resolve()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="floorgate-try-") as folder, chdir(folder):
        program = Program(path, Path(folder))
        for each in TRIES:
            if words[1:] and each.__name__ not in words[1:]:
                continue
            wrong += not stage.tried(each, program)
    return int(wrong > 0)


if __name__ == "__main__":
    if shutil.which("mosquitto") is None:
        os.environ["PATH"] += f"{os.pathsep}/usr/sbin"
    sys.exit(main(sys.argv[1:]))
