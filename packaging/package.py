"""`make package`: all that is shipped, step by step; `make package STEP="bundle deb"` does some of it.

A step is a function that takes the Context. It works in build/ and moves what is finished to dist/. Its name, and where
it is, stand in STEPS, in the order in which they are done.
"""

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

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
        for place, name in enumerate(chosen, 1):
            _do(context, name, f"[{place}/{len(chosen)}]")
    except KeyboardInterrupt:
        say("\npackage: interrupted; what is in dist/ is whole, but not all of it is there")
        return 130
    except Failure as failure:
        _tell(failure)
        return 1
    return _judge(context)


def _do(context: Context, name: str, place: str) -> None:
    began, before = time.monotonic(), _products(context.dist)
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
    say(f"{place} {name} took {time.monotonic() - began:.1f} s")
    after = _products(context.dist)
    for product in sorted(after):
        if after[product] != before.get(product):
            say(f"      {product}  {size(context.dist / product) / MB:.1f} MB")


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


def _products(dist: Path) -> dict[str, int]:
    """What is there, and when each was last changed; what was left half-way by a kill goes."""
    if not dist.is_dir():
        return {}
    for half in dist.glob(".*.part"):
        half.unlink()
    return {each.name: each.stat().st_ctime_ns for each in dist.iterdir()}


def _tell(failure: Failure) -> None:
    for line in failure.said.splitlines():
        say(f"    | {line}")
    say(f"package: {failure}" + (f"\n         {failure.hint}" if failure.hint else ""))


def _judge(context: Context) -> int:
    """A table of what there is, against the bars."""
    say(f"\n{'product':<56}{'MB':>8}{'at most':>9}")
    rows = list(_rows(context))
    for name, bytes_, most in rows:
        bar = f"{most:>9g}" if most else ""
        say(f"{name:<56}{bytes_ / MB:>8.1f}{bar}{'  TOO LARGE' if most and bytes_ > most * MB else ''}")
    return int(any(most and bytes_ > most * MB for _, bytes_, most in rows))


def _rows(context: Context) -> Iterable[tuple[str, int, float]]:
    barred = {path: bar.most for bar in BARS for path in context.root.glob(bar.pattern)}
    others = dict.fromkeys(sorted(context.dist.glob("*")), 0.0)
    for path, most in {**others, **barred}.items():
        yield str(path.relative_to(context.root)), size(path), most


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
