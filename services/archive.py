"""From the stream to the store: a batch is acknowledged when every frame of it is durable.

A frame that no store can keep, and a batch that is none, would come back for ever: they are set aside as
files under `<home>/set_aside`, counted, and acknowledged.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path

from twisted.logger import Logger

from eventframework.framework import Framework
from eventframework.policy import Share
from eventframework.room import Room
from eventframework.stream import Batch
from picket.settings import Settings
from services.base import Service
from services.turns import Turns
from statslib import Stats
from timeseries.errors import InvalidFrame
from timeseries.frames import Frame, decode_runs, encode_batch
from timeseries.store import TimeSeriesStore, check_storable

AT_ONCE = 64
"""Batches of a partition at hand: a single Cassandra node holds each for a second, many at a time."""

UNDER_WAY_BYTES = 64 << 20
"""Of batches that are decoded and being written; each takes several times its size."""

MAX_SET_ASIDE = 1000
"""Files kept; what comes after is only counted and logged, so that nobody can fill the disk."""


class Archive(Service):
    """Writes every frame of the stream to the time-series store."""

    name = "archive"
    streams = (("results", Share.SCOPED),)
    _log = Logger()

    def __init__(self, *, bus: Framework, store: TimeSeriesStore, stats: Stats, settings: Settings) -> None:
        self._bus, self._stats = bus, stats
        self._write = stats.time_calls("write")(store.write)
        self._aside = settings.home / "set_aside"
        self._turns = Turns(stats, self._log)
        self._room = Room(UNDER_WAY_BYTES)

    async def setup(self) -> None:
        """Take every batch; stopping the bus waits for those under way."""
        self._bus.stream("results").consume(self.name, self.on_batch, Share.SCOPED, at_once=AT_ONCE)

    async def on_batch(self, batch: Batch) -> None:
        """Return when all of the batch is durable; RetryLater makes the stream bring it again."""
        size = len(batch.body)
        await self._room.enter(size)
        try:
            await self._keep(batch)
        finally:
            self._room.leave(size)

    async def _keep(self, batch: Batch) -> None:
        self._turns.check()  # Before anything is decoded.
        frames = self._storable(batch)
        if not frames:
            return
        with self._turns.take():
            await self._write(frames)
        self._stats.increment("frames", len(frames))
        self._stats.increment("frames_bytes", len(batch.body))

    def _storable(self, batch: Batch) -> list[Frame]:
        try:
            frames = [frame for run in batch.decoded(decode_runs) for frame in run.frames]
        except InvalidFrame as error:
            self._stats.increment("batches_set_aside")
            self._set_aside(batch.body, error)
            return []
        refused = dict(_refusals(frames))
        for index, refusal in refused.items():
            self._stats.increment("frames_set_aside")
            self._set_aside(encode_batch([frames[index]]), refusal)
        return [frame for index, frame in enumerate(frames) if index not in refused]

    def _set_aside(self, body: bytes, error: InvalidFrame) -> None:
        """Named for its content, so that a batch that comes again is one file."""
        path = self._aside / f"{zlib.crc32(body):08x}-{len(body)}.batch"
        self._log.error("set aside as {path}: {error}", path=path, error=error)
        try:
            _write_file(path, body)
        except OSError as failure:
            self._log.error("{path} was not kept: {failure}", path=path, failure=failure)


def _refusals(frames: list[Frame]) -> Iterable[tuple[int, InvalidFrame]]:
    for index, frame in enumerate(frames):
        try:
            check_storable(frame)
        except InvalidFrame as error:
            yield index, error


def _write_file(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in path.parent.iterdir()) < MAX_SET_ASIDE:
        path.write_bytes(body)
