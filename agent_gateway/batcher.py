"""Frames gathered into batches, published one after the other per partition, acknowledged once they are safe.

A partition has one batch under way at most, so that a retry can't change the order of a node's frames; what
arrives meanwhile is gathered for the next one, for GATHER_S at most or until it is full. Batches of several
partitions go together: the broker has little more to do for them than for one.

Nothing is dropped: a batch that the broker didn't confirm is published again until it is, and `watch` hears
when too much waits, so that agents are read no further.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from eventframework.clock import Clock, sleep
from eventframework.errors import EventError
from eventframework.stream import Decoded
from picket import correlation
from statslib import Stats
from timeseries.frames import Frame, decode_runs, encode_batch, runs

BATCH_BYTES = 256 * 1024
ALL_BYTES = 512 * 1024
"""Of a batch of each partition, together: whoever takes batches has many of each partition's at hand."""

GATHER_S = 0.05
WAITING_BYTES = 32 << 20
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Results(Protocol):
    """What of `eventframework.stream.Stream` is used."""

    partitions: int

    def partition(self, node_id: str) -> int:
        """The partition of a node."""

    async def publish(self, partition: int, body: bytes, decoded: Decoded | None = None) -> None:
        """Return once it is safe; raises EventError."""


class Sender(Protocol):
    """Whoever handed frames in."""

    def safe(self, frames: Sequence[Frame]) -> None:
        """The broker has confirmed them."""


class _Waiting(NamedTuple):
    """What one sender handed in at once."""

    frames: Sequence[Frame]
    sender: Sender
    size: int


class Batcher:
    """Calls `watch(True)` when more than `waiting_bytes` wait, `watch(False)` when half of that is left."""

    def __init__(
        self,
        clock: Clock,
        stream: Results,
        stats: Stats,
        watch: Callable[[bool], None],
        waiting_bytes: int = WAITING_BYTES,
    ) -> None:
        self._clock = clock
        self._stream = stream
        self._stats = stats
        self._watch = watch
        self._waiting_bytes = waiting_bytes
        self.batch_bytes = min(BATCH_BYTES, ALL_BYTES // stream.partitions)
        self._lanes = [_Lane(self, number) for number in range(stream.partitions)]
        self._bytes = 0
        self._full = False
        self._gathering: list[Callable[[], None]] = []

    def add(self, frames: Sequence[Frame], sender: Sender) -> None:
        """Take frames of one node; `sender.safe` will be called with them, in their order."""
        size = sum([len(frame.payload) for frame in frames])
        self._bytes += size
        if not self._full and self._bytes > self._waiting_bytes:
            self._full = True
            self._stats.increment("reading_paused")
            self._watch(True)
        self._lanes[self._stream.partition(frames[0].node_id)].add(_Waiting(frames, sender, size))

    def drain(self) -> Deferred[list[None]]:
        """Publish what waits, without gathering longer; fires when nothing is left."""
        return gatherResults([lane.drain() for lane in self._lanes])

    async def publish(self, partition: int, batch: list[_Waiting]) -> None:
        """Publish a batch until it is confirmed, then tell the senders."""
        frames = [frame for waiting in batch for frame in waiting.frames]
        body, decoded = encode_batch(frames), {decode_runs: runs(frames)}
        begun = self._clock.seconds()
        failures = 0
        while not await self._tried(partition, body, decoded):
            await sleep(self._clock, BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1
        self._stats.increment("batches_published")
        self._stats.add_average("batch_frames", len(frames))
        self._stats.add_average("batch_s", self._clock.seconds() - begun)
        self._confirmed(batch)

    async def _tried(self, partition: int, body: bytes, decoded: Decoded) -> bool:
        try:
            await self._stream.publish(partition, body, decoded)
        except EventError as error:
            self._stats.increment("batches_failed")
            _log.warn("partition {partition} not published: {error}", partition=partition, error=error)
            return False
        except Exception:  # noqa: BLE001 - a frame is never lost, whatever the broker's driver raises
            self._stats.increment("batches_failed")
            _log.failure("partition {partition} not published", partition=partition)
            return False
        return True

    def _confirmed(self, batch: list[_Waiting]) -> None:
        by_sender: dict[Sender, list[Frame]] = {}
        for frames, sender, size in batch:
            self._bytes -= size
            by_sender.setdefault(sender, []).extend(frames)
        for sender, safe in by_sender.items():
            sender.safe(safe)
        if self._full and self._bytes <= self._waiting_bytes // 2:
            self._full = False
            self._watch(False)

    def later(self, call: Callable[[], None]) -> None:
        """Call together with others when the first of them have been gathered long enough."""
        self._gathering.append(call)
        if len(self._gathering) == 1:
            self._clock.callLater(GATHER_S, self._gathered)

    def _gathered(self) -> None:
        together, self._gathering = self._gathering, []
        for call in together:
            call()


_log = Logger(namespace="gateway")


class _Lane:
    """The frames of one partition, in the order of arrival."""

    def __init__(self, batcher: Batcher, partition: int) -> None:
        self._batcher = batcher
        self._partition = partition
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._gathering = self._publishing = False
        self._idle: list[Deferred[None]] = []

    def add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._bytes += waiting.size
        if self._is_due():
            self._publish()
        elif not self._publishing:
            self._gather()

    def drain(self) -> Deferred[None]:
        idle: Deferred[None] = Deferred()
        self._idle.append(idle)
        self._publish()
        return idle

    def _is_due(self) -> bool:
        """Whether what waits is to wait no longer."""
        return self._bytes >= self._batcher.batch_bytes or bool(self._idle)

    def _gather(self) -> None:
        if not self._gathering:
            self._gathering = True
            self._batcher.later(self._gathered)

    def _gathered(self) -> None:
        self._gathering = False
        self._publish()

    def _publish(self) -> None:
        if not self._publishing:
            self._publishing = True
            Deferred.fromCoroutine(self._publish_all())

    async def _publish_all(self) -> None:
        with correlation.scope():  # Its frames are many agents', so it goes by an id of its own.
            while self._waiting:
                await self._batcher.publish(self._partition, self._cut())
                if not self._is_due():
                    break
        self._publishing = False
        if self._waiting:
            self._gather()
            return
        idle, self._idle = self._idle, []
        for waiter in idle:
            waiter.callback(None)

    def _cut(self) -> list[_Waiting]:
        """The next batch: up to `batch_bytes`, or a single larger piece."""
        most = self._batcher.batch_bytes
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and size + self._waiting[0].size <= most:
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._bytes -= size
        return batch
