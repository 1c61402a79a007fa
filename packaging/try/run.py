"""Proves the packages in dist/ on Debian roots, prints the table, and ends with 1 if anything missed its mark.

python packaging/try/run.py [--json] [NAME…]        NAME: a row, or the file it is in

It works in namespaces of its own, without a network, on a disk that is a file without a name. A process beside it, the
janitor, ends what is left when it goes, however it goes.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from roots import KEPT, ROOT, ROOTS, prepare

_AT_ONCE = 2  # rows; they wait as often as they work
_DISK = 12  # GB, of which only what is written takes room

# Waits until stdin closes, then ends every process of the control group and removes it and what lies about.
_JANITOR = """
import pathlib, shutil, sys, time
group, scratch = map(pathlib.Path, sys.argv[1:])
sys.stdin.read()
for _ in range(200):
    if group.exists():
        (group / "cgroup.kill").write_text("1")
        for folder in [*sorted(group.rglob("*/"), reverse=True), group]:
            try:
                folder.rmdir()
            except OSError:
                pass
    if not group.exists():
        break
    time.sleep(0.05)
shutil.rmtree(scratch, ignore_errors=True)
scratch.with_suffix(".image").unlink(missing_ok=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments.names, as_json=arguments.json)
    if os.geteuid():
        return fail("it mounts, boots and breaks machines: run it as root (sudo make package-test)")
    groups = control_groups()
    if not groups:
        return fail("systemd needs control groups of version 2: mount -t cgroup2 none /sys/fs/cgroup/unified")
    return outside(groups, sys.argv[1:])


def outside(groups: Path, words: list[str]) -> int:
    """Make the roots, which needs the network, and start the rest without one."""
    group, scratch = groups / f"floorgate-try-{os.getpid()}", KEPT / f"scratch-{os.getpid()}"
    scratch.mkdir(parents=True)
    janitor = subprocess.Popen(
        [sys.executable, "-c", _JANITOR, str(group), str(scratch)], stdin=subprocess.PIPE, start_new_session=True
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        prepare(ROOTS, scratch)
        group.mkdir()
        flags = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        command = ["sh", "-c", 'echo 0 >"$0/cgroup.procs"; exec unshare "$@"', str(group), *flags]
        places = {"TRY_SCRATCH": str(scratch), "TRY_CGROUP": str(group), "TRY_HELD": str(scratch / "held")}
        places |= {"TMPDIR": str(scratch / "tmp"), "PYTHONPATH": f"{ROOT}:{ROOT / 'packaging'}"}
        began = time.monotonic()
        done = subprocess.run(
            [*command, sys.executable, __file__, "--inside", *words], env={**os.environ, **places}, check=False
        )
        print(f"took {time.monotonic() - began:.0f} s, {processor(group):.0f} s of a processor", file=sys.stderr)
    except (RuntimeError, OSError) as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
    else:
        return done.returncode
    finally:
        janitor.communicate(timeout=60)


def inside(names: list[str], *, as_json: bool) -> int:
    """In our own namespaces: a disk that is gone with them, loopback, and the rows."""
    scratch = Path(os.environ["TRY_SCRATCH"])
    image = scratch.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(_DISK << 30)
    quick = ["-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard"]
    call("mkfs.ext4", *quick, image)
    call("mount", "-o", "loop", image, scratch)
    image.unlink()
    device = call("findmnt", "-no", "SOURCE", scratch).strip()
    # Nothing is kept over a power cut: dpkg's many fsyncs need not reach the disk.
    Path("/sys/block", Path(device).name, "queue/write_cache").write_text("write through")
    call("ip", "link", "set", "lo", "up")
    for name in ("held", "tmp"):
        (scratch / name).mkdir()
    from products import hold  # noqa: PLC0415  # it says what is missing in dist/
    from rows.table import ALL  # noqa: PLC0415
    from tests.faults.table import attempts, markdown  # noqa: PLC0415

    problem = hold(scratch / "held")
    if problem:
        return fail(problem)
    unknown = {*names} - {name for each in ALL for name in (each.name, each.file)}
    if unknown:
        return fail(f"no row is called {', '.join(sorted(unknown))}; they are: {' '.join(each.name for each in ALL)}")
    wanted = [each for each in ALL if not names or {each.name, each.file} & {*names}]
    lines = list(attempts(wanted, at_once=_AT_ONCE))
    if as_json:
        print(json.dumps([{"row": each.name, "seen": s if isinstance(s, str) else s.figures} for each, s in lines]))
    else:
        print(markdown(lines, "package"))
    return int(any(isinstance(seen, str) or seen.misses for _, seen in lines))


def call(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def processor(group: Path) -> float:
    """Seconds of processor time that all in it took (cgroup-v2, cpu.stat)."""
    told = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(told["usage_usec"]) / 1e6


def control_groups() -> Path | None:
    """Where the tree of version 2 is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def fail(why: str) -> int:
    print(f"package-test: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
