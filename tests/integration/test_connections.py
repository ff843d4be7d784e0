"""Connections to RabbitMQ: to the next of several hosts, and what is said when there is none."""

import random
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial import unittest

from eventframework import BrokerUnavailable, Tap, Topology, connection
from eventframework.errors import NotThere
from eventframework.rabbitmq import RabbitBroker
from statslib import Stats
from tests.contract.brokers import until, while_nothing_more_comes

CLOSED = "amqp://127.0.0.1:1/x"


class TestConnections(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _url(self, rabbitmq_url: str) -> None:
        self.url = rabbitmq_url

    def setUp(self) -> None:
        self.stats = Stats("broker")
        self.said: list[Any] = []
        self.patch(random, "shuffle", lambda _: None)
        cast(Any, globalLogPublisher).addObserver(self.heard)
        self.addCleanup(cast(Any, globalLogPublisher).removeObserver, self.heard)

    def heard(self, event: Any) -> None:
        if event.get("log_namespace") == "eventframework.connection" and event["log_level"] >= LogLevel.warn:
            self.said.append(event)

    def broker(self, *urls: str, topology: Topology | None = None) -> RabbitBroker:
        made = RabbitBroker(urls, cast(Any, reactor), "test", topology=topology, settle_s=0, stats=self.stats)
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made

    def silent_host(self) -> tuple[str, list[Protocol]]:
        """One that lets everybody in and says nothing."""
        factory = Factory.forProtocol(Protocol)
        protocols: list[Protocol] = []
        build = factory.buildProtocol
        factory.buildProtocol = lambda address: protocols.append(build(address)) or protocols[-1]  # type: ignore
        port = cast(Any, reactor).listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.addCleanup(lambda: [one.transport.abortConnection() for one in protocols])  # type: ignore
        return f"amqp://127.0.0.1:{port.getHost().port}/x", protocols

    async def test_a_closed_port_and_a_host_that_hangs_make_it_take_the_next_one(self) -> None:
        self.patch(connection, "CONNECT_S", 0.5)
        silent, let_in = self.silent_host()
        broker = self.broker(CLOSED, silent, self.url)
        await broker.start()
        assert len(let_in) == 2
        await broker.publish("", "dead", b"")
        await broker.drop()
        assert self.stats.unready == ""

    async def test_a_refused_login_is_told_once_with_what_to_do(self) -> None:
        password = str(urlsplit(self.url).password)
        await self.told(self.url.replace(password, "wrong"), "mend the user and password in broker.urls")
        assert not any("wrong" in str(event) for event in self.said)

    async def test_a_vhost_that_is_not_there_is_told_once_with_what_to_do(self) -> None:
        await self.told(self.url.rpartition("/")[0] + "/nowhere", "mend the vhost in broker.urls")

    async def told(self, url: str, what: str) -> None:
        broker = self.broker(url)
        starting = Deferred.fromCoroutine(broker.start())
        await until(lambda: what in self.stats.unready and len(self.said) == 2)
        with pytest.raises(BrokerUnavailable, match=what):
            await broker.publish("events", "rung", b"")
        with pytest.raises(BrokerUnavailable, match=what):
            await broker.dead_letters()
        for _ in range(8):
            await while_nothing_more_comes()
        assert sorted(event["name"] for event in self.said) == ["test consumes", "test publishes"]
        assert {event["log_level"] for event in self.said} == {LogLevel.error}
        await broker.stop()
        await starting

    async def test_publishes_under_way_fail_at_once_when_the_channel_dies(self) -> None:
        broker = self.broker(self.url, topology=Topology(taps=(Tap("dying", "state"),)))
        await broker.start()
        publisher: Any = broker._publisher
        publisher._exchanges.add("not there")
        publishing = [
            Deferred.fromCoroutine(broker.publish(exchange, "p00", bytes(10_000)))
            for exchange in ("not there", *["stream.dying"] * 20)
        ]
        outcomes = await DeferredList(publishing, consumeErrors=True)
        assert {cast(Any, result).type for done, result in outcomes if not done} == {NotThere}
        await until(lambda: self.stats.unready == "" and broker._publisher not in (None, publisher))
        await broker.publish("stream.dying", "p00", b"")
