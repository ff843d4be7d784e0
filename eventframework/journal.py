"""The memory broker's durable side: a SQLite file of unhandled events and of dead letters."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from eventframework.broker import DeadLetter
from eventframework.errors import PublishRefused

T = TypeVar("T")

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS dead (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL
);
"""


class Entry(NamedTuple):
    """One event in one queue."""

    id: int
    queue: str
    key: str
    body: bytes
    attempts: int


class Journal:
    """Writes that come together are one transaction, in a thread; without a `path`, all is in memory."""

    def __init__(self, path: Path | None, reactor: Any) -> None:
        self._path = path
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "journal") if path else None
        self._writes: list[tuple[str, tuple[Any, ...]]] = []
        self._waiting: list[Deferred[None]] = []
        self._writing = False

    async def open(self) -> list[Entry]:
        """Everything that was not handled, oldest first."""
        if self._pool:
            self._pool.start()
        return await self._run(self._thd_open)

    async def close(self) -> None:
        """Return when everything is written."""
        await self._write("SELECT 1")
        await self._run(lambda: self._database.close())
        if self._pool:
            self._pool.stop()

    def add(self, entry: Entry) -> Deferred[None]:
        """Fires when it is durable."""
        return self._write("INSERT INTO message VALUES (?, ?, ?, ?, ?)", *entry)

    def remove(self, entry_id: int) -> Deferred[None]:
        """It is handled."""
        return self._write("DELETE FROM message WHERE id = ?", entry_id)

    def failed(self, entry_id: int, attempts: int) -> Deferred[None]:
        """It failed, and will be tried again."""
        return self._write("UPDATE message SET attempts = ? WHERE id = ?", attempts, entry_id)

    def bury(self, letter: DeadLetter) -> Deferred[None]:
        """It failed for good."""
        insert = "INSERT INTO dead (queue, body, attempts, error) VALUES (?, ?, ?, ?)"
        return self._write(insert, letter.queue, letter.body, letter.attempts, letter.error)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The oldest dead letters."""
        select = "SELECT queue, body, attempts, error FROM dead ORDER BY id LIMIT ?"
        rows = await self._run(lambda: self._database.execute(select, (limit,)).fetchall())
        return [DeadLetter(*row) for row in rows]

    def _write(self, sql: str, *values: Any) -> Deferred[None]:
        self._writes.append((sql, values))
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        if not self._writing:
            self._flush()
        return written

    def _flush(self) -> None:
        writes, self._writes = self._writes, []
        waiting, self._waiting = self._waiting, []
        self._writing = True
        self._run(lambda: self._thd_write(writes)).addBoth(self._flushed, waiting)

    def _flushed(self, result: Failure | None, waiting: list[Deferred[None]]) -> None:
        self._writing = False
        if self._writes:
            self._flush()
        for written in waiting:
            written.callback(result)

    def _run(self, call: Callable[[], T]) -> Deferred[T]:
        if self._pool:
            return deferToThreadPool(self._reactor, self._pool, call)
        return maybeDeferred(call)

    def _thd_open(self) -> list[Entry]:
        self._database = sqlite3.connect(self._path or ":memory:", check_same_thread=False)
        self._database.executescript(SCHEMA)
        return [Entry(*row) for row in self._database.execute("SELECT * FROM message ORDER BY id")]

    def _thd_write(self, writes: list[tuple[str, tuple[Any, ...]]]) -> None:
        try:
            with self._database:
                for sql, values in writes:
                    self._database.execute(sql, values)
        except sqlite3.Error as error:
            raise PublishRefused(f"the journal says: {error}") from error
