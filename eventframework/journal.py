"""The memory broker's durable side: a SQLite file of unhandled events and of dead letters."""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from eventframework.broker import DeadLetter, letter_id
from eventframework.errors import PublishRefused

T = TypeVar("T")
Values = tuple[Any, ...]
Statement = tuple[str, Values]

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
ADDED = (
    ("message", "first_failed_ms"),
    ("dead", "first_failed_ms"),
    ("dead", "last_failed_ms"),
    ("message", "due_ms"),
)
"""Columns that the first journals did not have, in the order in which they came."""

INSERT = "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)"
LETTER = "queue, body, attempts, error, first_failed_ms, last_failed_ms"
WANTED = "(?1 IS NULL OR letter_id(queue, body) = ?1)"


class Entry(NamedTuple):
    """One event in one queue, not to be handled before `due_ms`."""

    id: int
    queue: str
    key: str
    body: bytes
    attempts: int = 0
    first_failed_ms: int = 0
    due_ms: int = 0


class Journal:
    """Writes that come together are one transaction, in a thread; without a `path`, all is in memory.

    Those of a kind are done at once: two of one transaction are for the same message only where it goes from
    one table to the other.
    """

    def __init__(self, path: Path | None, reactor: Any) -> None:
        self._path = path
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "journal") if path else None
        self._writes: dict[str, list[Values]] = {}
        self._waiting: list[Deferred[None]] = []
        self._writing = False

    async def open(self) -> list[Entry]:
        """Everything that was not handled, oldest first."""
        if self._pool:
            self._pool.start()
        return await self._run(self._thd_open)

    async def close(self) -> None:
        """Return when everything is written."""
        await self._write()
        await self._run(lambda: self._database.close())
        if self._pool:
            self._pool.stop()

    def add(self, entries: Iterable[Entry]) -> Deferred[None]:
        """Fires when all are durable; none is when it fails."""
        return self._write(*((INSERT, entry) for entry in entries))

    def remove(self, entry_id: int) -> Deferred[None]:
        """It is handled."""
        return self._write(("DELETE FROM message WHERE id = ?", (entry_id,)))

    def put_off(self, entry_id: int, attempts: int, first_failed_ms: int, due_ms: int) -> Deferred[None]:
        """It will be tried again, but not before `due_ms`."""
        update = "UPDATE message SET attempts = ?, first_failed_ms = ?, due_ms = ? WHERE id = ?"
        return self._write((update, (attempts, first_failed_ms, due_ms, entry_id)))

    def bury(self, letter: DeadLetter, entry_id: int) -> Deferred[None]:
        """It failed for good: in one transaction out of its queue and among the dead letters."""
        insert = f"INSERT INTO dead ({LETTER}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own words
        delete = "DELETE FROM message WHERE id = ?"
        return self._write((insert, astuple(letter)), (delete, (entry_id,)))

    def revive(self, dead_id: int, entry: Entry) -> Deferred[None]:
        """The way back, in one transaction too."""
        return self._write((INSERT, entry), ("DELETE FROM dead WHERE id = ?", (dead_id,)))

    def drop(self, dead_id: int) -> Deferred[None]:
        """Forget a dead letter."""
        return self._write(("DELETE FROM dead WHERE id = ?", (dead_id,)))

    async def dead_letters(self, letter_id: str | None, limit: int = -1) -> list[tuple[int, DeadLetter]]:
        """The oldest dead letters, or those of one id, each with its row's number."""
        select = f"SELECT id, {LETTER} FROM dead WHERE {WANTED} ORDER BY id LIMIT ?2"  # noqa: S608 - our own
        rows = await self._run(lambda: self._database.execute(select, (letter_id, limit)).fetchall())
        return [(row[0], DeadLetter(*row[1:])) for row in rows]

    async def count_dead_letters(self) -> int:
        """How many there are."""
        return await self._run(lambda: self._database.execute("SELECT COUNT(*) FROM dead").fetchone()[0])

    def _write(self, *statements: Statement) -> Deferred[None]:
        for sql, values in statements:
            self._writes.setdefault(sql, []).append(values)
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        if not self._writing:
            self._flush()
        return written

    def _flush(self) -> None:
        writes, self._writes = self._writes, {}
        waiting, self._waiting = self._waiting, []
        self._writing = True
        self._run(lambda: self._thd_write(writes)).addBoth(self._flushed, waiting)

    def _flushed(self, result: Failure | None, waiting: list[Deferred[None]]) -> None:
        self._writing = False
        if self._waiting:
            self._flush()
        for written in waiting:
            written.callback(result)

    def _run(self, call: Callable[[], T]) -> Deferred[T]:
        if self._pool:
            return deferToThreadPool(self._reactor, self._pool, call)
        return maybeDeferred(call)

    def _thd_open(self) -> list[Entry]:
        self._database = sqlite3.connect(self._path or ":memory:", check_same_thread=False)
        self._database.create_function("letter_id", 2, letter_id, deterministic=True)
        self._database.executescript(SCHEMA)
        for table, column in ADDED:
            if column not in {row[1] for row in self._database.execute(f"PRAGMA table_info({table})")}:
                self._database.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
        return [Entry(*row) for row in self._database.execute("SELECT * FROM message ORDER BY id")]

    def _thd_write(self, writes: dict[str, list[Values]]) -> None:
        try:
            with self._database:
                for sql, rows in writes.items():
                    self._database.executemany(sql, rows)
        except sqlite3.Error as error:
            raise PublishRefused(f"the journal says: {error}") from error
