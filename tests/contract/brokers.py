"""What the contract tests of brokers share: each runs on the memory broker and on RabbitMQ."""

import uuid
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial import unittest

from eventframework import Event, Framework
from eventframework.broker import Broker
from eventframework.members import PACE
from eventframework.memory import MemoryBroker
from eventframework.rabbitmq import RabbitBroker
from eventframework.topology import LIMITS

PARTITIONS = 2
BACKOFF_S = (0.1,) * 4


def ringing() -> Any:
    """An event class with a topic, and so with queues, of one test's own."""
    topic = f"rung_{uuid.uuid4().hex[:8]}"
    fields = [("door", int)]
    return msgspec.defstruct(
        "Rung", fields, bases=(Event,), namespace={"topic": topic}, frozen=True, kw_only=True
    )


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
    """Subclasses are the promises; `OnMemory` and `OnRabbitMQ` make the brokers.

    A `Framework` over another of `make` is another process of the set-up.
    """

    __test__ = False
    partitions = PARTITIONS
    pace = PACE
    limits = LIMITS

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
        made = Framework(
            broker or self.make(), cast(Any, reactor), backoff_s=BACKOFF_S, drain_s=2, pace=self.pace
        )
        self.frameworks.append(made)
        return made

    async def stop(self, framework: Framework) -> None:
        self.frameworks.remove(framework)
        await framework.stop()

    async def rings(self, framework: Framework, doors: int) -> None:
        for door in range(doors):
            await framework.publish(self.rung(door=door))


class OnMemory(BrokerContract):
    """In memory; the frameworks of one test share the broker, as the services of one process do."""

    def setUp(self) -> None:
        super().setUp()
        self.broker = MemoryBroker(None, cast(Any, reactor), partitions=self.partitions, limits=self.limits)

    def make(self) -> Broker:
        return self.broker


class OnRabbitMQ(BrokerContract):
    """The real one; each broker object has connections of its own, as each process has."""

    @pytest.fixture(autouse=True)
    def _url(self, rabbitmq_url: str) -> None:
        self.url = rabbitmq_url

    def make(self) -> Broker:
        return RabbitBroker(
            [self.url], cast(Any, reactor), "contract", partitions=self.partitions, limits=self.limits
        )
