"""What the rows file of the embedded store looks like, and how it is opened.

A node-hour of blocks is one bundle (`timeseries.bundle`), and so is a node-day of 5-minute rollups: SQLite
fills its pages with few large rows, not with many small ones. Each row of hourly rollups, a month of one
series, stands alone: a rank wants one of each of a thousand nodes.
"""

import sqlite3
from pathlib import Path

from timeseries.store import Level

VERSION = 4
"""In the file's `user_version`. Of former ones, version 0 is carried over by `timeseries.former_rows`."""

ALONE = frozenset({Level.HOUR})
"""Levels whose rows stand alone."""

LOCK_S = 10.0
PAGE_BYTES = 2048
"""Of a new file: larger ones stay emptier, smaller ones are more to read."""

LOG_PAGES = 2000
"""That are written before they come from the log into the file."""

PRAGMAS = (
    f"page_size = {PAGE_BYTES}",
    # Pages can be given back.
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    f"wal_autocheckpoint = {LOG_PAGES}",
    "synchronous = FULL",
    # What is forgotten is overwritten where that costs no write of its own.
    "secure_delete = FAST",
)
SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS node (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, node TEXT NOT NULL, UNIQUE (account, node)
);
CREATE TABLE IF NOT EXISTS series (
    node INTEGER NOT NULL, "check" TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (node, "check", key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bundle (
    id INTEGER PRIMARY KEY,
    node INTEGER NOT NULL, level TEXT NOT NULL, period INTEGER NOT NULL, series INTEGER NOT NULL,
    members BLOB NOT NULL, data BLOB NOT NULL,
    UNIQUE (node, level, period, series)
);
CREATE INDEX IF NOT EXISTS bundle_age ON bundle (level, period);
CREATE TABLE IF NOT EXISTS passed (
    account TEXT NOT NULL, node TEXT NOT NULL, hour INTEGER NOT NULL, mark INTEGER NOT NULL,
    PRIMARY KEY (account, node, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deleted (
    account TEXT NOT NULL, node TEXT NOT NULL, mark INTEGER NOT NULL, PRIMARY KEY (account, node)
) WITHOUT ROWID;
PRAGMA user_version = 4;
COMMIT;
"""
"""Series have numbers from 1 on within their node.

`bundle.series` is 0 in a bundle of the node's series; else it is that of the one row, without `members`.
"""


def thd_connect(path: Path) -> sqlite3.Connection:
    """The file, made where it is missing; raises sqlite3.Error, also for one of another version."""
    # No isolation level, for transactions are ours; and one thread at a time, not always the same.
    database = sqlite3.connect(path, LOCK_S, isolation_level=None, check_same_thread=False)
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise sqlite3.DatabaseError(
                f"{path} has version {version}, and this Picket knows version {VERSION}: "
                + ("update it, or " if version > VERSION else "")
                + "move the file away to begin with an empty one"
            )
        for pragma in PRAGMAS:
            database.execute(f"PRAGMA {pragma}")
        if version < VERSION:
            database.executescript(SCHEMA)
    except BaseException:
        database.close()
        raise
    return database
