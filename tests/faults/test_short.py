"""Each row of the fault table, a few times; `make faults` does it as often as the table says."""

from pathlib import Path

import pytest

from tests.faults.rows import ALL
from tests.faults.table import Row


@pytest.mark.timeout(240)
@pytest.mark.parametrize("each", [each for each in ALL if each.short], ids=lambda each: each.name)
def test_fault(each: Row, tmp_path: Path) -> None:
    if not each.possible:
        pytest.skip(f"needs {each.needs}")
    seen = each(tmp_path, each.short)
    assert not seen.misses
