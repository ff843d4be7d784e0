"""What a broker does for the framework, in bytes; `rabbitmq` and `memory` do it, one contract tests both."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from eventframework.topology import Limits, Queue

Hook = Callable[[], Awaitable[None]]


class Stamp(NamedTuple):
    """Who published a message, and its number among all of that publisher for one partition of a stream."""

    publisher: str
    number: int


class Delivery(Protocol):
    """A message that one consumer holds until it has settled it in one of three ways.

    Of a message that is never settled, because its consumer went away, another consumer gets it again.
    """

    key: str
    body: bytes
    redelivered: bool
    attempts: int
    """How often it has failed before."""
    stamp: Stamp | None

    @property
    def shared(self) -> dict[Any, Any]:
        """What consumers in this process have made of the body, for the others who get the same message."""

    def done(self) -> None:
        """It is handled, and need not come again."""

    async def retry(self, delay_s: float, attempts: int) -> None:
        """Give it to a consumer of the same queue again after about `delay_s`; raises EventError."""

    async def bury(self, error: str) -> None:
        """Put it among the dead letters; raises EventError."""


class Consumer(Protocol):
    """One consumer of one queue."""

    async def cancel(self) -> None:
        """Get no more deliveries; those held may still be settled.

        Of an ordered queue they go back to their place at once, and the next consumer in the line begins:
        settle those under way before. Who consumes the queue again is at the end of the line.
        """

    async def waiting(self) -> int:
        """How many messages its queue has that no consumer has got yet; raises BrokerUnavailable."""

    def give_back(self) -> None:
        """Cancelled, let others have what it still holds."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that failed too often: the queue it was in, its failures, and the last one's traceback.

    `first_failed_ms` and `last_failed_ms` are milliseconds since the epoch, or 0 where they are not known.
    """

    queue: str
    body: bytes
    attempts: int
    error: str
    first_failed_ms: int = 0
    last_failed_ms: int = 0

    @property
    def id(self) -> str:
        """12 hex digits, the same at every look; copies of one message in one queue share it."""
        return letter_id(self.queue, self.body)


def letter_id(queue: str, body: bytes) -> str:
    """The id of a dead letter."""
    return sha256(queue.encode() + b"\0" + body).hexdigest()[:12]


class Broker(Protocol):
    """Exchanges, queues and deliveries as `eventframework.topology` draws them."""

    partitions: int
    """Of every stream; fixed for the life of its queues."""
    limits: Limits
    """Of every stream; also fixed."""

    def connected(self, hook: Hook) -> None:
        """Run `hook` at each connect, once everything is declared and consumed again."""

    async def start(self) -> None:
        """Return when it is connected for the first time and the hooks have run."""

    async def stop(self) -> None:
        """Let go of everything; what is held unsettled comes again to others."""

    async def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        stamp: Stamp | None = None,
        shared: Mapping[Any, Any] | None = None,
    ) -> None:
        """Return once each queue bound to `key` has it for good; raises PublishRefused, BrokerUnavailable.

        `shared` is what `Delivery.shared` has from the beginning, where the consumers are in this process.
        """

    def consume(
        self,
        queue: Queue,
        prefetch: int,
        take: Callable[[Delivery], None],
        lost: Callable[[], None] = lambda: None,
    ) -> Consumer:
        """Call `take` with each delivery, at most `prefetch` of them unsettled; outlives reconnects.

        `lost` is called at the end of a connection: what is held comes again to whoever is next in the line.
        """

    async def count_dead_letters(self) -> int:
        """How many dead letters there are, about, without a look at them; raises BrokerUnavailable."""

    async def dead_letters(self, limit: int = 100, letter_id: str | None = None) -> list[DeadLetter]:
        """The oldest dead letters, or those of one id, left where they are."""

    async def replay(self, letter_id: str | None = None) -> int:
        """Put that dead letter, or all, back into the queue it came from, as if it had never failed.

        Each leaves the dead letters once its queue has it for good. Returns how many did; raises
        PublishRefused when some stay because their queue is gone or private, or BrokerUnavailable.
        """

    async def drop(self, letter_id: str | None = None) -> int:
        """Forget that dead letter, or all; returns how many there were."""
