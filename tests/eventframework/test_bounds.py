"""How much of an event the memory broker keeps: beyond that its publishers wait, and nothing is dropped."""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from eventframework import BrokerUnavailable, Framework, Policy
from eventframework.memory import CONFIRM_S, MemoryBroker
from tests.contract.brokers import ringing


class TestTheBoundsOfEvents(unittest.TestCase):
    """Room for one event: whoever comes while another is unhandled waits."""

    def setUp(self) -> None:
        self.clock = cast(Any, Clock())
        self.rung = ringing()
        self.held: list[tuple[int, Deferred[None]]] = []
        self.framework = Framework(
            MemoryBroker(None, self.clock, events_bytes=1), self.clock, backoff_s=(), drain_s=0
        )
        for tag in ("mail", "indexer"):
            self.framework.subscribe(self.rung, self.hold, Policy.SCOPED_ROUND_ROBIN, tag=tag)
        self.successResultOf(Deferred.fromCoroutine(self.framework.start()))

    async def hold(self, event: Any) -> None:
        holding: Deferred[None] = Deferred()
        self.held.append((event.door, holding))
        await holding

    def publish(self, door: int) -> Deferred[None]:
        return Deferred.fromCoroutine(self.framework.publish(self.rung(door=door)))

    def doors(self) -> list[int]:
        return [door for door, _ in self.held]

    def test_a_publish_waits_until_every_subscription_has_room_and_in_its_turn(self) -> None:
        self.successResultOf(self.publish(0))
        second, third = self.publish(1), self.publish(2)
        self.held.pop(0)[1].callback(None)
        self.assertNoResult(second)
        self.held.pop(0)[1].callback(None)
        self.successResultOf(second)
        self.assertNoResult(third)
        assert self.doors() == [1, 1]

    def test_a_publish_that_finds_no_room_for_long_says_so_and_takes_none(self) -> None:
        self.successResultOf(self.publish(0))
        late = self.publish(1)
        self.held.pop(0)[1].callback(None)
        self.clock.advance(CONFIRM_S)
        self.failureResultOf(late, BrokerUnavailable)
        self.held.pop(0)[1].callback(None)
        assert self.doors() == []
        self.successResultOf(self.publish(2))
        assert self.doors() == [2, 2]

    def test_a_dead_letter_takes_no_room(self) -> None:
        self.successResultOf(self.publish(0))
        second = self.publish(1)
        for _, holding in list(self.held):
            holding.errback(ValueError("no such door"))
        self.successResultOf(second)
        self.flushLoggedErrors()

    def test_one_who_waits_while_the_broker_stops_publishes_nothing(self) -> None:
        self.successResultOf(self.publish(0))
        late = self.publish(1)
        stopping = Deferred.fromCoroutine(self.framework.stop())
        self.clock.advance(1)
        self.successResultOf(stopping)
        for _, holding in list(self.held):
            holding.callback(None)
        self.clock.advance(CONFIRM_S)
        self.failureResultOf(late, BrokerUnavailable)
