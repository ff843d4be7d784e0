"""Frames on disk: an SQLite file that survives a kill, bounded in bytes and in age.

Everything here blocks, and belongs to one thread. An error closes the file; the next call opens it again.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MOST_BYTES = 64 << 20
LONGEST_MS = 24 * 3600 * 1000
READ_BYTES = 128 << 10
READ_FRAMES = 64
FAILURES = (sqlite3.Error, OSError)
"""What any method may raise."""

log = logging.getLogger("agent.journal")

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -512;
PRAGMA journal_size_limit = 4194304;
CREATE TABLE IF NOT EXISTS frames (
    seq INTEGER PRIMARY KEY, kept_ms INTEGER NOT NULL, encoding TEXT NOT NULL, payload BLOB NOT NULL
);
"""


class Entry(NamedTuple):
    """A frame as it is sent."""

    seq: int
    encoding: str
    payload: bytes


class Journal:
    """The file `spool.db` in `folder`, for this user only.

    A damaged one is put aside as spool.db.bad-TIME, where the newest of them is left.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES, longest_ms: int = LONGEST_MS) -> None:
        self._path = folder / "spool.db"
        self._most_bytes, self._longest_ms = most_bytes, longest_ms
        self._db: sqlite3.Connection | None = None

    def thd_last_seq(self) -> int:
        """The highest SEQ that is kept, or 0."""
        with self._transaction() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM frames").fetchone()[0])

    def thd_save(self, entries: Iterable[Entry], gone: Iterable[int], now_ms: int) -> int:
        """Keep `entries`, let go of the SEQs `gone`; returns how many of the oldest had to go besides."""
        rows = [(entry.seq, now_ms, entry.encoding, entry.payload) for entry in entries]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?)", rows)
            db.executemany("DELETE FROM frames WHERE seq = ?", [(seq,) for seq in gone])
            return self._prune(db, now_ms)

    def thd_read(self, after: int, before: int) -> list[Entry]:
        """The oldest frames between two SEQs, some at a time; none where there are no more."""
        found: list[Entry] = []
        left = READ_BYTES
        with self._transaction() as db:
            query = "SELECT seq, encoding, payload FROM frames WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?"
            for row in db.execute(query, (after, before, READ_FRAMES)):
                found.append(Entry(*row))
                left -= len(found[-1].payload)
                if left <= 0:
                    break
        return found

    def thd_close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db = self._db or self._opened()
            with self._db:
                yield self._db
        except FAILURES:
            self.thd_close()
            raise

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError:  # full, read-only, locked: damaged it is not
            raise
        except sqlite3.DatabaseError as error:
            self._put_aside(error)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(self._path, timeout=1)
        try:
            db.executescript(SCHEMA)
            if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("its pages contradict each other")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _put_aside(self, error: sqlite3.Error) -> None:
        aside = self._path.with_name(f"{self._path.name}.bad-{int(time.time())}")
        log.error("%s is damaged (%s): put aside as %s", self._path, error, aside.name)
        for old in self._path.parent.glob(f"{self._path.name}.bad-*"):
            old.unlink()
        for end in ("-wal", "-shm"):
            Path(f"{self._path}{end}").unlink(missing_ok=True)
        self._path.replace(aside)

    def _prune(self, db: sqlite3.Connection, now_ms: int) -> int:
        dropped = 0
        while oldest := db.execute("SELECT seq, kept_ms FROM frames ORDER BY seq LIMIT 1").fetchone():
            if oldest[1] >= now_ms - self._longest_ms and self._used(db) <= self._most_bytes:
                break
            db.execute("DELETE FROM frames WHERE seq = ?", oldest[:1])
            dropped += 1
        return dropped

    @staticmethod
    def _used(db: sqlite3.Connection) -> int:
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
