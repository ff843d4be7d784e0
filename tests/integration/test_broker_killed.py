"""RabbitMQ that is killed or blocks its publishers: nothing confirmed is lost, and nobody gives up."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest
from psutil import Process
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial import unittest

from eventframework import Batch, Framework, Tap, Topology
from eventframework.amqp import ANSWER_S
from eventframework.rabbitmq import RabbitBroker
from ops.engines.rabbitmq import control
from statslib import Stats
from tests.contract.brokers import until
from tests.engines import Private, PrivateEngine

TAGS = ("archive", "state")
PARTITIONS = 8


@pytest.mark.xdist_group("serial")
class TestABrokerThatIsKilled(unittest.TestCase):
    timeout = 120

    @pytest.fixture(autouse=True)
    def _private(self, private_engine: PrivateEngine) -> None:
        self.private: Private = private_engine("rabbitmq")

    def framework(self, tags: Sequence[str] = TAGS, **more: Any) -> Framework:
        topology = Topology(taps=tuple(Tap("results", tag) for tag in tags))
        broker = RabbitBroker(
            [self.private.url], cast(Any, reactor), "killed", topology=topology, partitions=PARTITIONS, **more
        )
        made = Framework(broker, cast(Any, reactor), drain_s=1)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made

    async def test_what_is_confirmed_right_after_new_queues_are_made_survives_a_kill(self) -> None:
        older = self.framework(())
        await older.start()
        first = self.framework()
        await first.start()
        for partition in range(PARTITIONS):
            await first.stream("results").publish(partition, b"%d" % partition)
        await deferToThread(self.private.kill)
        for framework in (older, first):
            await framework.stop()
        await deferToThread(self.private.start)

        for tag in TAGS:
            assert sorted(await self.taken(tag)) == [b"%d" % partition for partition in range(PARTITIONS)]

    async def test_publishers_wait_while_the_broker_blocks_them_and_then_each_is_confirmed_once(self) -> None:
        stats = Stats("broker")
        framework = self.framework(stats=stats)
        taken: Counter[bytes] = Counter()

        async def take(batch: Batch) -> None:
            taken[batch.body] += 1

        stream = framework.stream("results")
        stream.consume("state", take)
        await framework.start()
        self.alarm("0")
        before_bytes = Process().memory_info().rss
        bodies = [b"%d" % number + bytes(10_000) for number in range(1000)]
        publishing = [
            Deferred.fromCoroutine(stream.publish(number % PARTITIONS, body))
            for number, body in enumerate(bodies)
        ]
        await deferLater(cast(Any, reactor), 1.5 * ANSWER_S)
        assert not any(one.called for one in publishing)
        assert Process().memory_info().rss - before_bytes < 64 << 20
        assert "blocks its publishers" in stats.unready
        assert dict(stats.gauges())["publishers_blocked"] == 1
        assert taken.total() == 0

        self.alarm("absolute", "1GB")
        await gatherResults(publishing)
        await until(lambda: len(taken) == 1000)
        assert set(taken) == set(bodies)
        assert taken.total() == 1000
        assert stats.unready == ""

    def alarm(self, *watermark: str) -> None:
        control(self.private.running, "set_vm_memory_high_watermark", *watermark)

    async def taken(self, tag: str) -> list[bytes]:
        framework = self.framework()
        bodies: list[bytes] = []

        async def take(batch: Batch) -> None:
            bodies.append(batch.body)

        framework.stream("results").consume(tag, take)
        await framework.start()
        await until(lambda: len(bodies) == PARTITIONS)
        return bodies
