"""The queues of the memory broker: who gets the next message, and what comes back from whom."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from eventframework.broker import Delivery, Stamp
from eventframework.topology import Overflow, Queue


@dataclass(slots=True, eq=False)
class Message:
    """One message in one queue; `handled` fires for the publisher who waits for that.

    `shared` is the same for the messages of one publish in all queues.
    """

    id: int
    key: str
    body: bytes
    attempts: int = 0
    redelivered: bool = False
    first_failed_ms: int = 0
    shared: dict[Any, Any] = field(default_factory=dict)
    stamp: Stamp | None = None
    handled: Deferred[None] = field(default_factory=Deferred)


class Outcomes(Protocol):
    """What the broker does with a message that its consumer has settled."""

    def handled(self, queue: "MemoryQueue", message: Message) -> None:
        """Forget it."""

    async def put_off(self, queue: "MemoryQueue", message: Message, delay_s: float, attempts: int) -> None:
        """Note that it failed, and when it is due again."""

    def again(self, queue: "MemoryQueue", message: Message, delay_s: float) -> None:
        """Put it back into the queue after the delay."""

    async def buried(self, queue: "MemoryQueue", message: Message, error: str) -> None:
        """Put it among the dead letters."""


class MemoryQueue:
    """Messages that wait, and the consumers among whom they go round."""

    def __init__(self, declared: Queue, outcomes: Outcomes) -> None:
        self.declared = declared
        self.outcomes = outcomes
        self.consumers: deque[MemoryConsumer] = deque()
        self.dropped = 0
        self._bytes = 0
        self._waiting: deque[Message] = deque()
        self._giving = False

    @property
    def journaled(self) -> bool:
        """Whether its messages are kept until handled: those of a stream remain their publisher's."""
        return self.declared.durable and not self.declared.ordered

    def binds(self, exchange: str, key: str) -> bool:
        """Whether a publish to that key comes here; a private queue goes with its consumer."""
        alive = self.declared.durable or bool(self.consumers)
        return alive and self.declared.exchange == exchange and key in self.declared.keys

    @property
    def waiting(self) -> int:
        """How many messages no consumer has got yet."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether the next message would be refused, or drop another."""
        return self.declared.full is not Overflow.GROW and self._bytes >= self.declared.most_bytes

    def put(self, message: Message) -> None:
        """Append a message; the oldest go where there is no room."""
        while self.full and self.declared.full is Overflow.DROP_OLDEST:
            self._take_oldest()
            self.dropped += 1
        self._waiting.append(message)
        self._bytes += len(message.body)
        self.give()

    def put_back(self, messages: list[Message]) -> None:
        """Return what a consumer held, to where it was in the order."""
        for message in messages:
            message.redelivered = True
            self._bytes += len(message.body)
        self._waiting = deque(sorted((*messages, *self._waiting), key=lambda message: message.id))
        self.give()

    def give(self) -> None:
        """Hand out what the consumers have room for. A handler that settles at once comes back here."""
        if self._giving:
            return
        self._giving = True
        try:
            while self._waiting and (consumer := self._next_consumer()):
                consumer.give(self._take_oldest())
        finally:
            self._giving = False

    def _take_oldest(self) -> Message:
        message = self._waiting.popleft()
        self._bytes -= len(message.body)
        return message

    def _next_consumer(self) -> "MemoryConsumer | None":
        if self.declared.ordered:
            return self.consumers[0] if self.consumers and self.consumers[0].free else None
        for _ in range(len(self.consumers)):
            self.consumers.rotate(-1)
            if self.consumers[-1].free:
                return self.consumers[-1]
        return None


class MemoryConsumer:
    """One consumer; of an ordered queue the first in the line gets everything, until it leaves."""

    def __init__(self, queue: MemoryQueue, prefetch: int, take: Callable[[Delivery], None]) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._take = take
        self._held: dict[int, Message] = {}
        self.leaving = False
        queue.consumers.append(self)

    @property
    def free(self) -> bool:
        """Whether it may hold one more."""
        return not self.leaving and len(self._held) < self._prefetch

    def give(self, message: Message) -> None:
        """Have it handled."""
        self._held[message.id] = message
        self._take(MemoryDelivery(self._queue, self, message))

    def release(self, message: Message) -> bool:
        """Whether it still held the message; from now on it does not."""
        return self._held.pop(message.id, None) is not None

    def settled(self) -> None:
        """There is room, or the last of a leaving one is settled."""
        if self.leaving and not self._held and self in self._queue.consumers:
            self._queue.consumers.remove(self)
        self._queue.give()

    async def cancel(self) -> None:
        """Get no more deliveries; an ordered queue has at once back what it holds."""
        self.leaving = True
        if self._queue.declared.ordered:
            self.give_back()
        else:
            self.settled()

    async def waiting(self) -> int:
        """How many messages of its queue no consumer has got yet."""
        return self._queue.waiting

    def give_back(self) -> None:
        """Let others have what it still holds."""
        held, self._held = list(self._held.values()), {}
        self._queue.put_back(held)
        self.settled()


class MemoryDelivery:
    """A message in the hands of a consumer."""

    def __init__(self, queue: MemoryQueue, consumer: MemoryConsumer, message: Message) -> None:
        self.key = message.key
        self.body = message.body
        self.redelivered = message.redelivered
        self.attempts = message.attempts
        self.shared = message.shared
        self.stamp = message.stamp
        self._queue = queue
        self._consumer = consumer
        self._message = message

    def done(self) -> None:
        """It is handled."""
        if self._consumer.release(self._message):
            self._queue.outcomes.handled(self._queue, self._message)
            self._consumer.settled()

    async def retry(self, delay_s: float, attempts: int) -> None:
        """Once more, later."""
        await self._queue.outcomes.put_off(self._queue, self._message, delay_s, attempts)
        if self._consumer.release(self._message):
            self._message.attempts = attempts
            self._queue.outcomes.again(self._queue, self._message, delay_s)
            self._consumer.settled()

    async def bury(self, error: str) -> None:
        """Never again."""
        await self._queue.outcomes.buried(self._queue, self._message, error)
        if self._consumer.release(self._message):
            self._consumer.settled()
