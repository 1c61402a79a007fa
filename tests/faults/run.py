"""Breaks everything as often as the table says, prints the table, and ends with 1 if anything missed its mark.

python tests/faults/run.py [--short] [NAME…]        NAME: a row, or the file it is in
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.faults.rows import ALL
from tests.faults.table import attempts, markdown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--short", action="store_true", help="few runs of each, as in `make test`")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    wanted = [each for each in ALL if not arguments.names or {each.name, each.file} & {*arguments.names}]
    wanted = [each for each in wanted if each.short or not arguments.short]
    lines = list(attempts(wanted, short=arguments.short))
    if arguments.json:
        print(json.dumps([{"row": each.name, "seen": s if isinstance(s, str) else s.figures} for each, s in lines]))
    else:
        print(markdown(lines))
    return int(not wanted or any(isinstance(seen, str) or seen.misses for _, seen in lines))


if __name__ == "__main__":
    sys.exit(main())
