"""The high-volume stream: batches of bytes in partitions, every tag seeing every batch in order."""

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from eventframework.broker import Broker, Delivery
from eventframework.policy import Share
from eventframework.topology import Queue, Tap, key_partition, partition_key, stream_exchange

T = TypeVar("T")

PREFETCH = 32
"""Batches of a partition that a consumer has at hand: the time to the next one is no round trip."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one publish carried. `redelivered`: it may have been handled before, in part or in full."""

    stream: str
    partition: int
    body: bytes
    redelivered: bool
    _shared: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def decoded(self, decode: Callable[[bytes], T]) -> T:
        """`decode(body)`, done once for all consumers of a memory broker: nobody may change the result."""
        if decode not in self._shared:
            self._shared[decode] = decode(self.body)
        result: T = self._shared[decode]
        return result


Handler = Callable[[Batch], Awaitable[None]]


class Consume(Protocol):
    """How a stream has a queue consumed: with retries in place, `at_once` batches under way."""

    def __call__(
        self, queue: Queue, handle: Callable[[Delivery], Awaitable[None]], prefetch: int, at_once: int
    ) -> None:
        """Begin to consume."""


class Stream:
    """One stream; made by `Framework.stream`."""

    def __init__(self, name: str, broker: Broker, consume: Consume) -> None:
        self.name = name
        self.partitions = broker.partitions
        self._broker = broker
        self._consume = consume

    def partition(self, node_id: str) -> int:
        """Where the batches of a node go, always."""
        return zlib.crc32(node_id.encode()) % self.partitions

    async def publish(self, partition: int, body: bytes) -> None:
        """Return once it is safe: every durable queue has it. Raises PublishRefused or BrokerUnavailable."""
        await self._broker.publish(stream_exchange(self.name), partition_key(partition), body)

    def consume(self, tag: str, handler: Handler, share: Share = Share.SCOPED, *, at_once: int = 1) -> None:
        """Call `handler` with every batch that `tag` is to see, until it succeeds.

        A handler that raises is called again with the same batch, after RetryLater's delay or a growing one.
        With `at_once` 1 a partition's batches are handled strictly one after the other; with more, that many
        of a partition may be under way, begun in order: for a handler that waits and minds no order.
        """
        for queue in Tap(self.name, tag, share).queues(self.partitions):
            self._consume(queue, self._handle(handler), max(PREFETCH, at_once), at_once)

    def _handle(self, handler: Handler) -> Callable[[Delivery], Awaitable[None]]:
        async def handle(delivery: Delivery) -> None:
            partition = key_partition(delivery.key)
            await handler(Batch(self.name, partition, delivery.body, delivery.redelivered, delivery.shared))

        return handle
