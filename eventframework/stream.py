"""The high-volume stream: batches of bytes in partitions, every tag seeing every batch in order."""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eventframework.broker import Broker, Delivery
from eventframework.gaps import Numbers
from eventframework.lane import Missed, Released, Taker
from eventframework.policy import Share
from eventframework.topology import Tap, key_partition, partition_key, stream_exchange
from eventframework.worker import Handle

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
Decoded = Mapping[Any, Any]
"""What a function that decodes a body would return, by the function."""


class Stream:
    """One stream; made by `Framework.stream`."""

    def __init__(self, name: str, broker: Broker, consume: Callable[[Tap, Taker], None]) -> None:
        self.name = name
        self.partitions = broker.partitions
        self._broker = broker
        self._consume = consume
        self._numbers = Numbers()

    def partition(self, node_id: str) -> int:
        """Where the batches of a node go, always."""
        return zlib.crc32(node_id.encode()) % self.partitions

    async def publish(self, partition: int, body: bytes, decoded: Decoded | None = None) -> None:
        """Return once it is safe: every durable queue has it. Raises PublishRefused or BrokerUnavailable.

        `decoded` is what functions that decode the body would return: `Batch.decoded` need not call them.
        """
        stamp = self._numbers.next(partition)
        exchange, key = stream_exchange(self.name), partition_key(partition)
        try:
            await self._broker.publish(exchange, key, body, stamp, decoded)
        except BaseException:
            self._numbers.failed(partition, stamp)
            raise

    def consume(
        self,
        tag: str,
        handler: Handler,
        share: Share = Share.SCOPED,
        *,
        at_once: int = 1,
        released: Released = lambda partition: None,  # noqa: ARG005
        missed: Missed = lambda partition, batches: None,  # noqa: ARG005
    ) -> None:
        """Call `handler` with every batch that `tag` is to see, until it succeeds.

        A handler that raises is called again with the same batch, after RetryLater's delay or a growing one.
        With `at_once` 1 a partition's batches are handled one after the other; with more, that many
        of a partition may be under way, begun in order: for a handler that waits and minds no order.

        `released(partition)`: no batch of it is under way any more, and before the next one that comes, if
        any, others may have been handled elsewhere or gone by: forget what was gathered from the partition.

        `missed(partition, batches)`: the tag was so far behind that its queue dropped that many batches. It
        is called before the handler gets those behind the gap, maybe before it gets the last in front of it.
        """
        taker = Taker(self._handle(handler), max(PREFETCH, at_once), at_once, released, missed)
        self._consume(Tap(self.name, tag, share), taker)

    def _handle(self, handler: Handler) -> Handle:
        async def handle(delivery: Delivery) -> None:
            partition = key_partition(delivery.key)
            await handler(Batch(self.name, partition, delivery.body, delivery.redelivered, delivery.shared))

        return handle
