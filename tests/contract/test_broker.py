"""The promises of every broker: one class of tests, run for the memory broker and for RabbitMQ."""

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial import unittest

from eventframework import Batch, Event, Framework, Policy, PublishRefused, RetryLater, Share
from eventframework.broker import Broker
from eventframework.memory import MemoryBroker
from eventframework.rabbitmq import RabbitBroker

PARTITIONS = 2
BACKOFF_S = (0.1,) * 4


def ringing() -> Any:
    """An event class with a topic, and so with queues, of one test's own."""
    topic = f"rung_{uuid.uuid4().hex[:8]}"
    fields = [("door", int)]
    return msgspec.defstruct(
        "Rung", fields, bases=(Event,), namespace={"topic": topic}, frozen=True, kw_only=True
    )


class Rang(Event, frozen=True):
    """Nobody ever subscribes to this."""

    topic = "rang"


async def until(met: Callable[[], bool], limit_s: float = 15.0) -> None:
    """Return when the condition is met; fail when it takes too long."""
    for _ in range(int(limit_s / 0.02)):
        if met():
            return
        await deferLater(cast(Any, reactor), 0.02)
    raise AssertionError("it did not happen in time")


async def while_nothing_more_comes() -> None:
    """Long enough for a delivery too many to arrive."""
    await deferLater(cast(Any, reactor), 0.2)


class Inbox:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.doors: list[int] = []

    async def rung(self, event: Any) -> None:
        self.doors.append(event.door)


class BrokerContract(unittest.TestCase):
    """Subclasses make brokers; a `Framework` over another of `make` is another process of the set-up."""

    __test__ = False

    def make(self) -> Broker:
        raise NotImplementedError

    def setUp(self) -> None:
        self.frameworks: list[Framework] = []
        self.rung = ringing()
        self.stream = f"results{uuid.uuid4().hex[:8]}"
        self.addCleanup(lambda: Deferred.fromCoroutine(self.leave()))

    async def leave(self) -> None:
        for framework in self.frameworks:
            await framework.stop()

    def framework(self, broker: Broker | None = None) -> Framework:
        made = Framework(broker or self.make(), cast(Any, reactor), backoff_s=BACKOFF_S, drain_s=2)
        self.frameworks.append(made)
        return made

    async def stop(self, framework: Framework) -> None:
        self.frameworks.remove(framework)
        await framework.stop()

    async def rings(self, framework: Framework, doors: int) -> None:
        for door in range(doors):
            await framework.publish(self.rung(door=door))

    async def test_fanout_gives_every_subscriber_a_copy(self) -> None:
        inboxes = [Inbox() for _ in range(3)]
        framework = self.framework()
        for inbox in inboxes:
            framework.subscribe(self.rung, inbox.rung, Policy.FANOUT)
        await framework.start()
        await self.rings(framework, 10)
        await until(lambda: all(len(inbox.doors) == 10 for inbox in inboxes))
        assert all(sorted(inbox.doors) == list(range(10)) for inbox in inboxes)

    async def test_round_robin_gives_an_event_to_one_subscriber_of_all(self) -> None:
        inboxes = [Inbox() for _ in range(3)]
        framework = self.framework()
        for inbox in inboxes:
            framework.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN)
        await framework.start()
        await self.rings(framework, 30)
        await until(lambda: sum(len(inbox.doors) for inbox in inboxes) >= 30)
        await while_nothing_more_comes()
        assert sorted(door for inbox in inboxes for door in inbox.doors) == list(range(30))
        assert all(inbox.doors for inbox in inboxes)

    async def test_round_robin_gives_the_only_subscriber_everything(self) -> None:
        inbox, framework = Inbox(), self.framework()
        framework.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN)
        await framework.start()
        await self.rings(framework, 10)
        await until(lambda: len(inbox.doors) == 10)
        assert inbox.doors == list(range(10))

    async def test_scoped_gives_an_event_to_one_subscriber_of_each_tag(self) -> None:
        inboxes = {tag: [Inbox() for _ in range(3)] for tag in ("alerts", "indexer")}
        framework = self.framework()
        for tag, members in inboxes.items():
            for inbox in members:
                framework.subscribe(self.rung, inbox.rung, Policy.SCOPED_ROUND_ROBIN, tag=tag)
        await framework.start()
        await self.rings(framework, 30)
        every = [inbox for members in inboxes.values() for inbox in members]
        await until(lambda: sum(len(inbox.doors) for inbox in every) >= 60)
        await while_nothing_more_comes()
        for members in inboxes.values():
            assert sorted(door for inbox in members for door in inbox.doors) == list(range(30))

    async def test_an_event_that_no_queue_takes_is_refused(self) -> None:
        framework = self.framework()
        await framework.start()
        with pytest.raises(PublishRefused):
            await framework.publish(Rang())

    async def test_a_batch_of_a_stream_that_nobody_takes_is_refused(self) -> None:
        framework = self.framework()
        await framework.start()
        with pytest.raises(PublishRefused):
            await framework.stream(self.stream).publish(0, b"")

    async def test_batches_published_without_waiting_keep_their_order(self) -> None:
        framework, seen = self.framework(), list[bytes]()
        stream = framework.stream(self.stream)

        async def handler(batch: Batch) -> None:
            seen.append(batch.body)

        stream.consume("archive", handler)
        await framework.start()
        bodies = [b"%d" % number for number in range(100)]
        await gatherResults([Deferred.fromCoroutine(stream.publish(1, body)) for body in bodies])
        await until(lambda: len(seen) == 100)
        assert seen == bodies

    async def test_a_refused_event_makes_no_other_publish_fail_or_seem_to_succeed(self) -> None:
        framework = self.framework()
        framework.subscribe(self.rung, Inbox().rung, Policy.ROUND_ROBIN)
        await framework.start()
        events = [self.rung(door=1), Rang()] * 20
        refused = await gatherResults(
            [Deferred.fromCoroutine(self.refused(framework, one)) for one in events]
        )
        assert refused == [False, True] * 20

    async def refused(self, framework: Framework, event: Event) -> bool:
        try:
            await framework.publish(event)
        except PublishRefused:
            return True
        return False

    async def test_a_handler_that_fails_or_asks_for_later_is_called_again_until_it_succeeds(self) -> None:
        calls: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if len(calls) == 1:
                raise ValueError("not yet")
            if len(calls) < 8:
                raise RetryLater(0.05)

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="retried")
        await framework.start()
        await framework.publish(self.rung(door=7))
        await until(lambda: len(calls) == 8)
        await while_nothing_more_comes()
        assert calls == [7] * 8

    async def test_a_fanout_handler_that_fails_is_called_again_too(self) -> None:
        calls: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if len(calls) < 3:
                raise ValueError("not yet")

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.FANOUT)
        await framework.start()
        await framework.publish(self.rung(door=7))
        await until(lambda: len(calls) == 3)

    async def test_poison_ends_among_the_dead_letters_with_its_traceback_and_blocks_nothing(self) -> None:
        calls: list[int] = []
        done: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if event.door == 13:
                raise ValueError("no such door")
            done.append(event.door)

        broker = self.make()
        framework = self.framework(broker)
        framework.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="poisoned", prefetch=1)
        await framework.start()
        await framework.publish(self.rung(door=13))
        await self.rings(framework, 5)
        await until(lambda: len(done) == 5)
        await until(lambda: calls.count(13) == 5)
        await while_nothing_more_comes()
        assert calls.count(13) == 5
        dead = [one for one in await broker.dead_letters() if one.queue == f"evt.{self.rung.topic}.poisoned"]
        assert [letter.attempts for letter in dead] == [5]
        assert "ValueError: no such door" in dead[0].error
        assert "in handler" in dead[0].error
        assert b'"door":13' in dead[0].body

    async def dead_rings(self, doors: int, policy: Policy = Policy.ROUND_ROBIN) -> Broker:
        """A broker whose only dead letters are rings at these doors; `self.heard` fills once mended."""
        broker = self.make()
        framework = Framework(broker, cast(Any, reactor), backoff_s=(0.1,), drain_s=2)
        self.frameworks.append(framework)
        self.heard, self.mended, self.calls = list[int](), False, 0

        async def handler(event: Any) -> None:
            self.calls += 1
            if not self.mended:
                raise ValueError("no such door")
            self.heard.append(event.door)

        framework.subscribe(self.rung, handler, policy, prefetch=1)
        await framework.start()
        await broker.drop()
        for door in range(doors):
            await framework.publish(self.rung(door=door))
            await self.until_dead(broker, door + 1)
        return broker

    async def until_dead(self, broker: Broker, number: int) -> None:
        for _ in range(200):
            if len(await broker.dead_letters()) == number:
                return
            await deferLater(cast(Any, reactor), 0.02)
        raise AssertionError("they did not die in time")

    async def doors_of_the_dead(self, broker: Broker) -> list[int]:
        return [json.loads(letter.body)["data"]["door"] for letter in await broker.dead_letters()]

    async def test_a_dead_letter_has_an_id_that_stays_and_its_first_and_last_failure(self) -> None:
        before_ms = time.time_ns() // 1_000_000
        broker = await self.dead_rings(2)
        letters = await broker.dead_letters()
        assert len({letter.id for letter in letters}) == 2
        assert await broker.dead_letters() == letters
        assert await broker.dead_letters(letter_id=letters[1].id) == [letters[1]]
        assert len(await broker.dead_letters(limit=1)) == 1
        for letter in letters:
            assert before_ms <= letter.first_failed_ms <= letter.last_failed_ms - 90

    async def test_a_replayed_letter_comes_to_its_subscriber_and_the_others_stay_in_order(self) -> None:
        broker = await self.dead_rings(3)
        wanted = (await broker.dead_letters())[1].id
        self.mended = True
        assert await broker.replay(wanted) == 1
        await until(lambda: self.heard == [1])
        await self.until_dead(broker, 2)
        assert await self.doors_of_the_dead(broker) == [0, 2]
        assert await broker.replay(wanted) == 0

    async def test_all_dead_letters_are_replayed_in_order(self) -> None:
        broker = await self.dead_rings(3)
        self.mended = True
        assert await broker.replay() == 3
        await until(lambda: len(self.heard) == 3)
        assert self.heard == [0, 1, 2]
        await self.until_dead(broker, 0)

    async def test_a_replayed_letter_has_all_its_attempts_again(self) -> None:
        broker = await self.dead_rings(1)
        assert self.calls == 2
        assert await broker.replay() == 1
        await until(lambda: self.calls == 4)
        await self.until_dead(broker, 1)
        assert [letter.attempts for letter in await broker.dead_letters()] == [2]

    async def test_a_dropped_letter_is_gone_and_the_others_stay_in_order(self) -> None:
        broker = await self.dead_rings(3)
        assert await broker.drop("0" * 12) == 0
        assert await broker.drop((await broker.dead_letters())[1].id) == 1
        assert await self.doors_of_the_dead(broker) == [0, 2]
        assert await broker.drop() == 2
        assert await broker.dead_letters() == []

    async def test_a_letter_of_a_private_queue_cannot_be_replayed_and_stays(self) -> None:
        broker = await self.dead_rings(1, Policy.FANOUT)
        with pytest.raises(PublishRefused, match="1 of 1 stay dead"):
            await broker.replay()
        assert await self.doors_of_the_dead(broker) == [0]

    async def test_every_tag_sees_every_batch_in_order_per_partition(self) -> None:
        framework = self.framework()
        stream = framework.stream(self.stream)
        seen: dict[tuple[str, int], list[bytes]] = defaultdict(list)

        def into(name: str) -> Callable[[Batch], Awaitable[None]]:
            async def handler(batch: Batch) -> None:
                seen[name, batch.partition].append(batch.body)

            return handler

        stream.consume("archive", into("archive"))
        stream.consume("state", into("state"))
        stream.consume("live", into("live-1"), Share.FANOUT)
        stream.consume("live", into("live-2"), Share.FANOUT)
        await framework.start()
        bodies = [b"%d" % number for number in range(50)]
        for body in bodies:
            await gatherResults(
                [Deferred.fromCoroutine(stream.publish(partition, body)) for partition in range(PARTITIONS)]
            )
        await until(lambda: sum(map(len, seen.values())) >= 4 * PARTITIONS * 50)
        for name in ("archive", "state", "live-1", "live-2"):
            for partition in range(PARTITIONS):
                assert seen[name, partition] == bodies, (name, partition)

    async def test_a_batch_whose_handler_fails_is_retried_in_its_place(self) -> None:
        framework = self.framework()
        stream = framework.stream(self.stream)
        handled: list[bytes] = []
        failures: list[bytes] = []

        async def handler(batch: Batch) -> None:
            if batch.body == b"1" and len(failures) < 3:
                failures.append(batch.body)
                raise ValueError("the store is away")
            handled.append(batch.body)

        stream.consume("state", handler)
        await framework.start()
        for number in range(4):
            await stream.publish(0, b"%d" % number)
        await until(lambda: len(handled) == 4)
        assert len(failures) == 3
        assert handled == [b"0", b"1", b"2", b"3"]

    async def test_a_handler_that_minds_no_order_has_several_batches_under_way(self) -> None:
        framework = self.framework()
        stream = framework.stream(self.stream)
        begun: list[bytes] = []
        hold: Deferred[None] = Deferred()

        async def handler(batch: Batch) -> None:
            begun.append(batch.body)
            waiting: Deferred[None] = Deferred()
            hold.chainDeferred(waiting)
            await waiting

        stream.consume("state", handler, at_once=32)
        await framework.start()
        for number in range(32):
            await stream.publish(0, b"%d" % number)
        await until(lambda: len(begun) == 32)
        hold.callback(None)

    async def test_another_instance_takes_over_when_one_stops_and_nothing_is_lost(self) -> None:
        first, second = self.framework(), self.framework()
        seen: dict[str, list[bytes]] = {"first": [], "second": []}

        def into(name: str) -> Callable[[Batch], Awaitable[None]]:
            async def handler(batch: Batch) -> None:
                seen[name].append(batch.body)

            return handler

        first.stream(self.stream).consume("state", into("first"))
        second.stream(self.stream).consume("state", into("second"))
        await first.start()
        await second.start()
        for number in range(10):
            await second.stream(self.stream).publish(0, b"%d" % number)
        await until(lambda: len(seen["first"]) == 10)
        assert not seen["second"]
        await self.stop(first)
        for number in range(10, 20):
            await second.stream(self.stream).publish(0, b"%d" % number)
        await until(lambda: len(seen["second"]) == 10)
        assert seen["first"] + seen["second"] == [b"%d" % number for number in range(20)]

    async def test_stop_waits_for_the_handlers_under_way_and_leaves_the_rest_to_others(self) -> None:
        first, second = self.framework(), self.framework()
        release: Deferred[None] = Deferred()
        finished: list[bytes] = []
        rest: list[bytes] = []

        async def slow(batch: Batch) -> None:
            await release
            finished.append(batch.body)

        async def quick(batch: Batch) -> None:
            rest.append(batch.body)

        first.stream(self.stream).consume("state", slow)
        await first.start()
        await second.start()
        for number in range(3):
            await second.stream(self.stream).publish(0, b"%d" % number)
        stopping = Deferred.fromCoroutine(self.stop(first))
        await while_nothing_more_comes()
        assert not stopping.called
        release.callback(None)
        await stopping
        assert finished == [b"0"]
        second.stream(self.stream).consume("state", quick)
        await until(lambda: len(rest) == 2)
        assert rest == [b"1", b"2"]

    async def test_the_ready_hooks_run_once_all_is_subscribed(self) -> None:
        framework, inbox = self.framework(), Inbox()

        async def hook() -> None:
            await framework.publish(self.rung(door=1))

        framework.ready(hook)
        framework.subscribe(self.rung, inbox.rung, Policy.FANOUT)
        await framework.start()
        await until(lambda: inbox.doors == [1])


class TestTheMemoryBroker(BrokerContract):
    """In memory; the frameworks of one test share the broker, as the services of one process do."""

    __test__ = True

    def setUp(self) -> None:
        super().setUp()
        self.broker = MemoryBroker(None, cast(Any, reactor), partitions=PARTITIONS)

    def make(self) -> Broker:
        return self.broker


class TestRabbitMQ(BrokerContract):
    """The real one; each broker object has connections of its own, as each process has."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def _url(self, rabbitmq_url: str) -> None:
        self.url = rabbitmq_url

    def make(self) -> Broker:
        return RabbitBroker([self.url], cast(Any, reactor), "contract", partitions=PARTITIONS)
