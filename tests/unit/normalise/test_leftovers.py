"""A state that nobody asks for any more is kept for a month of running, and then forgotten, piece by piece."""

from collections.abc import Iterator, Mapping, Sequence

import pytest

from agent.model.frame import Frame
from agent.model.tag import Schema, Tag
from agent.normalise import Steps, steps
from agent.normalise.api import Context
from agent.normalise.leftovers import HOUR, MOST
from agent.normalise.parcels import PIECE, join, parcels
from agent.normalise.rules import Rules

METER, PRESS = (Schema(device, "1s", (Tag("a"),)) for device in ("meter", "press"))


class Part:
    """Keeps as many bytes as it is told to, and makes nothing."""

    must = may = False

    def __init__(self) -> None:
        self.state = b""

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        return ()

    def dump(self) -> bytes:
        return self.state

    def load(self, kept: bytes) -> None:
        self.state = kept


built: dict[str, Part] = {}


def build(schema: Schema, rules: Sequence[Rules], context: Context) -> Part:
    del rules, context
    return built.setdefault(schema.device, Part())


@pytest.fixture(autouse=True)
def tapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(steps.TAPS, "part", build)
    built.clear()
    yield
    built.clear()


class Table:
    """What the store has."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def commit(self, kept: Mapping[str, bytes | None]) -> None:
        for key, value in kept.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


def started(table: Table, *schemas: Schema) -> Steps:
    built.clear()
    found = Steps(schemas)
    found.restore(table.rows)
    return found


def hours(of: Steps, table: Table, count: int, since: int = 0) -> None:
    for hour in range(since, since + count + 1):
        assert list(of.tick(0, hour * HOUR)) == []
        table.commit(of.kept(hour * HOUR))


def test_a_state_that_shrinks_leaves_no_piece_behind() -> None:
    table = Table()
    here = started(table, METER)
    for size, pieces in ((3 * PIECE, 3), (PIECE + 1, 2), (5, 1), (2 * PIECE, 2)):
        built["meter"].state, built["meter"].must = bytes(size), True
        table.commit(here.kept(0))
        assert len(table.rows) == pieces
        assert join(table.rows) == {"normal/meter/1s/part": bytes(size)}


def test_what_is_asked_for_is_never_forgotten_and_the_rest_is_after_a_month_of_running() -> None:
    table = Table()
    table.rows = {**parcels("normal/meter/1s/part", b"mine"), **parcels("normal/gone/1s/part", bytes(2 * PIECE))}
    table.rows["learnt/meter"] = b"not ours"
    here = started(table, METER)
    hours(here, table, MOST)
    assert set(join(table.rows)) == {"normal/meter/1s/part", "normal/gone/1s/part", "normal/leftovers"}
    hours(here, table, 1, since=MOST)
    assert set(join(table.rows)) == {"normal/meter/1s/part", "normal/leftovers"}
    assert table.rows["learnt/meter"] == b"not ours"
    assert built["meter"].state == b"mine"


def test_hours_of_several_runs_add_up() -> None:
    table = Table()
    table.rows = parcels("normal/gone/1s/part", b"old")
    for _ in range(10):
        hours(started(table), table, MOST // 10)
    assert "normal/gone/1s/part/0" in table.rows
    hours(started(table), table, 1)
    assert "normal/gone/1s/part/0" not in table.rows


def test_a_device_that_comes_late_finds_its_state_and_the_count_begins_anew() -> None:
    table = Table()
    table.rows = parcels("normal/press/1s/part", b"total")
    here = started(table, METER)
    hours(here, table, MOST)
    here.output(PRESS)
    assert built["press"].state == b"total"
    hours(here, table, 2, since=MOST)
    assert "normal/press/1s/part/0" in table.rows
    again = started(table, METER)
    hours(again, table, MOST)
    assert "normal/press/1s/part/0" in table.rows


def test_pieces_that_fit_nothing_go_at_once() -> None:
    table = Table()
    table.rows = {"normal/meter/1s/part/1": b"half of something", "normal/x": b"", "learnt/x/1": b""}
    here = started(table, METER)
    table.commit(here.kept(0))
    assert set(table.rows) == {"learnt/x/1"}


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x92\x01\x02", b"\x92\x01\x81\xa1\xff\x01"])
def test_a_count_that_is_junk_begins_anew(junk: bytes) -> None:
    table = Table()
    table.rows = {**parcels("normal/gone/1s/part", b"old"), **parcels("normal/leftovers", junk)}
    here = started(table)
    hours(here, table, MOST)
    assert "normal/gone/1s/part/0" in table.rows
