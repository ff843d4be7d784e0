"""The first form of the rows file is carried over with all that is in it, once, whatever interrupts it."""

import sqlite3
from pathlib import Path
from unittest import mock

import pytest

from tests.timeseries.samples import ACCOUNT, NODE, OTHER_NODE
from timeseries import former_rows
from timeseries.former_rows import thd_carry_over
from timeseries.rows import RowsFile
from timeseries.store import HOUR_MS, Hour, Level, Place, Row, SeriesKey

SERIES = [SeriesKey(ACCOUNT, node, check, "") for node in (NODE, OTHER_NODE) for check in ("cpu", "mem")]
ROWS = [
    Row(Place(series, level, level.period(n * HOUR_MS)), b"%d of %s" % (n, series.check.encode()))
    for series in SERIES
    for level in Level
    for n in (0, 1000, 2000)
]
PASSED = Hour(ACCOUNT, NODE, HOUR_MS, 7)
FORMER = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL, node TEXT NOT NULL, "check" TEXT NOT NULL, key TEXT NOT NULL,
    UNIQUE (account, node, "check", key)
);
CREATE TABLE row (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL, level TEXT NOT NULL, period INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (series, level, period)
);
CREATE INDEX row_age ON row (level, period);
CREATE TABLE passed (
    account TEXT NOT NULL, node TEXT NOT NULL, hour INTEGER NOT NULL, mark INTEGER NOT NULL,
    PRIMARY KEY (account, node, hour)
) WITHOUT ROWID;
CREATE TABLE deleted (
    account TEXT NOT NULL, node TEXT NOT NULL, mark INTEGER NOT NULL, PRIMARY KEY (account, node)
) WITHOUT ROWID;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of the first form, as a crash leaves it: what was written last is in its log alone."""
    path = tmp_path / "rows.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA page_size = 16384")
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(FORMER)
    database.executemany(
        "INSERT INTO series VALUES (?, ?, ?, ?, ?)", [(n, *key) for n, key in enumerate(SERIES)]
    )
    for place, data in ROWS:
        row = SERIES.index(place.series), place.level.value, place.period_ms, data
        database.execute("INSERT INTO row (series, level, period, data) VALUES (?, ?, ?, ?)", row)
    database.execute("INSERT INTO passed VALUES (?, ?, ?, ?)", PASSED)
    database.execute("INSERT INTO deleted VALUES (?, 'n3', 5)", (ACCOUNT,))
    log = path.with_name("rows.db-wal")
    kept = path.read_bytes(), log.read_bytes()
    database.close()
    path.write_bytes(kept[0])
    log.write_bytes(kept[1])
    return path


def check(path: Path) -> None:
    """It is a file of today with all that was in the former one."""
    file = RowsFile(path)
    file.thd_open()
    assert sorted(file.thd_find([row.place for row in ROWS]), key=ROWS.index) == ROWS
    assert file.thd_passed() == [PASSED]
    assert file.thd_deleted() == [(ACCOUNT, "n3", 5)]
    file.thd_close()
    assert [each.name for each in path.parent.iterdir()] == ["rows.db"]


def test_rows_and_marks_are_carried_over_once(path: Path) -> None:
    assert thd_carry_over(path) == 2
    check(path)
    assert thd_carry_over(path) == 0
    check(path)


def test_where_there_is_no_file_there_is_nothing_to_carry_over(tmp_path: Path) -> None:
    assert thd_carry_over(tmp_path / "rows.db") == 0
    assert not list(tmp_path.iterdir())


def test_what_is_interrupted_begins_anew(path: Path) -> None:
    with mock.patch.object(RowsFile, "thd_take", side_effect=[None, OSError]), pytest.raises(OSError):  # noqa: PT011
        thd_carry_over(path)
    assert path.with_name("rows.db.new").exists()
    path.with_name("rows.db.new").write_bytes(b"cut short")
    assert thd_carry_over(path) == 2
    check(path)


def test_a_file_that_is_in_use_is_not_replaced(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("SELECT count(*) FROM row").fetchone()
    with mock.patch.object(former_rows, "LOCK_S", 0), pytest.raises(sqlite3.OperationalError):
        thd_carry_over(path)
    database.close()
    assert thd_carry_over(path) == 2
    check(path)
