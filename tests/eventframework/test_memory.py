"""The memory broker's own side: its journal, its bounds, and how it leaves its publishers waiting."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial import unittest

from eventframework import (
    Batch,
    Framework,
    Policy,
    PublishRefused,
    RetryLater,
    Subscription,
    Tap,
    Topology,
)
from eventframework.broker import Delivery
from eventframework.errors import BrokerUnavailable
from eventframework.memory import CONFIRM_S, MemoryBroker
from eventframework.topology import Limits
from tests.contract.brokers import ringing, until


class TestTheJournal(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "events.db"
        self.rung = ringing()

    def framework(self, topology: Topology | None = None) -> Framework:
        clock = cast(Any, reactor)
        return Framework(MemoryBroker(self.path, clock, topology=topology), clock, backoff_s=(), drain_s=0.1)

    async def test_events_that_nobody_has_handled_yet_survive_a_restart_in_order(self) -> None:
        first = self.framework(Topology((Subscription(self.rung, Policy.SCOPED_ROUND_ROBIN, "indexer"),)))
        await first.start()
        for door in range(20):
            await first.publish(self.rung(door=door))
        await first.stop()
        doors = await self.take_all(20)
        assert doors == list(range(20))

    async def test_an_event_whose_handler_was_cut_off_comes_again_after_a_restart(self) -> None:
        never: Deferred[None] = Deferred()

        async def hang(_: Any) -> None:
            await never

        first = self.framework()
        first.subscribe(self.rung, hang, Policy.SCOPED_ROUND_ROBIN, tag="indexer")
        await first.start()
        await first.publish(self.rung(door=1))
        await first.stop()
        assert await self.take_all(1) == [1]

    async def test_what_was_handled_does_not_come_again(self) -> None:
        first = self.framework(Topology((Subscription(self.rung, Policy.SCOPED_ROUND_ROBIN, "indexer"),)))
        await first.start()
        await first.publish(self.rung(door=1))
        await first.stop()
        await self.take_all(1)
        second = self.framework(Topology((Subscription(self.rung, Policy.SCOPED_ROUND_ROBIN, "indexer"),)))
        await second.start()
        await second.publish(self.rung(door=2))
        await second.stop()
        assert await self.take_all(1) == [2]

    async def test_dead_letters_survive_a_restart(self) -> None:
        async def fail(_: Any) -> None:
            raise ValueError("no such door")

        clock = cast(Any, reactor)
        broker = MemoryBroker(self.path, clock)
        first = Framework(broker, clock, backoff_s=())
        first.subscribe(self.rung, fail, Policy.ROUND_ROBIN)
        await first.start()
        await first.publish(self.rung(door=1))
        await first.stop()
        again = MemoryBroker(self.path, clock)
        await again.start()
        dead = await again.dead_letters()
        await again.stop()
        assert [letter.attempts for letter in dead] == [1]
        assert "no such door" in dead[0].error

    async def test_an_event_whose_failure_the_journal_could_not_note_is_retried_all_the_same(self) -> None:
        calls: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if len(calls) == 1:
                raise RetryLater(0.01)

        clock = cast(Any, reactor)
        broker = MemoryBroker(self.path, clock)
        framework = Framework(broker, clock)
        framework.subscribe(self.rung, handler, Policy.ROUND_ROBIN)
        await framework.start()
        put_off = broker._journal.put_off
        answers = iter([fail(PublishRefused("the disk is full"))])
        broker._journal.put_off = lambda *one: next(answers, None) or put_off(*one)  # type: ignore[method-assign]
        await framework.publish(self.rung(door=1))
        await until(lambda: calls == [1, 1])
        await framework.stop()
        assert await self.left() == 0

    async def left(self) -> int:
        with closing(sqlite3.connect(self.path)) as database:
            return int(database.execute("SELECT count(*) FROM message").fetchone()[0])

    async def take_all(self, expected: int) -> list[int]:
        doors: list[int] = []

        async def handler(event: Any) -> None:
            doors.append(event.door)

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="indexer")
        await framework.start()
        await until(lambda: len(doors) >= expected)
        await framework.stop()
        return doors


class TestTheStreamInMemory(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = MemoryBroker(None, cast(Any, self.clock), partitions=1, limits=Limits(10, 10, 10))
        self.framework = Framework(self.broker, cast(Any, self.clock), drain_s=1)
        self.stream = self.framework.stream("results")

    def publish(self, body: bytes) -> Deferred[None]:
        return Deferred.fromCoroutine(self.stream.publish(0, body))

    async def test_a_publish_returns_when_archive_has_finished_and_not_before(self) -> None:
        held: Deferred[None] = Deferred()

        async def archive(_: Batch) -> None:
            await held

        self.stream.consume("archive", archive)
        await self.framework.start()
        timers = self.clock.getDelayedCalls()
        published = self.publish(b"1")
        self.assertFalse(published.called)
        held.callback(None)
        self.assertTrue(published.called)
        assert self.clock.getDelayedCalls() == timers

    async def test_a_publish_waits_for_no_other_tag(self) -> None:
        async def state(_: Batch) -> None:
            await Deferred[None]()

        self.stream.consume("state", state)
        await self.framework.start()
        assert self.publish(b"1").called

    async def test_a_publish_that_archive_does_not_finish_is_in_doubt_after_a_while(self) -> None:
        async def archive(_: Batch) -> None:
            await Deferred[None]()

        self.stream.consume("archive", archive)
        await self.framework.start()
        published = self.publish(b"1")
        self.clock.advance(CONFIRM_S)
        self.failureResultOf(published, BrokerUnavailable)

    async def test_a_dead_state_drops_its_oldest_and_stops_nobody(self) -> None:
        broker = MemoryBroker(
            None,
            cast(Any, self.clock),
            topology=Topology(taps=(Tap("results", "state"),)),
            partitions=1,
            limits=Limits(10, 10, 10),
        )
        framework = Framework(broker, cast(Any, self.clock))
        await framework.start()
        for number in range(8):
            await framework.stream("results").publish(0, b"%05d" % number)
        assert broker.dropped == 6
        seen: list[bytes] = []

        async def state(batch: Batch) -> None:
            seen.append(batch.body)

        framework.stream("results").consume("state", state)
        assert seen == [b"00006", b"00007"]

    async def test_a_full_archive_refuses(self) -> None:
        held: list[Delivery] = []
        queue = Tap("results", "archive").queues(1, self.broker.limits)[0]
        self.broker.consume(queue, 1, held.append)
        await self.framework.start()
        waiting = [self.publish(bytes(5)) for _ in range(3)]
        with pytest.raises(PublishRefused):
            await self.publish(bytes(5))
        while held:
            held.pop().done()
        assert all(one.called for one in waiting)

    async def test_a_stop_ends_the_retries_of_a_batch(self) -> None:
        async def state(_: Batch) -> None:
            raise ValueError("the store is away")

        self.stream.consume("state", state)
        await self.framework.start()
        await self.publish(b"1")
        assert self.clock.getDelayedCalls()
        await self.framework.stop()
        assert not self.clock.getDelayedCalls()

    async def test_a_stop_waits_only_so_long_for_a_handler(self) -> None:
        async def state(_: Batch) -> None:
            await Deferred[None]()

        self.stream.consume("state", state)
        await self.framework.start()
        await self.publish(b"1")
        stopping = Deferred.fromCoroutine(self.framework.stop())
        assert not stopping.called
        self.clock.advance(1)
        assert stopping.called

    async def test_before_the_start_a_publish_says_that_the_broker_is_away(self) -> None:
        with pytest.raises(BrokerUnavailable):
            await self.stream.publish(0, b"")
