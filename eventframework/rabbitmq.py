"""The broker that is RabbitMQ: quorum queues, confirms, one connection to publish and one to consume."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from eventframework.amqp import Channel
from eventframework.broker import DeadLetter, Delivery, Hook, Stamp
from eventframework.clock import Reactor
from eventframework.connection import Link
from eventframework.dead import DeadLetters
from eventframework.declare import topology_steps
from eventframework.errors import BrokerUnavailable, EventError
from eventframework.hooks import Hooks
from eventframework.publisher import Publisher
from eventframework.rabbitmq_consumer import RabbitConsumer, stamped
from eventframework.settle import SETTLE_S, settle
from eventframework.topology import DEAD, LIMITS, PARTITIONS, Limits, Queue, Topology
from statslib import Stats


class RabbitBroker:
    """One process's two connections to any of `urls` (amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://).

    `name` is what the broker's own pages call the connections. `topology` is declared before anything is
    published, besides the queues consumed here; `settle_s` is how long new queues are left alone before that.
    `stats` show whether the broker blocks publishers, and is unready while anything keeps it from its work.
    """

    def __init__(
        self,
        urls: Sequence[str],
        reactor: Reactor,
        name: str,
        *,
        topology: Topology | None = None,
        partitions: int = PARTITIONS,
        limits: Limits = LIMITS,
        settle_s: float = SETTLE_S,
        stats: Stats | None = None,
    ) -> None:
        self.partitions = partitions
        self.limits = limits
        self.clock = reactor
        self._steps = topology_steps((topology or Topology()).queues(partitions, limits))
        self._settle_s = settle_s
        self._publisher: Publisher | None = None
        self._publishing = Link(
            urls, reactor, f"{name} publishes", self._publish_up, self._publish_down, self._changed
        )
        self._consuming = Link(
            urls, reactor, f"{name} consumes", self._consume_up, self._consume_down, self._changed
        )
        self._dead = DeadLetters(self._consuming.twisted_channel, reactor)
        self._stats = stats or Stats("broker")
        self._stats.gauge("publishers_blocked", lambda: int(self._blocked))
        self._stats.gauge("publishes_under_way", lambda: len(self._publisher or ()))
        self._channel: Channel | None = None
        self._consumed = False
        self._consumers: list[RabbitConsumer] = []
        self._beginning = DeferredLock()
        self._hooks = Hooks()
        self._first: Deferred[None] | None = None
        self._log = Logger(namespace="eventframework.rabbitmq")

    def connected(self, hook: Hook) -> None:
        """Run `hook` whenever both connections have come."""
        self._hooks.add(hook)

    async def start(self) -> None:
        """Connect, for as long as it takes."""
        first = self._first = Deferred()
        self._publishing.start()
        self._consuming.start()
        await first

    async def stop(self) -> None:
        """Close both connections; `start` returns, if it still waited."""
        if self._channel is not None:
            self._channel.acks.flush()
        await self._consuming.stop()
        await self._publishing.stop()
        self._started()

    async def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        stamp: Stamp | None = None,
        shared: Mapping[Any, Any] | None = None,  # noqa: ARG002 - each process decodes for itself
    ) -> None:
        """Return when RabbitMQ has confirmed it."""
        await self.send(exchange, key, body, stamped(stamp))

    async def send(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        """The same, with headers."""
        if self._publisher is None:
            raise BrokerUnavailable(self._publishing.problem or "not connected")
        await self._publisher.publish(exchange, key, body, headers)

    def consume(
        self,
        queue: Queue,
        prefetch: int,
        take: Callable[[Delivery], None],
        lost: Callable[[], None] = lambda: None,
    ) -> RabbitConsumer:
        """Consume from now on, or from the connect on."""
        consumer = RabbitConsumer(self, queue, prefetch, take, lost)
        self._consumers.append(consumer)
        if self._channel is not None:
            Deferred.fromCoroutine(self._begin_late(consumer, self._channel))
        return consumer

    async def channel(self) -> Channel:
        """One more channel to consume over; raises BrokerUnavailable."""
        channel = await self._consuming.channel()
        self._end_with(channel, self._consuming)
        return channel

    def forget(self, consumer: RabbitConsumer) -> None:
        """Do not let it begin again."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def begin_anew(self) -> None:
        """Consume over another connection; what was not acknowledged on this one comes again."""
        self._consuming.drop()

    async def count_dead_letters(self) -> int:
        """By the broker's own count of their queue."""
        if self._channel is None:
            raise BrokerUnavailable("not connected")
        found = await self._channel.call("queue_declare", queue=DEAD, passive=True)
        return int(found.method.message_count)

    async def dead_letters(self, limit: int = 100, letter_id: str | None = None) -> list[DeadLetter]:
        """The oldest dead letters, or those of one id: taken, and put back."""
        return await self._dead.oldest(limit, letter_id)

    async def replay(self, letter_id: str | None = None) -> int:
        """Publish them to their queues, each acknowledged at the confirm."""
        return await self._dead.replay(lambda queue, body: self.publish("", queue, body), letter_id)

    async def drop(self, letter_id: str | None = None) -> int:
        """Acknowledge them."""
        return await self._dead.drop(letter_id)

    @property
    def _blocked(self) -> bool:
        return self._publisher is not None and self._publisher.blocked

    def _block(self, blocked: bool) -> None:
        if self._publisher is not None:
            self._publisher.block(blocked)
            self._changed()

    def _changed(self) -> None:
        blocked = "RabbitMQ blocks its publishers: it is short of memory or disk" if self._blocked else ""
        self._stats.unready = self._publishing.problem or self._consuming.problem or blocked

    async def _publish_up(self, link: Link, channel: Channel) -> None:
        await settle(link, channel, self._steps, self._settle_s)
        exchanges = {step.name for step in self._steps if step.kind == "exchange"}
        publisher = Publisher(channel, {"", *exchanges})
        await publisher.open()
        self._end_with(channel, link)
        self._publisher = publisher
        link.on_blocked(self._block)
        self._came()

    def _publish_down(self) -> None:
        self._publisher = None
        self._hooks.up = False

    async def _consume_up(self, link: Link, channel: Channel) -> None:
        self._end_with(channel, link)
        self._channel = channel
        for consumer in list(self._consumers):
            await self._begin(consumer, channel)
        self._consumed = True
        self._came()

    def _consume_down(self) -> None:
        self._channel = None
        self._consumed = self._hooks.up = False
        for consumer in list(self._consumers):
            consumer.gone()

    def _end_with(self, channel: Channel, link: Link) -> None:
        """A channel that ends, or a consumer that the broker cancels, is put right by a new connection."""
        channel.raw.add_on_close_callback(lambda *_: None if channel.closing else link.drop())
        channel.raw.add_on_cancel_callback(lambda _: link.drop())

    async def _begin(self, consumer: RabbitConsumer, channel: Channel) -> None:
        await self._beginning.acquire()
        try:
            await consumer.begin(channel)
        finally:
            self._beginning.release()

    async def _begin_late(self, consumer: RabbitConsumer, channel: Channel) -> None:
        try:
            await self._begin(consumer, channel)
        except EventError as error:
            self._log.warn("{queue} is not consumed yet: {error}", queue=consumer.queue.name, error=error)
            self._consuming.drop()

    def _came(self) -> None:
        if self._publisher is not None and self._consumed:
            Deferred.fromCoroutine(self._hooks.run()).addCallback(lambda _: self._started())

    def _started(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            first.callback(None)
