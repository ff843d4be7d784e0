"""The stream: every tag sees every batch, a partition's in order, on every broker."""

from collections import defaultdict
from collections.abc import Awaitable, Callable

import pytest
from twisted.internet.defer import Deferred, gatherResults

from eventframework import Batch, PublishRefused, RetryLater, Share
from tests.contract.brokers import (
    PARTITIONS,
    BrokerContract,
    OnMemory,
    OnRabbitMQ,
    until,
    while_nothing_more_comes,
)


class StreamContract(BrokerContract):
    """Partitions, order, shares and hand-overs."""

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
        begun: list[bytes] = []
        finished: list[bytes] = []
        rest: list[bytes] = []

        async def slow(batch: Batch) -> None:
            begun.append(batch.body)
            await release
            finished.append(batch.body)

        async def quick(batch: Batch) -> None:
            rest.append(batch.body)

        first.stream(self.stream).consume("state", slow)
        await first.start()
        await second.start()
        for number in range(3):
            await second.stream(self.stream).publish(0, b"%d" % number)
        await until(lambda: begun == [b"0"])
        stopping = Deferred.fromCoroutine(self.stop(first))
        await while_nothing_more_comes()
        assert not stopping.called
        release.callback(None)
        await stopping
        assert finished == [b"0"]
        second.stream(self.stream).consume("state", quick)
        await until(lambda: len(rest) == 2)
        assert rest == [b"1", b"2"]


class TestOnMemory(StreamContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(StreamContract, OnRabbitMQ):
    __test__ = True

    async def test_a_batch_that_waits_for_its_next_attempt_has_its_bytes_and_no_more(self) -> None:
        framework = self.framework()
        stream = framework.stream(self.stream)
        decoded: list[bytes] = []

        def decode(body: bytes) -> bytes:
            decoded.append(body)
            return body

        async def handler(batch: Batch) -> None:
            batch.decoded(decode)
            batch.decoded(decode)
            if len(decoded) < 2:
                raise RetryLater(0.01)

        stream.consume("state", handler)
        await framework.start()
        await stream.publish(0, b"twice")
        await until(lambda: decoded == [b"twice", b"twice"])
