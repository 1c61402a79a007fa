"""Samples in the text format of Prometheus (exposition formats, text format 0.0.4).

A gateway of 2,000 devices and 10 sinks has 180,000 lines: a string for each, and nothing that the garbage collector
would have to look at.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from agent.health import Durations
from agent.status.families import Family

Values = Sequence[str]
Samples = Iterable[tuple[Values, float]]
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def lines(name: str, family: Family, samples: Samples) -> Iterator[str]:
    """A counter or a gauge, head first."""
    yield _head(name, family)
    labels = ",".join(f'{label}="%s"' for label in family.labels)
    line = f"{name}{{{labels}}} %s" if labels else f"{name} %s"
    for values, number in samples:
        yield line % (*[escaped(value) for value in values], spelt(number))


def histogram(name: str, family: Family, found: Durations) -> Iterator[str]:
    yield _head(name, family)
    seen = 0
    for bound, count in zip((*found.BOUNDS, math.inf), found.counts, strict=True):
        seen += count
        yield f'{name}_bucket{{le="{spelt(bound)}"}} {seen}'
    yield f"{name}_sum {spelt(found.sum)}"
    yield f"{name}_count {seen}"


def _head(name: str, family: Family) -> str:
    return f"# HELP {name} {family.what}\n# TYPE {name} {family.kind}"


def escaped(text: str) -> str:
    return text.translate(_ESCAPED) if '"' in text or "\\" in text or "\n" in text else text


def spelt(number: float) -> str:
    if isinstance(number, int):
        return str(int(number))  # of a bool, too
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
