"""Each row of the fault table, a few times; `make faults` does it as often as the table says."""

from pathlib import Path

import pytest

from tests.faults.rows import ALL
from tests.faults.table import Row

ALONE = pytest.mark.xdist_group("disks")  # a row with mounts of its own holds on to the disks of another
ROWS = [pytest.param(each, id=each.name, marks=ALONE if each.needs else ()) for each in ALL if each.short]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("each", ROWS)
def test_fault(each: Row, tmp_path: Path) -> None:
    if not each.possible:
        pytest.skip(f"needs {each.needs}")
    seen = each(tmp_path, each.short)
    assert not seen.misses
