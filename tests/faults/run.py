"""Breaks everything as often as the table says, prints the table, and ends with 1 if anything missed its mark.

python tests/faults/run.py [--short] [NAME…]        NAME: a row, or the file it is in
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults.rows import ALL
from tests.faults.table import Row, Seen, markdown


def attempt(each: Row, *, short: bool) -> Seen | str:
    """One row; what it could not do is said in a line, with the traceback on stderr."""
    if not each.possible:
        return f"not run: needs {each.needs}"
    with tempfile.TemporaryDirectory(prefix=f"floorgate-{each.name}-", ignore_cleanup_errors=True) as folder:
        try:
            return each(Path(folder), each.short if short else each.runs)
        except Exception as error:  # noqa: BLE001  # one row that breaks down must not hide the others
            traceback.print_exc()
            return f"broke down: {type(error).__name__}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--short", action="store_true", help="few runs of each, as in `make test`")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = [each for each in ALL if not arguments.names or {each.name, each.file} & {*arguments.names}]
    wanted = [each for each in wanted if each.short or not arguments.short]
    lines: list[tuple[Row, Seen | str]] = []
    for number, each in enumerate(wanted, 1):
        began = time.monotonic()
        print(f"[{number}/{len(wanted)}] {each.title} …", end=" ", file=sys.stderr, flush=True)
        seen = attempt(each, short=arguments.short)
        lines.append((each, seen))
        verdict = seen if isinstance(seen, str) else "; ".join(seen.misses) or "ok"
        print(f"{verdict} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps([{"row": each.name, "seen": s if isinstance(s, str) else s.figures} for each, s in lines]))
    else:
        print(markdown(lines))
    return int(not wanted or any(isinstance(seen, str) or seen.misses for _, seen in lines))


if __name__ == "__main__":
    sys.exit(main())
