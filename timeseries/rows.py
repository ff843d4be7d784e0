"""The rows of the embedded store: a SQLite file, and in it how far passes have seen the hot frames.

Everything here runs in the store's threads. A row is one of `timeseries.store.Row`; how rows lie in the file
is in `timeseries.rows_schema`.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from timeseries import rows_read, rows_write
from timeseries.rows_schema import thd_connect
from timeseries.store import NO_ACCOUNTS, Hour, Level, Place, Row, SeriesKey, Span

EXPIRE = (
    "DELETE FROM bundle WHERE level = ? AND period < ? "
    "AND node NOT IN (SELECT id FROM node WHERE account IN (SELECT value FROM json_each(?))) "
    "RETURNING members"
)
EXPIRE_OF = (
    "DELETE FROM bundle WHERE level = ? AND period < ? AND node IN (SELECT id FROM node WHERE account = ?) "
    "RETURNING members"
)
DELETED = "SELECT 1 FROM deleted WHERE account = ? AND node = ? AND mark >= ?"
DELETE = (
    "DELETE FROM bundle WHERE node = (SELECT id FROM node WHERE account = ? AND node = ?)",
    "DELETE FROM series WHERE node = (SELECT id FROM node WHERE account = ? AND node = ?)",
    "DELETE FROM node WHERE account = ? AND node = ?",
    "DELETE FROM passed WHERE account = ? AND node = ?",
)
MOST_FREE = 0.1
"""Pages that may be free, to each that is in use: the next passes write there."""

GIVEN_BACK = 5000
"""Pages at a time, at most: each may be a page to move."""


class RowsFile:
    """The file at `path`; `thd_open` comes first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def thd_open(self) -> None:
        """Make the file and its tables where they are missing; raises sqlite3.Error."""
        self._connection = thd_connect(self._path)

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
        with self._writing() as database:
            if database.execute(DELETED, (hour.account_id, hour.node_id, hour.mark)).fetchone():
                return
            rows_write.keep(database, rows)
            database.execute("INSERT OR REPLACE INTO passed VALUES (?, ?, ?, ?)", hour)

    def thd_take(self, rows: Sequence[Row]) -> None:
        """In one transaction: rows that passes of another file made."""
        with self._writing() as database:
            rows_write.keep(database, rows)

    def thd_passed(self) -> list[Hour]:
        """Up to which mark each hour has been seen."""
        return [Hour(*row) for row in self._database.execute("SELECT * FROM passed")]

    def thd_forget_passed(self, before_mark: int) -> None:
        """Frames before this mark are gone; so may be what was noted of them."""
        self._database.execute("DELETE FROM passed WHERE mark < ?", (before_mark,))
        self._database.execute("DELETE FROM deleted WHERE mark < ?", (before_mark,))

    def thd_rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Those of the series whose period began in the range, ascending."""
        (found,) = self.thd_rows_of([Span(series, level, start_ms, end_ms)])
        return found

    def thd_rows_of(self, spans: Sequence[Span]) -> list[list[Row]]:
        """The rows of each span, ascending; each bundle is read once for all of the same range."""
        with self._reading() as database:
            return rows_read.rows_of(database, spans)

    def thd_find(self, places: Sequence[Place]) -> list[Row]:
        """Those of these rows that there are."""
        with self._reading() as database:
            return list(rows_read.found(database, places))

    def thd_keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """Every series of the node, in order."""
        with self._reading() as database:
            node = rows_read.node_number(database, (account_id, node_id))
            return [SeriesKey(account_id, node_id, *key) for key in rows_read.node_numbers(database, node)]

    def thd_delete(self, account_id: str, node_id: str, up_to: int) -> None:
        """Forget the node's rows, and note that its frames up to this mark are to be read no more."""
        node = account_id, node_id
        with self._writing() as database:
            for statement in DELETE:
                database.execute(statement, node)
            database.execute("INSERT OR REPLACE INTO deleted VALUES (?, ?, ?)", (*node, up_to))

    def thd_deleted(self) -> list[tuple[str, str, int]]:
        """Nodes whose frames up to a mark are to be read no more: (account, node, mark)."""
        return self._database.execute("SELECT * FROM deleted").fetchall()

    def thd_expire(self, level: Level, before_ms: int, accounts: Mapping[str, int] = NO_ACCOUNTS) -> int:
        """Forget the rows of a level that began before; how many. Of much free room, give some back.

        Of these accounts, those that began before a time of their own.
        """
        gone = self._database.execute(EXPIRE, (level.value, before_ms, json.dumps([*accounts]))).fetchall()
        for account_id, its_before_ms in accounts.items():
            gone += self._database.execute(EXPIRE_OF, (level.value, its_before_ms, account_id)).fetchall()
        self._give_back()
        return sum(map(_rows_in, gone))

    def _give_back(self) -> None:
        pages, free = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count")
        )
        if (spare := free - int((pages - free) * MOST_FREE)) > 0:
            # As a script, for each page is a step, and `execute` makes one.
            self._database.executescript(f"PRAGMA incremental_vacuum({min(spare, GIVEN_BACK)})")

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """All of it as it is at one moment."""
        return self._transaction("BEGIN")

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction("BEGIN IMMEDIATE")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        self._database.execute(begin)
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise


def _rows_in(bundle: tuple[bytes]) -> int:
    """How many rows have this directory, or one that stood alone."""
    (members,) = bundle
    found = rows_read.decoded(members) if members else None
    return len(found.sizes) if found else 1
