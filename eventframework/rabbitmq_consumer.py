"""Consuming a queue of RabbitMQ: over one channel for all, but on a channel of its own where order counts.

A share of an ordered queue is given up by the end of its channel. That gives back what was not acknowledged,
in order, before the next consumer begins. A cancel would make that one begin at once, with what comes after.
"""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

from pika import BasicProperties
from pika.spec import Basic
from twisted.internet.defer import Deferred, DeferredLock

from eventframework.amqp import Channel
from eventframework.broker import DeadLetter, Delivery, Stamp
from eventframework.clock import Clock, stop_timer
from eventframework.dead import ATTEMPTS, FIRST_FAILED, headers_of
from eventframework.declare import declare_queue, wait_name
from eventframework.errors import BrokerUnavailable, EventError
from eventframework.topology import DEAD, Queue

PUBLISHER = "picket-publisher"
NUMBER = "picket-number"


def stamped(stamp: Stamp | None) -> dict[str, Any]:
    """A stamp as headers."""
    return {PUBLISHER: stamp.publisher, NUMBER: stamp.number} if stamp else {}


class Owner(Protocol):
    """What of the broker a consumer uses."""

    @property
    def clock(self) -> Clock:
        """The time."""

    async def send(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        """Publish with headers; raises PublishRefused or BrokerUnavailable."""

    async def channel(self) -> Channel:
        """One more channel to consume over; raises BrokerUnavailable."""

    def forget(self, consumer: "RabbitConsumer") -> None:
        """Do not let it begin again."""

    def begin_anew(self) -> None:
        """Consume over another connection; what was not acknowledged on this one comes again."""


class RabbitConsumer:
    """A consumer that begins anew on each connection; a private queue has a new name each time."""

    def __init__(
        self,
        owner: Owner,
        queue: Queue,
        prefetch: int,
        take: Callable[[Delivery], None],
        lost: Callable[[], None],
    ) -> None:
        self.owner = owner
        self.queue = queue
        self.take = take
        self._lost = lost
        self._prefetch = prefetch
        self._tag = uuid.uuid4().hex
        self._name = queue.name
        self._channel: Channel | None = None
        self._leaving = False
        self._turn = DeferredLock()
        self._timers: list[Any] = []

    async def begin(self, shared: Channel) -> None:
        """Declare the queue, and consume it over the shared channel or one of its own."""
        await self._turn.run(lambda: Deferred.fromCoroutine(self._begin(shared)))

    async def cancel(self) -> None:
        """Get no more deliveries."""
        self._leaving = True
        self.owner.forget(self)
        for timer in self._timers:
            stop_timer(timer)
        await self._turn.run(lambda: Deferred.fromCoroutine(self._end()))

    def give_back(self) -> None:
        """Only the end of the connection does so; the broker's other consumers begin anew."""
        if self._channel is not None and self._channel.raw.is_open:
            self.owner.begin_anew()

    async def waiting(self) -> int:
        """How many messages its queue has that no consumer has got yet; raises BrokerUnavailable."""
        if self._channel is None:
            raise BrokerUnavailable(f"{self.queue.name} is not consumed at the moment")
        answer = await self._channel.call("queue_declare", queue=self._name, passive=True)
        ready: int = answer.method.message_count
        return ready

    def gone(self) -> None:
        """The connection has ended."""
        channel, self._channel = self._channel, None
        if channel is not None:
            self._lost()

    def later(self, delay_s: float, delivery: "RabbitDelivery") -> None:
        """Take it again after the delay, in this process: a private queue is not for others."""
        self._timers = [timer for timer in self._timers if timer.active()]
        self._timers.append(self.owner.clock.callLater(delay_s, self.take, delivery))

    async def _begin(self, shared: Channel) -> None:
        if self._leaving:
            return
        channel = await self.owner.channel() if self.queue.ordered else shared
        self._name = self.queue.name if self.queue.durable else f"{self.queue.name}.{uuid.uuid4().hex}"
        await declare_queue(channel, self.queue, self._name)
        await channel.call("basic_qos", prefetch_count=self._prefetch)
        self._channel = channel
        await channel.call(
            "basic_consume", queue=self._name, on_message_callback=self._on_message, consumer_tag=self._tag
        )

    async def _end(self) -> None:
        channel = self._channel
        if channel is None or not channel.raw.is_open:
            return
        if not self.queue.ordered:
            await channel.call("basic_cancel", consumer_tag=self._tag)
            return
        self._channel = None
        try:
            await channel.close()
        except EventError:
            self.owner.begin_anew()

    def _on_message(self, _: Any, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        if self._channel is not None:
            self._channel.acks.delivered(method.delivery_tag)
            self.take(RabbitDelivery(self, self._channel, method, properties, body))


class RabbitDelivery:
    """A message that is not acknowledged yet, on the channel that brought it."""

    def __init__(
        self,
        consumer: RabbitConsumer,
        channel: Channel,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        self.key: str = method.routing_key
        self.body = body
        self.redelivered: bool = method.redelivered
        headers = properties.headers or {}
        self.attempts: int = headers.get(ATTEMPTS, 0)
        self.stamp = Stamp(headers[PUBLISHER], headers[NUMBER]) if PUBLISHER in headers else None
        self._first_failed_ms: int = headers.get(FIRST_FAILED, 0)
        self._consumer = consumer
        self._channel = channel
        self._tag = method.delivery_tag

    @property
    def shared(self) -> dict[Any, Any]:
        """New with each attempt, so that what waits for its next one has its body and no more."""
        return {}

    def done(self) -> None:
        """Acknowledge it."""
        self._channel.acks.settle(self._tag)

    async def retry(self, delay_s: float, attempts: int) -> None:
        """Send a copy on the long way back to its queue, then acknowledge it."""
        if attempts:
            self._first_failed_ms = self._first_failed_ms or self._now_ms()
        if not self._consumer.queue.durable:
            self.attempts = attempts
            self._consumer.later(delay_s, self)
            return
        headers = {ATTEMPTS: attempts, FIRST_FAILED: self._first_failed_ms}
        await self._consumer.owner.send(wait_name(delay_s), self._consumer.queue.name, self.body, headers)
        self.done()

    async def bury(self, error: str) -> None:
        """Send a copy to the dead letters, then acknowledge it."""
        now_ms = self._now_ms()
        first_ms = self._first_failed_ms or now_ms
        queue, attempts = self._consumer.queue.name, self.attempts + 1
        letter = DeadLetter(queue, self.body, attempts, error, first_ms, now_ms)
        await self._consumer.owner.send("", DEAD, self.body, headers_of(letter))
        self.done()

    def _now_ms(self) -> int:
        return int(self._consumer.owner.clock.seconds() * 1000)
