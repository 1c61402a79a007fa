"""`make bench [AREA=…]`: one row per figure, `area | what | seen | bar | ok or MISS`; ends with 1 on a MISS.

An area is a module in `areas/` with a function `rows()`, and a name in AREAS.
"""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

from report import Row

from agent.model.errors import AgentError

AREAS = (
    "main",
    "store",
    "backlog",
    "line",
    "modbus",
    "wire",
    "opcua",
    "opcua_browse",
    "northbound",
    "pull",
    "shapes",
    "normalise",
    "commissioning",
    "changing",
    "metrics",
    "packaging",
    "start",
)


def main(wanted: list[str]) -> int:
    unknown = set(wanted) - set(AREAS)
    if unknown:
        print(f"bench: no area {', '.join(sorted(unknown))}; there is {', '.join(AREAS)}", file=sys.stderr)
        return 2
    missed = 0
    print("area | what | seen | bar | ok or MISS", flush=True)
    for area in wanted or AREAS:
        for row in rows(area):
            print(row.line(area), flush=True)
            missed += row.ok is False
    if missed:
        print(f"bench: {missed} MISS", file=sys.stderr)
    return 1 if missed else 0


def rows(area: str) -> Iterator[Row]:
    """An area that breaks down is a MISS, and the next one has its turn."""
    try:
        yield from import_module(f"areas.{area}").rows()
    except (OSError, RuntimeError, subprocess.SubprocessError, AgentError) as error:
        print(error, file=sys.stderr)
        yield Row("broke down", str(error).partition("\n")[0], "-", ok=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
