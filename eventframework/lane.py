"""One queue of a stream as one process consumes it: in order, in tenures that begin and end.

A tenure lasts as long as a subscription. It ends when the share is given up or the connection is lost:
nothing more of it is begun, what was begun is finished, and the taker is told that the partition is released.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from eventframework.broker import Broker, Consumer, Delivery
from eventframework.clock import Clock, Sleeps, after, within
from eventframework.errors import BrokerUnavailable, RetryLater
from eventframework.gaps import Gaps
from eventframework.topology import Queue, key_partition
from eventframework.worker import Handle, Worker, warn_of_retry
from picket import correlation

IN_PLACE_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits after each failure of a stream's handler; the last one for ever."""


Released = Callable[[int], None]
Missed = Callable[[int, int], None]


@dataclass(frozen=True)
class Taker:
    """Who handles what a lane brings, `at_once` at a time, and hears of the partitions that it has no more.

    `missed` is told, with the number of batches, that a partition's queue dropped some that were not handled.
    """

    handle: Handle
    prefetch: int
    at_once: int
    released: Released
    missed: Missed


class Lane:
    """Consumes its queue from the beginning to `leave`."""

    def __init__(self, broker: Broker, clock: Clock, queue: Queue, taker: Taker) -> None:
        self._broker = broker
        self._clock = clock
        self._queue = queue
        self._taker = taker
        self._tenure = _Tenure(taker, clock, None)
        self._moving = self._left = False
        self._log = Logger(namespace="eventframework")
        self._consumer = self._line_up()

    @property
    def owned(self) -> bool:
        """Whether something has come, which makes this its live consumer: RabbitMQ does not tell."""
        return bool(self._tenure.partitions)

    async def waiting(self) -> int:
        """How many batches no consumer has got yet; raises BrokerUnavailable."""
        return await self._consumer.waiting()

    async def step_back(self) -> None:
        """Give the share up to the next in the line, and be the last in it."""
        if self._moving or self._left:
            return
        self._moving = True
        await self._finish()
        await self._consumer.cancel()
        self._moving = False
        if not self._left:
            self._tenure = _Tenure(self._taker, self._clock, self._tenure)
            self._consumer = self._line_up()

    async def leave(self, limit_s: float) -> None:
        """Take nothing more, and return when what was begun is finished, or after `limit_s` without it."""
        self._left = True
        try:
            await within(self._clock, limit_s, Deferred.fromCoroutine(self._finish()), self._queue.name)
        except BrokerUnavailable as error:
            self._log.warn("Left with handlers under way: {error}", error=error)
        await self._consumer.cancel()

    def _line_up(self) -> Consumer:
        return self._broker.consume(self._queue, self._taker.prefetch, self._take, self._lost)

    def _take(self, delivery: Delivery) -> None:
        self._tenure.take(delivery)

    def _lost(self) -> None:
        self._tenure = _Tenure(self._taker, self._clock, self._tenure)

    async def _finish(self) -> None:
        """End the tenure, and another that a lost connection has made of it meanwhile."""
        over: _Tenure | None = None
        while over is not self._tenure:
            over = self._tenure
            await over.end()


class _Tenure:
    """What one subscription brings; begins when the one `before` has ended."""

    def __init__(self, taker: Taker, clock: Clock, before: "_Tenure | None") -> None:
        self.partitions: set[int] = set()
        self._taker = taker
        self._before = before.end() if before else None
        self._gaps: defaultdict[int, Gaps] = defaultdict(Gaps)
        self._worker = Worker(self._until_done, taker.at_once)
        self._ended: Deferred[None] | None = None
        self._sleeps = Sleeps(clock, lambda: self._ended is not None)

    def take(self, delivery: Delivery) -> None:
        """Handle it in its turn; once ended, leave it to others."""
        if self._ended is not None:
            return
        partition = key_partition(delivery.key)
        self.partitions.add(partition)
        if delivery.stamp and (missing := self._gaps[partition].before(delivery.stamp)):
            self._taker.missed(partition, missing)
        self._worker.take(delivery)

    def end(self) -> Deferred[None]:
        """Begin nothing more; fires when the taker is told that its partitions are released."""
        if self._ended is None:
            self._ended = Deferred()
            Deferred.fromCoroutine(self._end()).chainDeferred(self._ended)
        return after(self._ended)

    async def _end(self) -> None:
        if self._before is not None:
            await self._before
        self._sleeps.wake()
        await self._worker.drain()
        for partition in sorted(self.partitions):
            self._taker.released(partition)

    async def _until_done(self, delivery: Delivery) -> None:
        """Handle it again and again, so that no later batch overtakes it and none is lost."""
        if self._before is not None:
            await self._before
            if self._ended is not None:
                raise CancelledError  # The delivery comes to others.
        failures = 0
        while True:
            try:
                await self._taker.handle(delivery)
                return delivery.done()
            except RetryLater as later:
                delay_s = later.delay_s
            except Exception as error:  # noqa: BLE001 - what a handler raises is an outcome
                delay_s = IN_PLACE_S[min(failures, len(IN_PLACE_S) - 1)]
                failures += 1
                correlation.fail()
                warn_of_retry(delay_s, error)
            await self._sleeps.sleep(delay_s)
