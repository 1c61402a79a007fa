"""Whatever is put in place of a configuration is refused with the reason, and costs a bounded amount of memory.

How much CPU it takes is a row of `tests/bench`, which takes all cases.
"""

import json
import subprocess
import sys

import pytest

from tests.lengths import often
from tests.sim.bad_config import CASES, put

pytestmark = pytest.mark.xdist_group("bad_input")  # so that it is done once
MOST = 50 << 10  # KB more than for a site that is right
LENGTHY = (
    *("numbers in a list", "lists in a list", "tags of one name", "a long list of numbers", "different numbers"),
    *("tags without an address", "tags of a group that is not"),  # much as `tags with unknown keys`
)
NAMES = [name for name in CASES if name not in LENGTHY or often(0, 1)]
CHILD = """
import json, os, resource, sys
from pathlib import Path
from agent.config import Invalid, load
pairs = json.load(sys.stdin)
load(Path(pairs[0][0]), {"HOME": "x"})
for _, bad in pairs:
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    before, said = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, ""
    try:
        load(Path(bad), {"HOME": "x"})
    except Invalid as error:
        said = str(error.problems[0])
    print(json.dumps([said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """What is said of each case, and the memory that it took in KB; each has a process of its own, with all code."""
    pairs = [put(name, tmp_path_factory.mktemp("case")) for name in NAMES]
    asked = json.dumps([[str(path) for path in pair] for pair in pairs])
    ran = subprocess.run([sys.executable, "-c", CHILD], input=asked, capture_output=True, text=True, check=True)
    return {name: tuple(json.loads(line)) for name, line in zip(NAMES, ran.stdout.splitlines(), strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_refused_with_the_reason_and_little_memory(name: str, seen: dict[str, tuple[str, int]]) -> None:
    said, more = seen[name]
    assert CASES[name].said in said
    assert said
    assert more < MOST
