"""Frames that come within a moment are written together, so that the database rests in between.

Cassandra's threads look for work for a while before they sleep: rows that come evenly cost it twice as much
as the same rows in bursts. Nobody waits longer for that: pages have what is new from the stream.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from timeseries.frames import Frame

GATHER_S = 0.2
BURST_BYTES = 1 << 20
"""Of payloads: so many do not wait for others."""


class Bursts:
    """Has `write` called with what comes within `gather_s`; bursts may overlap."""

    def __init__(
        self, clock: IReactorTime, gather_s: float, write: Callable[[list[Frame]], Coroutine[Any, Any, None]]
    ) -> None:
        self._clock, self._gather_s, self._write = clock, gather_s, write
        self._frames: list[Frame] = []
        self._bytes = 0
        self._waiting: list[Deferred[None]] = []
        self._timer: Any = None

    async def add(self, frames: Sequence[Frame]) -> None:
        """Return when these are written; raises what writing the burst that they are of raises."""
        self._frames += frames
        self._bytes += sum(len(frame.payload) for frame in frames)
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        if self._bytes >= BURST_BYTES or not self._gather_s:
            self.begin()
        elif self._timer is None:
            self._timer = self._clock.callLater(self._gather_s, self.begin)
        await written

    def begin(self) -> None:
        """Write what has come, now."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        frames, self._frames, self._bytes = self._frames, [], 0
        waiting, self._waiting = self._waiting, []
        if waiting:
            burst = Deferred.fromCoroutine(self._write(frames))
            burst.addBoth(_tell, waiting)


def _tell(outcome: Any, waiting: list[Deferred[None]]) -> None:
    for written in waiting:
        written.callback(outcome)
