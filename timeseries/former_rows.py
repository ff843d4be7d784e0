"""The first form of the rows file, a SQLite row for each: what is found in it is carried over once."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from timeseries.rows import RowsFile
from timeseries.rows_schema import LOCK_S
from timeseries.store import Hour, Level, Place, Row, SeriesKey

IS_FORMER = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'row'"
NODES = "SELECT DISTINCT account, node FROM series"
ROWS = (
    'SELECT "check", key, level, period, data FROM row JOIN series ON series.id = row.series '
    "WHERE account = ? AND node = ?"
)


def thd_carry_over(path: Path) -> int:
    """Make the file anew with all its rows and marks, if it has the first form; how many nodes it has.

    Killed in the middle, it begins anew; until the end the file is what it was. Raises sqlite3.Error and
    OSError.
    """
    if not path.exists():
        return 0
    fresh = path.with_name(f"{path.name}.new")
    former = sqlite3.connect(path, LOCK_S, isolation_level=None)
    try:
        if not former.execute(IS_FORMER).fetchone():
            return 0
        # What is in its log comes into the file, which then is all that there is to replace.
        if former.execute("PRAGMA journal_mode = DELETE").fetchone() != ("delete",):
            raise sqlite3.OperationalError(f"{path} is in use")
        nodes = _carry(former, fresh)
    finally:
        former.close()
    fresh.replace(path)
    return nodes


def _carry(former: sqlite3.Connection, path: Path) -> int:
    for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        part.unlink(missing_ok=True)
    file = RowsFile(path)
    file.thd_open()
    try:
        for account_id, node_id, up_to in former.execute("SELECT * FROM deleted"):
            file.thd_delete(account_id, node_id, up_to)
        for passed in former.execute("SELECT * FROM passed"):
            file.thd_put(Hour(*passed), [])
        nodes = former.execute(NODES).fetchall()
        for node in nodes:
            file.thd_take(list(_rows(former, *node)))
    finally:
        file.thd_close()
    return len(nodes)


def _rows(former: sqlite3.Connection, account_id: str, node_id: str) -> Iterator[Row]:
    for check, key, level, period_ms, data in former.execute(ROWS, (account_id, node_id)):
        yield Row(Place(SeriesKey(account_id, node_id, check, key), Level(level), period_ms), data)
