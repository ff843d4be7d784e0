"""Publishing and handling typed events, whatever the broker; what becomes of a delivery is decided here."""

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from eventframework.broker import Broker, Consumer, Delivery, Hook
from eventframework.clock import Clock, Sleeps, within
from eventframework.errors import BrokerUnavailable, EventError, RetryLater, UnknownEvent, UnreadableEvent
from eventframework.event import Event, decode_as, encode, handle_in_context
from eventframework.intake import Intake
from eventframework.lane import Taker
from eventframework.members import PACE, Pace
from eventframework.policy import Policy
from eventframework.stream import Stream
from eventframework.topology import EVENTS, Queue, Subscription, Tap
from eventframework.worker import Handle, Worker, traceback_of, warn_of_retry
from picket import correlation
from statslib import Stats

E = TypeVar("E", bound=Event)

BACKOFF_S = (0.1, 1.0, 5.0, 30.0)
"""Waits after each failure of an event's handler; one failure more than there are waits, and it is dead."""


class Framework:
    """A process's way to events and streams over one broker.

    An event's handler ends in one of: return (done), RetryLater (again after its delay, without limit), or
    any other exception (again after a backoff, at last among the dead letters with the traceback).
    `drain_s`: how long `stop` waits for handlers under way. `stats` is shown what streams bring; `pace` is
    how fast their partitions change hands.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        *,
        backoff_s: Sequence[float] = BACKOFF_S,
        drain_s: float = 30.0,
        stats: Stats | None = None,
        pace: Pace = PACE,
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._backoff_s = tuple(backoff_s)
        self._drain_s = drain_s
        self._stats = stats or Stats("broker")
        self._pace = pace
        self._consuming: list[tuple[Consumer, Worker]] = []
        self._intakes: list[Intake] = []
        self._stopping = False
        self._sleeps = Sleeps(clock, lambda: self._stopping)
        self._log = Logger(namespace="eventframework")

    def ready(self, hook: Hook) -> None:
        """Run `hook` at each connect and reconnect, once the subscriptions stand."""

        async def unless_left() -> None:
            if not self._stopping:
                await hook()

        self._broker.connected(unless_left)

    async def start(self) -> None:
        """Return when the broker is reached for the first time and the ready hooks have run."""
        await self._broker.start()

    async def stop(self) -> None:
        """Take nothing new, let the handlers under way finish, then leave the broker."""
        await self.drain()
        await self._broker.stop()

    async def drain(self) -> None:
        """Take nothing new, and let the handlers under way finish."""
        self._stopping = True
        await _all(consumer.cancel() for consumer, _ in self._consuming)
        self._sleeps.wake()
        await _all((self._drain(), *(intake.leave(self._drain_s) for intake in self._intakes)))

    async def leave(self) -> None:
        """Undo every subscription, while other frameworks go on with the same broker."""
        await self.drain()
        for consumer, _ in self._consuming:
            consumer.give_back()

    async def publish(self, event: Event) -> None:
        """Return once every queue of the event has it for good; raises PublishRefused, BrokerUnavailable."""
        event_id, time_ms = os.urandom(16).hex(), int(self._clock.seconds() * 1000)
        body = encode(event, event_id=event_id, time_ms=time_ms, correlation_id=correlation.current())
        await self.relay(event.topic, body)

    async def relay(self, topic: str, body: bytes) -> None:
        """Publish an event that is encoded already: published again, it is the same event."""
        await self._broker.publish(EVENTS, topic, body)

    async def count_dead_letters(self) -> int:
        """How many messages have failed too often; raises BrokerUnavailable."""
        return await self._broker.count_dead_letters()

    def subscribe(
        self,
        event: type[E],
        handler: Callable[[E], Awaitable[None]],
        policy: Policy,
        *,
        tag: str = "",
        at_once: int = 16,
        prefetch: int | None = None,
    ) -> None:
        """Call `handler` with the events of this type that `policy` gives it, `at_once` at a time.

        `prefetch`, twice as many unless given, is how many may be here unfinished: the next are at hand when
        one is done, but nobody else who shares the queue gets them meanwhile. With `at_once` 1 events are
        handled in the order in which they came, but for those that failed.
        `eventframework.current()` tells the handler the event's id.
        """
        if prefetch is None:
            prefetch = 2 * at_once
        if not 0 < at_once <= prefetch:
            raise ValueError(f"{event.topic}: {at_once} at once of the {prefetch} that may be here")

        async def handle(delivery: Delivery) -> None:
            envelope = decode_as(delivery.body, event)
            correlation.adopt(envelope.correlation_id)
            self._log.debug("{tag} handles {topic} {id}", tag=tag, topic=envelope.topic, id=envelope.id)
            handle_in_context(envelope)
            await handler(envelope.data)

        queue = Subscription(event, policy, tag).queue
        self._consume(queue, lambda delivery: self._once(handle, delivery), prefetch, at_once)

    def stream(self, name: str) -> Stream:
        """The stream of that name."""
        return Stream(name, self._broker, self._take_in)

    def _take_in(self, tap: Tap, taker: Taker) -> None:
        self._intakes.append(Intake(tap, taker, self._broker, self._clock, self._stats, self._pace))

    def _consume(self, queue: Queue, settle: Handle, prefetch: int, at_once: int) -> None:
        worker = Worker(settle, at_once)
        self._consuming.append((self._broker.consume(queue, prefetch, worker.take), worker))

    async def _once(self, handle: Handle, delivery: Delivery) -> None:
        """Handle it, and settle it by the outcome."""
        try:
            await handle(delivery)
        except RetryLater as later:
            delay_s = later.delay_s
            await self._insist(lambda: delivery.retry(delay_s, delivery.attempts))
        except Exception as error:  # noqa: BLE001 - what a handler raises is an outcome
            correlation.fail()
            await self._failed(delivery, error)
        else:
            delivery.done()

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        attempts = delivery.attempts + 1
        hopeless = isinstance(error, UnreadableEvent | UnknownEvent)
        told = traceback_of(error)
        if hopeless or attempts > len(self._backoff_s):
            said = "A dead letter after {attempts} attempts: {error!r}"
            self._log.error(said, attempts=attempts, error=error, traceback=told)
            await self._insist(lambda: delivery.bury(told))
            return
        delay_s = self._backoff_s[attempts - 1]
        warn_of_retry(delay_s, error)
        await self._insist(lambda: delivery.retry(delay_s, attempts))

    async def _insist(self, settle: Callable[[], Awaitable[None]]) -> None:
        """Settle it, however often the broker is away; a stop leaves it unsettled, and it comes again."""
        while True:
            try:
                return await settle()
            except EventError as error:
                self._log.warn("Not settled: {error}", error=error)
            await self._sleeps.sleep(1.0)

    async def _drain(self) -> None:
        try:
            drained = _all(worker.drain() for _, worker in self._consuming)
            await within(self._clock, self._drain_s, drained, "handlers under way")
        except BrokerUnavailable as error:
            self._log.warn("Stopped without waiting longer: {error}", error=error)


def _all(running: Iterable[Coroutine[Any, Any, None]]) -> Deferred[list[None]]:
    return gatherResults([Deferred.fromCoroutine(one) for one in running], consumeErrors=True)
