"""The broker inside one process: the same promises as RabbitMQ's, by a SQLite journal instead of a server.

Events sit in the journal until they are handled; while too many do, their publishers wait. A stream's batch
is nowhere but in memory: its publish returns when the tag that pushes back has handled it, and until then it
is the publisher's to keep.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from eventframework.broker import DeadLetter, Delivery, Hook, Stamp
from eventframework.clock import Clock, stop_timer, together, within
from eventframework.errors import BrokerUnavailable, EventError, PublishRefused
from eventframework.hooks import Hooks
from eventframework.journal import Entry, Journal
from eventframework.memory_queue import MemoryConsumer, MemoryQueue, Message
from eventframework.room import Room
from eventframework.topology import PARTITIONS, Limits, Overflow, Queue, Topology, is_private

CONFIRM_S = 10.0
LIMITS = Limits(pushes_back=64 << 20, drops=64 << 20, private=4 << 20)
EVENTS_BYTES = 16 << 20
"""Of one subscription, not handled yet: they are in memory as well as in the journal."""


class MemoryBroker:
    """Several frameworks of one process may share it; it stops with the last of them.

    `clock` is the reactor where there is a journal, whose thread it hears from. `limits` bounds what one
    tag of a stream may have waiting: past it a batch is refused, or the oldest dropped. `events_bytes` bounds
    what one subscription of an event may have unhandled: past it a publish waits.
    """

    def __init__(
        self,
        journal: Path | None,
        clock: Clock,
        *,
        topology: Topology | None = None,
        partitions: int = PARTITIONS,
        limits: Limits = LIMITS,
        events_bytes: int = EVENTS_BYTES,
    ) -> None:
        self.partitions = partitions
        self.limits = limits
        self._clock = clock
        self._journal = Journal(journal, clock)
        self._rooms: dict[str, Room] = defaultdict(lambda: Room(events_bytes))
        self._ids = count(1)
        self._queues: list[MemoryQueue] = []
        self._left: list[Entry] = []
        self._timers: list[Any] = []
        self._hooks = Hooks()
        self._users = 0
        self._log = Logger(namespace="eventframework.memory")
        for queue in (topology or Topology()).queues(partitions, limits):
            self._declare(queue)

    @property
    def dropped(self) -> int:
        """How many messages full queues have dropped."""
        return sum(queue.dropped for queue in self._queues)

    def connected(self, hook: Hook) -> None:
        """Run `hook` when the broker starts."""
        self._hooks.add(hook)

    async def start(self) -> None:
        """Open the journal, hand out what it holds, and run the hooks."""
        self._users += 1
        if self._users > 1:
            return
        left = await self._journal.open()
        self._ids = count(max((entry.id for entry in left), default=0) + 1)
        self._left = left
        for queue in self._queues:
            self._restore(queue)
        await self._hooks.run()

    async def stop(self) -> None:
        """Give what consumers that left still held to others; the last one out closes the journal."""
        for queue in self._queues:
            for consumer in [one for one in queue.consumers if one.leaving]:
                consumer.give_back()
        self._users -= 1
        if self._users == 0:
            self._hooks.up = False
            for timer in self._timers:
                stop_timer(timer)
            await self._journal.close()

    async def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        stamp: Stamp | None = None,
        shared: Mapping[Any, Any] | None = None,
    ) -> None:
        """Put it into every queue bound to `key`; return when it is in the journal, or handled."""
        if not self._hooks.up:
            raise BrokerUnavailable("the broker is not started")
        queues = [queue for queue in self._queues if queue.binds(exchange, key)]
        if not queues:
            raise PublishRefused(f"no queue for {key} of {exchange}")
        if any(queue.full and queue.declared.full is Overflow.REFUSE for queue in queues):
            raise PublishRefused(f"{key} of {exchange} is full")
        if journaled := [queue for queue in queues if queue.journaled]:
            await self._enter(journaled, len(body))
        common = dict(shared or {})
        messages = [
            (queue, Message(next(self._ids), key, body, shared=common, stamp=stamp)) for queue in queues
        ]
        if journaled:
            await self._add(messages)
        for queue, message in messages:
            queue.put(message)
        awaited = [message.handled for queue, message in messages if queue.declared.full is Overflow.REFUSE]
        if awaited:
            handled = gatherResults(awaited, consumeErrors=True)
            await within(self._clock, CONFIRM_S, handled, f"{key} of {exchange}")

    async def _enter(self, queues: list[MemoryQueue], size: int) -> None:
        """Wait for room in each of the queues; raises BrokerUnavailable, and then takes none."""
        entered: list[Room] = []
        try:
            for queue in queues:
                name = queue.declared.name
                room = self._rooms[name]
                entering = room.enter(size)
                if not entering.called:
                    await within(self._clock, CONFIRM_S, entering, f"room in {name}")
                entered.append(room)
            if not self._hooks.up:
                raise BrokerUnavailable("the broker has stopped")
        except BrokerUnavailable:
            for room in entered:
                room.leave(size)
            raise

    async def _add(self, messages: list[tuple[MemoryQueue, Message]]) -> None:
        journaled = [(queue, message) for queue, message in messages if queue.journaled]
        try:
            await self._journal.add([_entry(queue, message) for queue, message in journaled])
        except EventError:
            for queue, message in journaled:
                self._leave(queue, message)
            raise

    def _leave(self, queue: MemoryQueue, message: Message) -> None:
        self._rooms[queue.declared.name].leave(len(message.body))

    def consume(
        self,
        queue: Queue,
        prefetch: int,
        take: Callable[[Delivery], None],
        lost: Callable[[], None] = lambda: None,  # noqa: ARG002 - nothing is lost in memory
    ) -> MemoryConsumer:
        """Begin to consume; a private queue is made for it."""
        declared = self._declare(queue)
        consumer = MemoryConsumer(declared, prefetch, take)
        declared.give()
        return consumer

    async def count_dead_letters(self) -> int:
        """Those in the journal."""
        return await self._journal.count_dead_letters()

    async def dead_letters(self, limit: int = 100, letter_id: str | None = None) -> list[DeadLetter]:
        """The oldest dead letters, or those of one id."""
        return [letter for _, letter in await self._journal.dead_letters(letter_id, limit)]

    async def replay(self, letter_id: str | None = None) -> int:
        """Put them back into their queues; what is of no queue yet waits in the journal for it."""
        letters = await self._journal.dead_letters(letter_id)
        private = [letter for _, letter in letters if is_private(letter.queue)]
        for row, letter in letters:
            if letter not in private:
                await self._revive(row, Entry(next(self._ids), letter.queue, letter.queue, letter.body))
        if private:
            raise PublishRefused(f"{len(private)} of {len(letters)} stay dead: {private[0].queue} is private")
        return len(letters)

    async def drop(self, letter_id: str | None = None) -> int:
        """Forget them."""
        letters = await self._journal.dead_letters(letter_id)
        await together([self._journal.drop(row) for row, _ in letters])
        return len(letters)

    async def _revive(self, row: int, entry: Entry) -> None:
        await self._journal.revive(row, entry)
        self._left.append(entry)
        for queue in [one for one in self._queues if one.declared.name == entry.queue]:
            self._restore(queue, redelivered=False)

    def handled(self, queue: MemoryQueue, message: Message) -> None:
        """Forget it, and tell its publisher."""
        if queue.journaled:
            self._leave(queue, message)
            self._journal.remove(message.id).addErrback(self._not_removed)
        if not message.handled.called:
            message.handled.callback(None)

    async def put_off(self, queue: MemoryQueue, message: Message, delay_s: float, attempts: int) -> None:
        """Note the failure, and when it is due."""
        if attempts:
            message.first_failed_ms = message.first_failed_ms or self._now_ms()
        if queue.journaled:
            due_ms = self._now_ms() + int(delay_s * 1000)
            await self._journal.put_off(message.id, attempts, message.first_failed_ms, due_ms)

    def again(self, queue: MemoryQueue, message: Message, delay_s: float) -> None:
        """Put it back then."""
        self._timers = [timer for timer in self._timers if timer.active()]
        self._timers.append(self._clock.callLater(delay_s, queue.put, message))

    async def buried(self, queue: MemoryQueue, message: Message, error: str) -> None:
        """In one transaction out of its queue and among the dead letters."""
        now_ms = self._now_ms()
        first_ms = message.first_failed_ms or now_ms
        name, attempts = queue.declared.name, message.attempts + 1
        await self._journal.bury(
            DeadLetter(name, message.body, attempts, error, first_ms, now_ms), message.id
        )
        self._leave(queue, message)

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)

    def _declare(self, declared: Queue) -> MemoryQueue:
        for queue in self._queues:
            if queue.declared == declared and declared.durable:
                return queue
        queue = MemoryQueue(declared, self)
        self._queues.append(queue)
        self._restore(queue)
        return queue

    def _restore(self, queue: MemoryQueue, *, redelivered: bool = True) -> None:
        mine = [entry for entry in self._left if entry.queue == queue.declared.name]
        self._left = [entry for entry in self._left if entry.queue != queue.declared.name]
        for entry in mine:
            id_, _, key, body, attempts, first_ms, due_ms = entry
            message = Message(id_, key, body, attempts, redelivered, first_ms)
            self._rooms[queue.declared.name].squeeze_in(len(body))
            if (wait_ms := due_ms - self._now_ms()) > 0:
                self.again(queue, message, wait_ms / 1000)
            else:
                queue.put(message)

    def _not_removed(self, failure: Failure) -> None:
        self._log.warn("Handled, but comes again at the next start: {error}", error=failure.value)


def _entry(queue: MemoryQueue, message: Message) -> Entry:
    return Entry(message.id, queue.declared.name, message.key, message.body)
