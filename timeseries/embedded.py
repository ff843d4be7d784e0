"""The embedded store: hot frames in append-only segments, rows in SQLite, in a folder of its own.

One thread writes frames; the writes that wait while it syncs share the next sync, so the disk is asked once
for all of them. Another writes rows, so that compaction keeps no frame waiting; a third reads both.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from timeseries import former, former_rows
from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame
from timeseries.group import GroupCommit
from timeseries.hot import HotFrames
from timeseries.rows import RowsFile
from timeseries.store import FUTURE_MS, NO_ACCOUNTS, Hour, Level, Place, Row, SeriesKey, Span, shard_of

T = TypeVar("T")


class EmbeddedStore:
    """A TimeSeriesStore in `folder`; `reactor` calls back from threads and tells the time.

    Frames in `<folder>.db`, where the first embedded store kept them, move in at the first start; rows in the
    first form of `rows.db` are carried over.
    """

    _log = Logger(namespace="timeseries.embedded")

    def __init__(self, folder: Path, reactor: Any) -> None:
        self._folder = folder
        self._reactor = reactor
        self._hot = HotFrames(folder / "frames", self._now_ms)
        self._rows_read, self._rows_written = (RowsFile(folder / "rows.db") for _ in range(2))
        self._writer = ThreadPool(1, 1, name="store-writer")
        self._reader = ThreadPool(1, 1, name="store-reader")
        self._rows_writer = ThreadPool(1, 1, name="store-rows-writer")
        self._group = GroupCommit(self._commit)
        self._is_open = False

    async def open(self) -> None:
        """Make the folder where it is missing, and find what is in it."""
        for pool in (self._writer, self._reader, self._rows_writer):
            pool.start()
        self._is_open = True
        await self._run(self._writer, self._thd_open)

    async def close(self) -> None:
        """Write what waits, then let go of the files; may be called again."""
        if not self._is_open:
            return
        await self._group.drain()
        self._is_open = False
        self._rows_writer.stop()
        self._reader.stop()
        await deferToThreadPool(self._reactor, self._writer, self._thd_close)
        self._writer.stop()

    async def write(self, frames: Sequence[Frame]) -> None:
        """On disk when it returns."""
        if frames:
            await self._group.write(frames)

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin)."""
        return await self._run(self._reader, self._hot.thd_read, (account_id, node_id), start_ms, end_ms)

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """Of the frames that no pass has made superfluous."""
        horizon_ms = self._now_ms() + FUTURE_MS
        return await self._run(self._reader, self._hot.thd_latest, (account_id, node_id), horizon_ms)

    async def due(self, shard: int, before_ms: int) -> list[Hour]:
        """From memory."""
        found = self._hot.due(lambda key: shard_of(key[1]) == shard)
        return [hour for hour in found if hour.start_ms < before_ms]

    async def due_of(self, account_id: str, node_id: str) -> list[Hour]:
        """From memory."""
        return self._hot.due_of((account_id, node_id))

    async def put(self, hour: Hour, rows: Sequence[Row]) -> None:
        """One transaction."""
        await self._run(self._rows_writer, self._rows_written.thd_put, hour, rows)
        self._hot.settle(hour)

    async def rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Ascending."""
        return await self._run(self._reader, self._rows_read.thd_rows, series, level, start_ms, end_ms)

    async def rows_of(self, spans: Sequence[Span]) -> list[list[Row]]:
        """In one turn of the thread that reads."""
        return await self._run(self._reader, self._rows_read.thd_rows_of, spans)

    async def find(self, places: Sequence[Place]) -> list[Row]:
        """In any order."""
        return await self._run(self._reader, self._rows_read.thd_find, places)

    async def keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """In order."""
        return await self._run(self._reader, self._rows_read.thd_keys, account_id, node_id)

    async def delete(self, account_id: str, node_id: str) -> None:
        """The rows are gone at once; the frames are read no more, and gone with their segments."""
        up_to = self._hot.end_mark()
        await self._run(self._rows_writer, self._rows_written.thd_delete, account_id, node_id, up_to)
        await self._run(self._writer, self._hot.thd_forget, (account_id, node_id), up_to)

    async def expire(self, level: Level, before_ms: int, accounts: Mapping[str, int] = NO_ACCOUNTS) -> int:
        """Rows of the level; and segments that have nothing due."""
        first_mark = await self._run(self._reader, self._hot.thd_drop)
        await self._run(self._rows_writer, self._rows_written.thd_forget_passed, first_mark)
        return await self._run(self._rows_writer, self._rows_written.thd_expire, level, before_ms, accounts)

    async def _commit(self, frames: list[Frame]) -> None:
        if frames:
            await self._run(self._writer, self._hot.thd_append, frames)

    async def _run(self, pool: ThreadPool, thd_function: Callable[..., T], *arguments: Any) -> T:
        if not self._is_open:
            raise StoreUnavailable("the store is closed")
        try:
            return await deferToThreadPool(self._reactor, pool, thd_function, *arguments)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"{self._folder}: {error}") from error

    def _thd_open(self) -> None:
        self._hot.thd_open()
        if nodes := former_rows.thd_carry_over(self._folder / "rows.db"):
            self._log.info("the rows of {nodes} nodes are in bundles now", nodes=nodes)
        self._rows_written.thd_open()
        self._rows_read.thd_open()
        if moved := former.thd_move(self._folder.with_suffix(".db"), self._hot.thd_append):
            self._log.info("{moved} frames moved into {folder}", moved=moved, folder=self._folder)
        for account_id, node_id, up_to in self._rows_written.thd_deleted():
            self._hot.thd_forget((account_id, node_id), up_to)
        for hour in self._rows_written.thd_passed():
            self._hot.settle(hour)

    def _thd_close(self) -> None:
        self._hot.thd_close()
        self._rows_read.thd_close()
        self._rows_written.thd_close()

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)
