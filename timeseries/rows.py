"""The rows of the embedded store: a SQLite file, and in it how far passes have seen the hot frames.

Everything here runs in the store's threads. A row is one of `timeseries.store.Row`; its series has a number.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from timeseries.store import Hour, Level, Place, Row, SeriesKey

LOCK_S = 10.0
PAGE_BYTES = 16384
"""Of a new file: several rows fit into a page, and a large one seldom needs pages of its own."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL, node TEXT NOT NULL, "check" TEXT NOT NULL, key TEXT NOT NULL,
    UNIQUE (account, node, "check", key)
);
CREATE TABLE IF NOT EXISTS row (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL, level TEXT NOT NULL, period INTEGER NOT NULL, data BLOB NOT NULL,
    UNIQUE (series, level, period)
);
CREATE INDEX IF NOT EXISTS row_age ON row (level, period);
CREATE TABLE IF NOT EXISTS passed (
    account TEXT NOT NULL, node TEXT NOT NULL, hour INTEGER NOT NULL, mark INTEGER NOT NULL,
    PRIMARY KEY (account, node, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deleted (
    account TEXT NOT NULL, node TEXT NOT NULL, mark INTEGER NOT NULL, PRIMARY KEY (account, node)
) WITHOUT ROWID;
"""
NUMBER = 'SELECT id FROM series WHERE account = ? AND node = ? AND "check" = ? AND key = ?'
NEW_NUMBER = 'INSERT INTO series (account, node, "check", key) VALUES (?, ?, ?, ?) RETURNING id'
KEYS = 'SELECT account, node, "check", key FROM series WHERE account = ? AND node = ? ORDER BY "check", key'
PUT = (
    "INSERT INTO row (series, level, period, data) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET data = excluded.data"
)
ROWS = (
    "SELECT period, data FROM row JOIN series ON series.id = row.series "
    'WHERE account = ? AND node = ? AND "check" = ? AND key = ? '
    "AND level = ? AND period >= ? AND period < ? ORDER BY period"
)
FIND = (
    "SELECT data FROM row JOIN series ON series.id = row.series "
    'WHERE account = ? AND node = ? AND "check" = ? AND key = ? AND level = ? AND period = ?'
)
EXPIRE = "DELETE FROM row WHERE level = ? AND period < ?"
DELETED = "SELECT 1 FROM deleted WHERE account = ? AND node = ? AND mark >= ?"
DELETE = (
    "DELETE FROM row WHERE series IN (SELECT id FROM series WHERE account = ? AND node = ?)",
    "DELETE FROM series WHERE account = ? AND node = ?",
    "DELETE FROM passed WHERE account = ? AND node = ?",
)


class RowsFile:
    """The file at `path`; `thd_open` comes first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def thd_open(self) -> None:
        """Make the file and its tables where they are missing; raises sqlite3.Error."""
        # No isolation level, for transactions are ours; and one thread at a time, not always the same.
        database = sqlite3.connect(self._path, LOCK_S, isolation_level=None, check_same_thread=False)
        database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(SCHEMA)
        self._connection = database

    def thd_close(self) -> None:
        """Let go of the file, if it was opened."""
        if self._connection is not None:
            self._connection.close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the file is not open")
        return self._connection

    def thd_put(self, hour: Hour, rows: Sequence[Row]) -> None:
        """In one transaction: the rows, and that the pass of this hour has seen the frames up to its mark.

        Nothing, when the node was deleted while the pass ran.
        """
        with self._transaction() as database:
            if database.execute(DELETED, (hour.account_id, hour.node_id, hour.mark)).fetchone():
                return
            for row in rows:
                series, level, period_ms = row.place
                database.execute(PUT, (self._number(series), level.value, period_ms, row.data))
            database.execute("INSERT OR REPLACE INTO passed VALUES (?, ?, ?, ?)", hour)

    def thd_passed(self) -> list[Hour]:
        """Up to which mark each hour has been seen."""
        return [Hour(*row) for row in self._database.execute("SELECT * FROM passed")]

    def thd_forget_passed(self, before_mark: int) -> None:
        """Frames before this mark are gone; so may be what was noted of them."""
        self._database.execute("DELETE FROM passed WHERE mark < ?", (before_mark,))
        self._database.execute("DELETE FROM deleted WHERE mark < ?", (before_mark,))

    def thd_rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Those of the series whose period began in the range, ascending."""
        found = self._database.execute(ROWS, (*series, level.value, start_ms, end_ms))
        return [Row(Place(series, level, period_ms), data) for period_ms, data in found]

    def thd_find(self, places: Sequence[Place]) -> list[Row]:
        """Those of these rows that there are."""
        found = ((place, self._database.execute(FIND, _flat(place)).fetchone()) for place in places)
        return [Row(place, row[0]) for place, row in found if row]

    def thd_keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """Every series of the node, in order."""
        return [SeriesKey(*row) for row in self._database.execute(KEYS, (account_id, node_id))]

    def thd_delete(self, account_id: str, node_id: str, up_to: int) -> None:
        """Forget the node's rows, and note that its frames up to this mark are to be read no more."""
        node = account_id, node_id
        with self._transaction() as database:
            for statement in DELETE:
                database.execute(statement, node)
            database.execute("INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)", (*node, up_to))

    def thd_deleted(self) -> list[tuple[str, str, int]]:
        """Nodes whose frames up to a mark are to be read no more: (account, node, mark)."""
        return self._database.execute("SELECT * FROM deleted").fetchall()

    def thd_expire(self, level: Level, before_ms: int) -> int:
        """Forget the rows of a level that began before; how many."""
        return self._database.execute(EXPIRE, (level.value, before_ms)).rowcount

    def _number(self, series: SeriesKey) -> int:
        found = self._database.execute(NUMBER, series).fetchone()
        return int((found or self._database.execute(NEW_NUMBER, series).fetchone())[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise


def _flat(place: Place) -> tuple[str | int, ...]:
    return *place.series, place.level.value, place.period_ms
