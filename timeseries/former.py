"""The first form of the embedded store: a table of frames in SQLite. What is found there moves once."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from timeseries.frames import Frame

ROWS = 5000
SELECT = "SELECT account, node, origin, time, received, payload FROM frames"


def thd_move(path: Path, append: Callable[[list[Frame]], None]) -> int:
    """Give every frame of the file to `append`, then remove the file; returns how many there were.

    Killed in the middle, it begins anew: a frame written twice is one. Raises sqlite3.Error.
    """
    if not path.exists():
        return 0
    moved = 0
    database = sqlite3.connect(path)
    try:
        rows = database.execute(SELECT)
        while some := rows.fetchmany(ROWS):
            append([Frame(*row) for row in some])
            moved += len(some)
    finally:
        database.close()
    for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        part.unlink(missing_ok=True)
    return moved
