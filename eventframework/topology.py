"""What the broker has to have before anyone publishes, and the only place that names it.

    exchange "events" (direct, key = topic)
      ├─ evt.node_updated                  ROUND_ROBIN          durable
      ├─ evt.node_updated.indexer          SCOPED_ROUND_ROBIN   durable
      └─ fan.node_updated.<unique>         FANOUT               private, drops its oldest

    exchange "stream.results" (direct, key = pNN)
      ├─ stream.results.archive.p00 … p15  SCOPED, pushes back  durable, one live consumer, refuses when full
      ├─ stream.results.state.p00 … p15    SCOPED               durable, one live consumer, drops its oldest
      └─ fan.results.<unique>              FANOUT, every key    private, drops its oldest

    exchange "members" (direct, key = results.state)
      └─ fan.members.<unique>              one of each instance of a tag: who shares its partitions

    wait.<ms>    failed messages on their way back to the queue they came from (RabbitMQ only)
    dead         messages that failed too often, with the traceback
    mending      messages of a queue that is being made anew, and only while it is (RabbitMQ only)

A publish reaches the queues that are bound to its key, and is refused where there are none.
"""

from dataclasses import dataclass
from enum import Enum

from eventframework.event import Event
from eventframework.policy import Policy, Share, event_queue, stream_queue

PARTITIONS = 16
"""Of a stream, where nothing else is said."""

EVENTS = "events"
DEAD = "dead"
MENDING = "mending"
PRIVATE = "fan."
MEMBERS = "members"
PUSHES_BACK = "archive"
"""The one tag whose full queues refuse the publishers' batches."""

PRIVATE_BYTES = 32 << 20
"""What may wait in the queue of one consumer before it drops its oldest."""


class Overflow(Enum):
    """What a full queue does."""

    GROW = "grow"
    REFUSE = "reject-publish"
    DROP_OLDEST = "drop-head"


@dataclass(frozen=True)
class Queue:
    """A queue and the `keys` of `exchange` that it is bound to.

    A durable queue outlives its consumers; the others are private to one consumer, and `name` only begins
    theirs. `ordered`: one live consumer at a time. `full` says what happens past `most_bytes`.
    """

    name: str
    exchange: str
    keys: tuple[str, ...]
    durable: bool = True
    ordered: bool = False
    full: Overflow = Overflow.GROW
    most_bytes: int = 0


@dataclass(frozen=True)
class Limits:
    """Bytes that may wait: of a SCOPED tag over all its partitions, of a FANOUT one for each consumer."""

    pushes_back: int = 2 << 30
    drops: int = 512 << 20
    private: int = PRIVATE_BYTES


LIMITS = Limits()


@dataclass(frozen=True)
class Subscription:
    """Who takes an event: enough to declare its queue without the consumer being there."""

    event: type[Event]
    policy: Policy
    tag: str = ""

    def __post_init__(self) -> None:
        if (self.policy is Policy.SCOPED_ROUND_ROBIN) != bool(self.tag):
            raise ValueError(f"{self.event.topic}: a tag goes with SCOPED_ROUND_ROBIN, and only with it")

    @property
    def queue(self) -> Queue:
        """The queue that the subscriber consumes."""
        topic = self.event.topic
        if self.policy is Policy.FANOUT:
            return private_queue(topic, EVENTS, (topic,))
        return Queue(event_queue(topic, self.tag), EVENTS, (topic,))


@dataclass(frozen=True)
class Tap:
    """A tag that takes a stream."""

    stream: str
    tag: str
    share: Share = Share.SCOPED

    @property
    def group(self) -> str:
        """Those who share its partitions."""
        return f"{self.stream}.{self.tag}"

    def queues(self, partitions: int, limits: Limits = LIMITS) -> list[Queue]:
        """The queues that the tag consumes: one per partition, or one of its own for all."""
        if self.share is Share.FANOUT:
            keys = tuple(map(partition_key, range(partitions)))
            return [private_queue(self.stream, stream_exchange(self.stream), keys, limits.private)]
        return [self._partition(partition, partitions, limits) for partition in range(partitions)]

    def _partition(self, partition: int, partitions: int, limits: Limits) -> Queue:
        pushes_back = self.tag == PUSHES_BACK
        return Queue(
            stream_queue(self.stream, self.tag, partition),
            stream_exchange(self.stream),
            (partition_key(partition),),
            ordered=True,
            full=Overflow.REFUSE if pushes_back else Overflow.DROP_OLDEST,
            most_bytes=(limits.pushes_back if pushes_back else limits.drops) // partitions,
        )


@dataclass(frozen=True)
class Topology:
    """Everything that the enabled services consume; every process of a set-up is given the same."""

    subscriptions: tuple[Subscription, ...] = ()
    taps: tuple[Tap, ...] = ()

    def queues(self, partitions: int, limits: Limits = LIMITS) -> list[Queue]:
        """The durable queues, which have to be there before anyone publishes."""
        taken = [queue for tap in self.taps for queue in tap.queues(partitions, limits)]
        return [queue for queue in (*(s.queue for s in self.subscriptions), *taken) if queue.durable]


def private_queue(name: str, exchange: str, keys: tuple[str, ...], most_bytes: int = PRIVATE_BYTES) -> Queue:
    """A queue of one consumer's own."""
    full = Overflow.DROP_OLDEST
    return Queue(f"{PRIVATE}{name}", exchange, keys, durable=False, full=full, most_bytes=most_bytes)


def members_queue(group: str) -> Queue:
    """Where an instance hears of the others of its group."""
    return private_queue(MEMBERS, MEMBERS, (group,))


def is_private(queue: str) -> bool:
    """Whether the queue of that name was one consumer's own, and is gone with it."""
    return queue.startswith(PRIVATE)


def stream_exchange(stream: str) -> str:
    """The exchange of a stream."""
    return f"stream.{stream}"


def partition_key(partition: int) -> str:
    """The routing key of a partition."""
    return f"p{partition:02d}"


def key_partition(key: str) -> int:
    """The partition that a routing key means."""
    return int(key[1:])
