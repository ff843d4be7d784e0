"""The rows file against a dict: whatever is put, found, forgotten and opened again."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.timeseries.samples import ACCOUNT, NODE, OTHER_NODE
from timeseries.rows import MOST_FREE, RowsFile
from timeseries.rows_schema import VERSION
from timeseries.store import DAY_MS, HOUR_MS, Hour, Level, Place, Row, SeriesKey, Span

PERIODS = {level: [level.period(days * DAY_MS) for days in (0, 1, 40)] for level in Level}
CPU = SeriesKey(ACCOUNT, NODE, "cpu", "")
MEM = SeriesKey(ACCOUNT, NODE, "mem", "")

series = st.builds(
    SeriesKey,
    st.just(ACCOUNT),
    st.sampled_from([NODE, OTHER_NODE]),
    st.sampled_from(["cpu", "disk", "net"]),
    st.sampled_from(["", "/"]),
)
places = st.tuples(series, st.sampled_from(Level), st.integers(0, 2)).map(
    lambda found: Place(found[0], found[1], PERIODS[found[1]][found[2]])
)
data = st.builds(
    lambda same, rest: b"sealed." + b"s" * same + rest, st.integers(0, 200), st.binary(max_size=9)
)
puts = st.dictionaries(places, data | st.just(b"large" * 3000), min_size=1, max_size=12)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[RowsFile]:
    file = RowsFile(tmp_path / "rows.db")
    file.thd_open()
    yield file
    file.thd_close()


def hour(node_id: str = NODE, start_ms: int = 0) -> Hour:
    return Hour(ACCOUNT, node_id, start_ms, 1)


def put(file: RowsFile, *rows: Row) -> None:
    file.thd_put(hour(), rows)


def raw(number: int, data: bytes, of: SeriesKey = CPU) -> Row:
    """A row of an hour, counted from the epoch."""
    return Row(Place(of, Level.RAW, number * HOUR_MS), data)


def rows_of(file: RowsFile, of: SeriesKey = CPU, hours: int = 1000) -> list[Row]:
    return file.thd_rows(of, Level.RAW, 0, hours * HOUR_MS)


@given(st.lists(puts, max_size=4), st.lists(places, max_size=6))
@settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_put_last_is_found(
    file: RowsFile, passes: list[dict[Place, bytes]], asked: list[Place]
) -> None:
    for node_id in (NODE, OTHER_NODE):
        file.thd_delete(ACCOUNT, node_id, 0)
    expected: dict[Place, bytes] = {}
    for made in passes:
        put(file, *[Row(*row) for row in made.items()])
        expected |= made
    wanted = {*asked, *expected}
    assert {row.place: row.data for row in file.thd_find(list(wanted))} == expected
    for place in wanted:
        found = {row.place: row.data for row in file.thd_rows(place.series, place.level, 0, 99 * DAY_MS)}
        assert found == {each: data for each, data in expected.items() if each[:2] == place[:2]}
        alone = [Row(place, expected[place])] if place in expected else []
        assert file.thd_find([place]) == alone
    keys = sorted({place.series for place in expected})
    assert [*file.thd_keys(ACCOUNT, NODE), *file.thd_keys(ACCOUNT, OTHER_NODE)] == keys


def test_a_transaction_that_fails_leaves_no_part_of_a_pass(file: RowsFile) -> None:
    put(file, raw(1, b"before"))
    too_large_for_sqlite = Row(Place(CPU, Level.RAW, 2**70), b"")
    with pytest.raises(OverflowError):
        put(file, raw(1, b"after"), raw(2, b"new"), too_large_for_sqlite)
    assert rows_of(file) == [raw(1, b"before")]
    assert len(file.thd_passed()) == 1


def test_spans_are_read_together_each_in_its_range(file: RowsFile) -> None:
    rows = [
        raw(number, b"%d of %s" % (number, of.check.encode()), of) for number in range(5) for of in (CPU, MEM)
    ]
    put(file, *rows)
    month = Row(Place(CPU, Level.HOUR, 0), b"month")
    put(file, month)
    unknown = CPU._replace(check="none")
    spans = [
        Span(CPU, Level.RAW, 0, 2 * HOUR_MS),
        Span(MEM, Level.RAW, 0, 2 * HOUR_MS),
        Span(unknown, Level.RAW, 0, 2 * HOUR_MS),
        Span(CPU._replace(node_id=OTHER_NODE), Level.RAW, 0, 2 * HOUR_MS),
        Span(MEM, Level.RAW, 4 * HOUR_MS, DAY_MS),
        Span(CPU, Level.HOUR, 0, DAY_MS),
        Span(CPU, Level.RAW, 0, 2 * HOUR_MS),
    ]
    first = [rows[0], rows[2]]
    assert file.thd_rows_of(spans) == [first, [rows[1], rows[3]], [], [], [rows[9]], [month], first]
    assert file.thd_rows_of([]) == []


@pytest.mark.parametrize("column", ["members", "data"])
def test_a_damaged_bundle_costs_no_other_until_a_pass_makes_it_anew(
    file: RowsFile, tmp_path: Path, column: str
) -> None:
    put(file, raw(1, b"one"), raw(1, b"of mem", MEM))
    put(file, raw(2, b"two"))
    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute(f"UPDATE bundle SET {column} = x'c1' WHERE period = ?", (HOUR_MS,))
    assert rows_of(file) == [raw(2, b"two")]
    assert file.thd_find([raw(1, b"").place, raw(1, b"", MEM).place]) == []
    put(file, raw(1, b"again"))
    assert rows_of(file) == [raw(1, b"again"), raw(2, b"two")]
    assert rows_of(file, MEM) == []
    assert file.thd_expire(Level.RAW, 9 * HOUR_MS) == 2


def test_a_damaged_row_that_stands_alone_costs_no_other(file: RowsFile, tmp_path: Path) -> None:
    first, _, second = PERIODS[Level.HOUR]
    months = [
        Row(Place(of, Level.HOUR, period), b"month" * 20) for period in (first, second) for of in (CPU, MEM)
    ]
    put(file, *months)
    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute("UPDATE bundle SET data = x'c1' WHERE period = ? AND series = 1", (first,))
    assert file.thd_rows(CPU, Level.HOUR, 0, 99 * DAY_MS) == [months[2]]
    assert file.thd_find([row.place for row in months]) == months[1:]


def test_a_file_shrinks_when_much_of_it_has_expired(file: RowsFile, tmp_path: Path) -> None:
    for number in range(200):
        put(file, raw(number, bytes([number]) + random.randbytes(20_000)))
    file.thd_close()
    full = (tmp_path / "rows.db").stat().st_size
    file.thd_open()
    assert file.thd_expire(Level.RAW, 150 * HOUR_MS) == 150
    assert [row.data[0] for row in rows_of(file)] == list(range(150, 200))
    file.thd_close()
    assert (tmp_path / "rows.db").stat().st_size < full * (0.25 + MOST_FREE)
    file.thd_open()


@pytest.mark.parametrize(
    ("version", "advice"), [(1, "move the file away"), (VERSION + 1, "update it, or move")]
)
def test_a_file_of_another_version_is_refused_with_what_to_do(
    file: RowsFile, tmp_path: Path, version: int, advice: str
) -> None:
    file.thd_close()
    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(sqlite3.DatabaseError, match=f"has version {version}, .*: {advice}"):
        file.thd_open()
