"""The embedded store: hot frames in append-only segments, in a folder of its own.

One thread writes; the writes that wait while it syncs share the next sync, so the disk is asked once for all
of them. Another thread reads meanwhile.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from timeseries import former
from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame
from timeseries.group import GroupCommit
from timeseries.hot import HotFrames
from timeseries.store import FUTURE_MS

T = TypeVar("T")


class EmbeddedStore:
    """A TimeSeriesStore in `folder`; `reactor` calls back from threads and tells the time.

    Frames in `<folder>.db`, where the first embedded store kept them, move in at the first start.
    """

    _log = Logger(namespace="timeseries.embedded")

    def __init__(self, folder: Path, reactor: Any) -> None:
        self._folder = folder
        self._reactor = reactor
        self._hot = HotFrames(folder / "frames", self._now_ms)
        self._writer = ThreadPool(1, 1, name="store-writer")
        self._reader = ThreadPool(1, 1, name="store-reader")
        self._group = GroupCommit(self._commit)
        self._is_open = False

    async def open(self) -> None:
        """Make the folder where it is missing, and find the frames in it."""
        self._writer.start()
        self._reader.start()
        self._is_open = True
        await self._run(self._writer, self._thd_open)

    async def close(self) -> None:
        """Write what waits, then let go of the files; may be called again."""
        if not self._is_open:
            return
        await self._group.drain()
        self._is_open = False
        self._reader.stop()
        await deferToThreadPool(self._reactor, self._writer, self._hot.thd_close)
        self._writer.stop()

    async def write(self, frames: Sequence[Frame]) -> None:
        """On disk when it returns."""
        if frames:
            await self._group.write(frames)

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin)."""
        return await self._run(self._reader, self._hot.thd_read, (account_id, node_id), start_ms, end_ms)

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """However old it is."""
        horizon_ms = self._now_ms() + FUTURE_MS
        return await self._run(self._reader, self._hot.thd_latest, (account_id, node_id), horizon_ms)

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
        if moved := former.thd_move(self._folder.with_suffix(".db"), self._hot.thd_append):
            self._log.info("{moved} frames moved into {folder}", moved=moved, folder=self._folder)

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)
