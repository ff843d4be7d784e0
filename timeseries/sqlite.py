"""The embedded store: frames in a SQLite file of its own.

One thread writes; the writes that wait while it commits share the next transaction, so the disk is asked once
for all of them (WAL, synchronous=FULL: a commit is on disk). Another thread reads meanwhile.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame
from timeseries.store import FUTURE_MS

T = TypeVar("T")
Waiting = tuple[Sequence[Frame], Deferred[None]]

MAX_COMMIT_FRAMES = 5000
WAIT_FOR_LOCK_S = 10.0
PAGE_BYTES = 8192
"""Of a new file. What a row has over a quarter of its page takes pages of its own: a usual frame has not."""

STATEMENT_ROWS = 50
"""Rows of one INSERT. The thread lets go of the interpreter at every statement, and waits to get it back."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS frames (
    account TEXT, node TEXT, time INTEGER, origin TEXT, received INTEGER, payload BLOB,
    PRIMARY KEY (account, node, time, origin)
) WITHOUT ROWID
"""
INSERT = "INSERT OR REPLACE INTO frames VALUES "
ROW = "(?, ?, ?, ?, ?, ?)"
FRAMES = "SELECT account, node, origin, time, received, payload FROM frames WHERE account = ? AND node = ? "
READ = FRAMES + "AND time >= ? AND time < ? ORDER BY time, origin"
LATEST = FRAMES + "AND time < ? ORDER BY time DESC, origin DESC LIMIT 1"


class SqliteStore:
    """A TimeSeriesStore in the file at `path`; `reactor` calls back from threads and tells the time."""

    def __init__(self, path: Path, reactor: Any) -> None:
        self._reactor = reactor
        self._writer = _Connection(path, reactor, "store-writer")
        self._reader = _Connection(path, reactor, "store-reader")
        self._waiting: list[Waiting] = []
        self._committing = False

    async def open(self) -> None:
        """Make the file and its table where they are missing."""
        await self._writer.open()
        await self._writer.run(_thd_schema)
        await self._reader.open()

    async def close(self) -> None:
        """Commit what waits, then close the file."""
        if self._committing:
            await self._commit(())
        await self._reader.close()
        await self._writer.close()

    async def write(self, frames: Sequence[Frame]) -> None:
        """On disk when it returns."""
        if frames:
            await self._commit(frames)

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin)."""
        return await self._reader.run(_thd_select, READ, (account_id, node_id, start_ms, end_ms))

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """However old it is; one step in the index."""
        horizon_ms = round(self._reactor.seconds() * 1000) + FUTURE_MS
        found = await self._reader.run(_thd_select, LATEST, (account_id, node_id, horizon_ms))
        return found[0] if found else None

    async def _commit(self, frames: Sequence[Frame]) -> None:
        done: Deferred[None] = Deferred()
        self._waiting.append((frames, done))
        if not self._committing:
            Deferred.fromCoroutine(self._commit_waiting())
        await done

    async def _commit_waiting(self) -> None:
        self._committing = True
        while self._waiting:
            group = self._next_group()
            try:
                await self._writer.run(_thd_insert, [frames for frames, _done in group])
            except Exception:  # noqa: BLE001 - whatever it was, those who wait must hear of it
                failure = Failure()
                for _frames, done in group:
                    done.errback(failure)
            else:
                for _frames, done in group:
                    done.callback(None)
        self._committing = False

    def _next_group(self) -> list[Waiting]:
        """All that waits, up to so many frames that the next to come need not wait long."""
        group, size = [], 0
        while self._waiting and size < MAX_COMMIT_FRAMES:
            group.append(self._waiting.pop(0))
            size += len(group[-1][0])
        return group


class _Connection:
    """A SQLite connection and the one thread that uses it."""

    def __init__(self, path: Path, reactor: Any, name: str) -> None:
        self._path = path
        self._reactor = reactor
        self._thread = ThreadPool(minthreads=1, maxthreads=1, name=name)
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Start the thread and connect."""
        self._thread.start()
        self._database = await self._in_thread(_thd_connect, self._path)

    async def close(self) -> None:
        """Disconnect and end the thread; may be called again."""
        database, self._database = self._database, None
        if database:
            await self._in_thread(database.close)
        if self._thread.started:
            self._thread.stop()

    async def run(self, thd_function: Callable[..., T], *arguments: Any) -> T:
        """What `thd_function(connection, *arguments)` returns; raises StoreUnavailable."""
        if self._database is None:
            raise StoreUnavailable("the store is closed")
        return await self._in_thread(thd_function, self._database, *arguments)

    async def _in_thread(self, thd_function: Callable[..., T], *arguments: Any) -> T:
        try:
            return await deferToThreadPool(self._reactor, self._thread, thd_function, *arguments)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error


def _thd_connect(path: Path) -> sqlite3.Connection:
    # Transactions are ours alone: no isolation level, and one thread at a time, which is not always the same.
    database = sqlite3.connect(path, WAIT_FOR_LOCK_S, isolation_level=None, check_same_thread=False)
    database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    database.execute("PRAGMA temp_store = MEMORY")  # Else an INSERT of many rows writes a journal of its own.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database


def _thd_schema(database: sqlite3.Connection) -> None:
    database.execute(SCHEMA)


def _thd_insert(database: sqlite3.Connection, writes: list[Sequence[Frame]]) -> None:
    rows = [_row(frame) for frames in writes for frame in frames]
    database.execute("BEGIN IMMEDIATE")
    try:
        for first in range(0, len(rows), STATEMENT_ROWS):
            some = rows[first : first + STATEMENT_ROWS]
            database.execute(INSERT + ", ".join([ROW] * len(some)), list(chain.from_iterable(some)))
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _row(frame: Frame) -> tuple[str, str, int, str, int, bytes]:
    return frame.account_id, frame.node_id, frame.time_ms, frame.origin, frame.received_ms, frame.payload


def _thd_select(
    database: sqlite3.Connection, statement: str, arguments: tuple[str | int, ...]
) -> list[Frame]:
    return [Frame(*row) for row in database.execute(statement, arguments)]
