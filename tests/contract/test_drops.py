"""A tag that is behind: what its full queues drop is counted exactly, and nobody else suffers for it."""

from collections import Counter
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater

from eventframework import Batch, Framework, PublishRefused, Share, Stream
from eventframework.lane import Missed
from eventframework.members import Pace
from eventframework.stream import PREFETCH
from eventframework.topology import Limits
from tests.contract.brokers import BrokerContract, OnMemory, OnRabbitMQ, until, while_nothing_more_comes

BODY = 1000
MOST = 20_000
MANY = PREFETCH + 3 * MOST // BODY


class DropContract(BrokerContract):
    """Queues of 20 batches, and handlers that hang until they are let go."""

    limits = Limits(pushes_back=2 * MOST, drops=2 * MOST, private=MOST)
    pace = Pace(look_s=0.1)

    def setUp(self) -> None:
        super().setUp()
        self.go: Deferred[None] = Deferred()
        self.handled: Counter[int] = Counter()
        self.told: Counter[int] = Counter()

    async def handle(self, batch: Batch) -> None:
        if not self.go.called:
            waiting: Deferred[None] = Deferred()
            self.go.chainDeferred(waiting)
            await waiting
        self.handled[batch.partition] += 1

    def missed(self, partition: int, batches: int) -> None:
        self.told[partition] += batches

    async def behind(self, tag: str, share: Share, missed: Missed) -> Framework:
        framework = self.framework()
        framework.stream(self.stream).consume(tag, self.handle, share, missed=missed)
        await framework.start()
        return framework

    async def publish(self, stream: Stream, number: int) -> None:
        for _ in range(number):
            for partition in range(self.partitions):
                await stream.publish(partition, bytes(BODY))

    def measure(self, framework: Framework, name: str) -> float:
        return {metric.name: metric.value for metric in framework._stats.metrics()}[name]

    async def drops(self, tag: str, share: Share) -> None:
        framework = await self.behind(tag, share, self.missed)
        await self.publish(framework.stream(self.stream), MANY)
        self.go.callback(None)
        expected = dict.fromkeys(range(self.partitions), MANY)
        await until(lambda: self.handled + self.told == expected)
        assert min(self.told.values()) >= MOST // BODY
        assert self.measure(framework, f"{self.stream}_{tag}_dropped") == self.told.total()

    async def test_what_a_tag_with_a_live_owner_loses_is_counted_exactly(self) -> None:
        await self.drops("state", Share.SCOPED)

    async def test_what_a_fan_out_consumer_loses_is_counted_exactly(self) -> None:
        await self.drops("live", Share.FANOUT)

    async def test_several_publishers_and_publishes_that_fail_are_no_drops(self) -> None:
        framework = await self.behind("state", Share.SCOPED, self.missed)
        self.go.callback(None)
        streams = [framework.stream(self.stream) for _ in range(3)]
        for stream in (*streams, *streams):
            await self.publish(stream, 2)
            await self.fail_to_publish(stream)
        await self.publish(streams[0], 1)
        await until(lambda: self.handled.total() == 13 * self.partitions)
        assert not self.told

    async def fail_to_publish(self, stream: Any) -> None:
        broker, stream._broker = stream._broker, Refusing()
        with pytest.raises(PublishRefused):
            await stream.publish(0, b"")
        stream._broker = broker

    async def test_how_far_behind_a_tag_is_shows_by_partition(self) -> None:
        framework = await self.behind("state", Share.SCOPED, self.missed)
        for _ in range(PREFETCH + 7):
            await framework.stream(self.stream).publish(1, b"small")

        def shown(*measures: str) -> list[float]:
            return [self.measure(framework, f"{self.stream}_state_{measure}") for measure in measures]

        await until(lambda: shown("lag", "p00_lag", "p01_lag", "owned") == [7, 0, 7, 1])
        self.go.callback(None)
        await until(lambda: shown("lag", "p01_lag") == [0, 0])

    async def test_a_full_queue_refuses_nothing_unless_it_is_the_archives(self) -> None:
        framework = await self.behind("state", Share.SCOPED, self.missed)
        stream = framework.stream(self.stream)
        stream.consume("live", self.handle, Share.FANOUT)
        await self.publish(stream, MANY)
        stream.consume("archive", self.handle)
        await while_nothing_more_comes()
        publishing: list[Deferred[None]] = []
        for _ in range(MANY):  # RabbitMQ refuses after a moment, and the memory broker waits for the archive.
            publishing.append(Deferred.fromCoroutine(self.publish(stream, 1)))
            await deferLater(cast(Any, reactor), 0.005)
        self.go.callback(None)
        outcomes = await DeferredList(publishing, consumeErrors=True)
        failures = [cast(Any, result).type for done, result in outcomes if not done]
        assert set(failures) == {PublishRefused}


class Refusing:
    """A broker that takes nothing."""

    async def publish(self, *_: Any) -> None:
        raise PublishRefused("no")


class TestOnMemory(DropContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(DropContract, OnRabbitMQ):
    __test__ = True
