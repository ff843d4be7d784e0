"""RabbitMQ when connections break: what was confirmed arrives, and everything comes back by itself."""

import uuid
from collections import Counter
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from twisted.trial import unittest

from eventframework import Batch, Framework, PublishRefused, Share, Tap, Topology
from eventframework.broker import Delivery
from eventframework.errors import BrokerUnavailable
from eventframework.rabbitmq import RabbitBroker
from eventframework.topology import Overflow, Queue
from tests.contract.brokers import PARTITIONS, until
from tests.faults.proxy import Proxy


class TestABrokerWhoseConnectionsBreak(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _url(self, rabbitmq_url: str) -> None:
        self.url = rabbitmq_url

    def setUp(self) -> None:
        there = urlsplit(self.url)
        self.proxy = Proxy(("127.0.0.1", there.port or 0))
        self.addCleanup(self.proxy.close)
        self.proxied = self.url.replace(f":{there.port}/", f":{self.proxy.port}/")
        self.stream = f"results{uuid.uuid4().hex[:8]}"

    def broker(self, urls: list[str], topology: Topology | None = None) -> RabbitBroker:
        return RabbitBroker(
            urls, cast(Any, reactor), "integration", topology=topology, partitions=PARTITIONS, settle_s=0
        )

    def framework(self, broker: RabbitBroker) -> Framework:
        made = Framework(broker, cast(Any, reactor), drain_s=2)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made

    async def test_nothing_confirmed_is_lost_when_connections_are_cut_and_the_hooks_run_again(self) -> None:
        framework = self.framework(self.broker([self.proxied]))
        stream = framework.stream(self.stream)
        seen: Counter[bytes] = Counter()
        fanned: Counter[bytes] = Counter()
        hooks: list[None] = []

        async def handler(batch: Batch) -> None:
            seen[batch.body] += 1

        async def live(batch: Batch) -> None:
            fanned[batch.body] += 1

        async def hook() -> None:
            hooks.append(None)

        framework.ready(hook)
        stream.consume("state", handler)
        stream.consume("live", live, Share.FANOUT)
        await framework.start()
        for number in range(300):
            if number in (50, 150, 250):
                self.proxy.cut()
            await self.insist(framework, number)
        await until(lambda: len(seen) == 300)
        before = len(hooks)
        self.proxy.cut()
        await until(lambda: len(hooks) > before)
        await self.insist(framework, 300)
        await until(lambda: b"300" in seen and b"300" in fanned)

    async def insist(self, framework: Framework, number: int) -> None:
        """As the gateway does: what is not confirmed is sent again."""
        for _ in range(500):
            try:
                return await framework.stream(self.stream).publish(number % PARTITIONS, b"%d" % number)
            except (BrokerUnavailable, PublishRefused):
                await deferLater(cast(Any, reactor), 0.02)
        raise AssertionError("the broker did not come back")

    async def test_a_batch_whose_acknowledgement_was_cut_off_comes_again_marked(self) -> None:
        framework = self.framework(self.broker([self.proxied]))
        stream = framework.stream(self.stream)
        batches: list[Batch] = []
        held: Deferred[None] = Deferred()

        async def handler(batch: Batch) -> None:
            batches.append(batch)
            if len(batches) == 1:
                await held

        stream.consume("state", handler, at_once=2)
        await framework.start()
        await stream.publish(0, b"held")
        await until(lambda: len(batches) == 1)
        self.proxy.cut()
        held.callback(None)
        await until(lambda: len(batches) == 2)
        assert [batch.body for batch in batches] == [b"held", b"held"]
        assert batches[1].redelivered

    async def test_publishes_under_way_fail_at_once_when_the_connection_is_cut(self) -> None:
        framework = self.framework(self.broker([self.proxied], Topology(taps=(Tap(self.stream, "state"),))))
        await framework.start()
        stream = framework.stream(self.stream)
        publishing = [Deferred.fromCoroutine(stream.publish(0, bytes(100_000))) for _ in range(600)]
        self.proxy.cut()
        outcomes = await DeferredList(publishing, consumeErrors=True)
        failures = {cast(Any, result).type for done, result in outcomes if not done}
        assert failures == {BrokerUnavailable}

    async def test_a_host_that_is_away_makes_it_take_the_next_one(self) -> None:
        framework = self.framework(self.broker(["amqp://127.0.0.1:1/%2f", self.url]))
        await framework.start()
        with pytest.raises(PublishRefused):
            await framework.stream("nobody").publish(0, b"")

    async def test_a_start_that_finds_no_broker_can_be_stopped(self) -> None:
        broker = self.broker(["amqp://127.0.0.1:1/%2f"])
        starting = Deferred.fromCoroutine(broker.start())
        await deferLater(cast(Any, reactor), 0.1)
        with pytest.raises(BrokerUnavailable):
            await broker.publish("events", "rung", b"")
        await broker.stop()
        await starting

    async def test_the_full_queue_of_the_tag_that_pushes_back_refuses(self) -> None:
        broker, name = self.broker([self.url]), f"full.{self.stream}"
        self.framework(broker)
        held: list[Delivery] = []
        queue = Queue(name, name, ("p00",), ordered=True, full=Overflow.REFUSE, most_bytes=5000)
        broker.consume(queue, 1, held.append)
        await broker.start()
        refused = [await self.refused(broker, name) for _ in range(20)]
        assert not any(refused[:5])
        assert all(refused[10:])
        for delivery in held:
            delivery.done()

    async def refused(self, broker: RabbitBroker, name: str) -> bool:
        try:
            await broker.publish(name, "p00", bytes(1000))
        except PublishRefused:
            return True
        return False

    async def test_the_full_queue_of_another_tag_drops_its_oldest_and_refuses_nothing(self) -> None:
        broker, name = self.broker([self.url]), f"full.{self.stream}"
        self.framework(broker)
        held: list[Delivery] = []
        queue = Queue(name, name, ("p00",), ordered=True, full=Overflow.DROP_OLDEST, most_bytes=5000)
        broker.consume(queue, 1, held.append)
        await broker.start()
        for number in range(20):
            await broker.publish(name, "p00", b"%04d" % number * 250)
        for taken in range(1, 4):
            await until(lambda taken=taken: len(held) == taken)  # type: ignore[misc]
            held[-1].done()
        assert held[0].body.startswith(b"0000")
        assert held[1].body > b"0010"

    async def test_queues_are_there_for_those_who_are_not(self) -> None:
        topology = Topology(taps=(Tap(self.stream, "archive"), Tap(self.stream, "live", Share.FANOUT)))
        framework = self.framework(self.broker([self.url], topology))
        await framework.start()
        await framework.stream(self.stream).publish(1, b"kept")
        late = self.framework(self.broker([self.url]))
        batches: list[bytes] = []

        async def handler(batch: Batch) -> None:
            batches.append(batch.body)

        late.stream(self.stream).consume("archive", handler)
        await late.start()
        await until(lambda: batches == [b"kept"])
