"""Whatever stands in a file is carried, or told: a key that nobody knows is named wherever it is put."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.imports.sources import Source
from tests.unit.imports.builders import CASES, case_name, changed, site, sources, walk

CANARY, WITHIN = "zz_canary", "zz_within"


def named(found: list[Source], case: Path, folder: Path) -> bool:
    told = "\n".join(site(found, case, folder).notes.text())
    return CANARY in told


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_key_that_nobody_knows_is_told_wherever_it_stands(case: Path, tmp_path: Path) -> None:
    given = sources(case)
    silent = []
    for number, source in enumerate(given):
        for way, value in walk(source.data):
            if isinstance(value, dict):
                data = changed(source.data, way, {**value, CANARY: {WITHIN: 1}})
                with_it = [replace(each, data=data) if at == number else each for at, each in enumerate(given)]
                if not named(with_it, case, tmp_path):
                    silent.append((source.name, way))
    assert silent == []


@pytest.mark.parametrize("case", [case for case in CASES if list(case.glob("*.csv"))], ids=case_name)
def test_a_cell_that_nobody_knows_is_told_in_every_row(case: Path, tmp_path: Path) -> None:
    (source,) = sources(case)
    silent = []
    for number, row in enumerate(source.rows):
        if str(row.cells[0]).startswith("#") or row.cells[0] == "Tag Name":
            continue
        width = max(len(each.cells) for each in source.rows)
        cells = (*row.cells, *[""] * (width - len(row.cells)), CANARY)
        rows = tuple(replace(each, cells=cells) if at == number else each for at, each in enumerate(source.rows))
        told = list(site([replace(source, rows=rows)], case, tmp_path).notes.text())
        where = row.place
        if not any(f"column {width + 1}" in line or CANARY in line for line in told):
            silent.append(where)
    assert silent == []


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_nothing_that_is_secret_is_written_down(case: Path, tmp_path: Path) -> None:
    found = site(sources(case), case, tmp_path)
    everything = found.texts["site.yaml"] + str(found.as_dict())
    assert not any(secret in everything for secret in ("t0psecret", "s3cret", "A1B2C3"))
