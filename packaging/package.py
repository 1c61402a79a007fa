"""`make package`: all that is shipped, step by step; `make package STEP="bundle deb"` does some of it.

A step is a function that takes the Context. It works in build/ and moves what is finished to dist/. Its name, and where
it is, stand in STEPS, in the order in which they are done.
"""

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import glibc
from context import Context, Failure, here, say, size

STEPS = {
    "wheel": "bundle.wheel",
    "bundle": "bundle.bundle",
    "onefile": "bundle.onefile",
    "licenses": "licenses.step",
    "deb": "native.deb",
    "rpm": "native.rpm",
    "offline": "offline.step",
    "sbom": "sbom.step",
    "sums": "sums.step",
}
LAST = ("SHA256SUMS", "SHA256SUMS.sig")  # say something of all others, so they go when one of those is made anew
MB = 1_000_000


class Bar(NamedTuple):
    """The most that a product may have: a pattern below the root, and megabytes."""

    what: str
    pattern: str
    most: float


BARS = (
    Bar("onedir", "build/onedir/floorgate", 95),
    Bar("deb", "dist/*.deb", 40),
    Bar("onefile", "dist/floorgate-*-linux-*[!z]", 42),
)


def main(words: Sequence[str]) -> int:
    """Do the steps that are named, or all. 0: done; 1: a bar is missed, or a step failed; 2: there is no such step."""
    unknown = [word for word in words if word not in STEPS]
    if unknown:
        say(f"package: there is no step {unknown[0]!r}; the steps are: {', '.join(STEPS)}")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the tool that runs is ended, too
    try:
        context = here()
        if not words:
            shutil.rmtree(context.dist, ignore_errors=True)
        chosen = [name for name in STEPS if name in words or not words]
        took: dict[Path, float] = {}
        for place, name in enumerate(chosen, 1):
            took |= _do(context, name, f"[{place}/{len(chosen)}]")
        return _judge(context, took)
    except KeyboardInterrupt:
        say("\npackage: interrupted; what is in dist/ is whole, but not all of it is there")
        return 130
    except Failure as failure:
        _tell(failure)
        return 1


def _do(context: Context, name: str, place: str) -> dict[Path, float]:
    """The products that the step has made, each with how long it took, in seconds."""
    began, before = time.monotonic(), _products(context)
    for last in LAST:
        (context.dist / last).unlink(missing_ok=True)
    try:
        with _waiting(f"{place} {name}"):
            _step(name)(context)
    except Failure as failure:
        failure.args = (f"{name}: {failure}",)
        raise
    except OSError as error:
        hint = "is the disk full, or not ours to write to? nothing half-made is in dist/"
        raise Failure(f"{name}: {error.filename or context.build}: {error.strerror or error}", hint=hint) from error
    took, after = time.monotonic() - began, _products(context)
    made = [each for each in sorted(after) if after[each] != before.get(each)]
    say(f"{place} {name} took {took:.1f} s: {', '.join(each.name for each in made)}")
    return dict.fromkeys(made, took)


@contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say what is under way, and on a terminal for how long."""
    began, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(1.0):
            print(f"\r{what} … {time.monotonic() - began:.0f} s ", end="", file=sys.stderr, flush=True)

    say(f"{what} …")
    ticker = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        ticker.start()
    try:
        yield
    finally:
        done.set()
        if sys.stderr.isatty():
            ticker.join()
            print("\r\033[K", end="", file=sys.stderr)


def _step(name: str) -> Callable[[Context], object]:
    module, _, function = STEPS[name].partition(".")
    step: Callable[[Context], object] = getattr(import_module(module), function)
    return step


def _products(context: Context) -> dict[Path, int]:
    """What is there, and when each was last changed; what was left half-way by a kill goes."""
    for half in context.dist.glob(".*.part"):
        half.unlink()
    there = [*context.dist.glob("*"), *context.root.glob(BARS[0].pattern)]
    return {each: each.stat().st_ctime_ns for each in there}


def _tell(failure: Failure) -> None:
    for line in failure.said.splitlines():
        say(f"    | {line}")
    say(f"package: {failure}" + (f"\n         {failure.hint}" if failure.hint else ""))


def _judge(context: Context, took: Mapping[Path, float]) -> int:
    """A table of what there is, against the bars."""
    barred = {path: bar.most for bar in BARS for path in context.root.glob(bar.pattern)}
    there = sorted({*context.dist.glob("*"), *barred})
    say(f"\n{'product':<56}{'MB':>8}{'at most':>9}{'seconds':>9}")
    missed = False
    for path in there:
        megabytes, most = size(path) / MB, barred.get(path)
        missed |= most is not None and megabytes > most
        told = f"{path.relative_to(context.root)!s:<56}{megabytes:>8.1f}{most or '':>9}"
        told += f"{took[path]:>9.1f}" if path in took else ""
        say(told + ("  TOO LARGE" if most is not None and megabytes > most else ""))
    if (onedir := context.root / BARS[0].pattern).is_dir():
        say("it needs glibc {} or later, for {}".format(*glibc.floor(context, onedir)))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
