"""Publishing over a channel whose broker answers as the test wants."""

from types import SimpleNamespace
from typing import Any, cast

from pika import BasicProperties
from pika.exceptions import ChannelClosedByBroker, ChannelWrongStateError
from pika.spec import Basic
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial import unittest

from eventframework import PublishRefused, publisher
from eventframework.amqp import ANSWER_S, Channel
from eventframework.errors import BrokerUnavailable
from eventframework.publisher import IN_FLIGHT, MOST_HELD_BYTES, Publisher


class Raw:
    """pika's channel, as far as a publisher uses it."""

    def __init__(self) -> None:
        self.published: list[tuple[str, BasicProperties]] = []
        self.declared: list[Any] = []
        self.open = True

    def add_on_close_callback(self, callback: Any) -> None:
        self.on_close = callback

    def close(self) -> None:
        self.open = False
        self.on_close(self, ChannelClosedByBroker(404, "gone"))

    def add_on_return_callback(self, callback: Any) -> None:
        self.on_return = callback

    def confirm_delivery(self, ack_nack_callback: Any, callback: Any) -> None:
        self.on_confirm = ack_nack_callback
        callback(None)

    def exchange_declare(self, exchange: str, durable: bool, callback: Any) -> None:
        if not self.open:
            raise ChannelWrongStateError("closed")
        self.declared.append(callback)

    def basic_publish(
        self, exchange: str, routing_key: str, body: bytes, properties: BasicProperties, mandatory: bool
    ) -> None:
        if not self.open:
            raise ChannelWrongStateError("closed")
        assert mandatory
        assert properties.delivery_mode == 2
        self.published.append((routing_key, properties))

    def confirm(self, number: int, multiple: bool = False) -> None:
        self.on_confirm(SimpleNamespace(method=Basic.Ack(number, multiple)))

    def refuse(self, number: int) -> None:
        self.on_confirm(SimpleNamespace(method=Basic.Nack(number)))

    def give_back(self, number: int) -> None:
        self.on_return(self, None, self.published[number - 1][1], b"")


class TestPublisher(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.raw = Raw()
        self.publisher = Publisher(Channel(self.raw, cast(Any, self.clock)), {"events"})
        self.successResultOf(Deferred.fromCoroutine(self.publisher.open()))

    def publish(self, key: str = "rung", exchange: str = "events") -> Deferred[None]:
        return Deferred.fromCoroutine(self.publisher.publish(exchange, key, b"", {}))

    def test_each_publish_waits_for_its_own_confirm(self) -> None:
        first, second = self.publish(), self.publish()
        self.raw.confirm(2)
        self.assertNoResult(first)
        self.successResultOf(second)
        self.raw.confirm(1)
        self.successResultOf(first)
        assert self.clock.getDelayedCalls() == []

    def test_one_confirm_may_be_for_all_before_it(self) -> None:
        publishing = [self.publish() for _ in range(3)]
        self.raw.confirm(2, multiple=True)
        self.successResultOf(publishing[0])
        self.successResultOf(publishing[1])
        self.assertNoResult(publishing[2])
        self.raw.confirm(3)

    def test_a_returned_message_is_refused_whatever_is_confirmed_first(self) -> None:
        kept, returned = self.publish(), self.publish()
        self.raw.give_back(2)
        self.raw.confirm(1)
        self.raw.confirm(2)
        self.successResultOf(kept)
        self.failureResultOf(returned, PublishRefused)

    def test_a_message_that_the_broker_does_not_take_is_refused(self) -> None:
        publishing = self.publish()
        self.raw.refuse(1)
        self.failureResultOf(publishing, PublishRefused)

    def test_without_a_confirm_the_publish_is_in_doubt(self) -> None:
        publishing = self.publish()
        self.clock.advance(ANSWER_S)
        self.failureResultOf(publishing, BrokerUnavailable)
        self.raw.confirm(1)

    def test_the_end_of_the_channel_ends_the_waiting(self) -> None:
        publishing = self.publish()
        self.raw.close()
        self.failureResultOf(publishing, BrokerUnavailable)

    def test_the_end_of_the_channel_sends_nothing_of_those_who_waited_for_their_turn(self) -> None:
        publishing = [self.publish() for _ in range(IN_FLIGHT + 3)]
        self.raw.close()
        assert len(self.raw.published) == IN_FLIGHT
        for one in publishing:
            self.failureResultOf(one, BrokerUnavailable)

    def test_the_end_of_the_channel_ends_the_waiting_for_an_exchange(self) -> None:
        publishing = [self.publish(exchange="stream.results") for _ in range(IN_FLIGHT + 3)]
        self.raw.close()
        for one in publishing:
            self.failureResultOf(one, BrokerUnavailable)

    def test_on_a_channel_that_has_ended_a_publish_fails_at_once(self) -> None:
        self.raw.open = False
        self.failureResultOf(self.publish(), BrokerUnavailable)

    def test_nothing_is_sent_while_the_broker_blocks_and_everything_in_order_afterwards(self) -> None:
        self.publisher.block(True)
        publishing = [self.publish("a"), self.publish("b")]
        assert self.raw.published == []
        self.publisher.block(False)
        assert [key for key, _ in self.raw.published] == ["a", "b"]
        self.raw.confirm(2, multiple=True)
        for one in publishing:
            self.successResultOf(one)

    def test_the_time_that_the_broker_blocks_does_not_count(self) -> None:
        sent = self.publish("a")
        self.clock.advance(ANSWER_S - 1)
        self.publisher.block(True)
        waiting = self.publish("b")
        self.clock.advance(100 * ANSWER_S)
        self.publisher.block(False)
        self.clock.advance(ANSWER_S - 1)
        self.assertNoResult(sent)
        self.raw.confirm(1)
        self.successResultOf(sent)
        self.clock.advance(1)
        self.failureResultOf(waiting, BrokerUnavailable)
        assert self.clock.getDelayedCalls() == []

    def test_what_its_publisher_gave_up_while_the_broker_blocked_is_not_sent_later(self) -> None:
        self.publisher.block(True)
        publishing = self.publish()
        publishing.cancel()
        self.failureResultOf(publishing, CancelledError)
        self.publisher.block(False)
        assert self.raw.published == []

    def test_while_the_broker_blocks_no_more_than_the_limit_wait(self) -> None:
        self.patch(publisher, "MOST_HELD", IN_FLIGHT + 100)
        self.publisher.block(True)
        waiting = [self.publish() for _ in range(IN_FLIGHT + 100)]
        self.failureResultOf(self.publish(), BrokerUnavailable)
        self.publisher.block(False)
        for sent in (IN_FLIGHT, IN_FLIGHT + 100):
            self.raw.confirm(sent, multiple=True)
        for one in waiting:
            self.successResultOf(one)
        assert len(self.publisher) == 0

    def test_while_the_broker_blocks_no_more_bytes_than_the_limit_wait(self) -> None:
        self.publisher.block(True)
        most = Deferred.fromCoroutine(self.publisher.publish("events", "rung", bytes(MOST_HELD_BYTES), {}))
        over = Deferred.fromCoroutine(self.publisher.publish("events", "rung", b"1", {}))
        self.failureResultOf(over, BrokerUnavailable)
        most.cancel()
        self.failureResultOf(most, CancelledError)
        self.assertNoResult(self.publish())

    def test_the_end_of_the_channel_ends_the_waiting_for_a_broker_that_blocks(self) -> None:
        self.publisher.block(True)
        publishing = [self.publish() for _ in range(IN_FLIGHT + 3)]
        self.raw.close()
        for one in publishing:
            self.failureResultOf(one, BrokerUnavailable)
        assert self.raw.published == []

    def test_no_more_than_the_limit_are_under_way(self) -> None:
        publishing = [self.publish() for _ in range(IN_FLIGHT + 1)]
        assert len(self.raw.published) == IN_FLIGHT
        self.raw.confirm(1)
        assert len(self.raw.published) == IN_FLIGHT + 1
        self.raw.confirm(IN_FLIGHT + 1, multiple=True)
        for one in publishing:
            self.successResultOf(one)

    def test_publishes_that_wait_for_their_exchange_keep_their_order(self) -> None:
        publishing = [self.publish(key, "stream.results") for key in ("a", "b")]
        (declared,) = self.raw.declared
        declared(None)
        publishing.append(self.publish("c", "stream.results"))
        assert [key for key, _ in self.raw.published] == ["a", "b", "c"]
        self.raw.confirm(3, multiple=True)
        for one in publishing:
            self.successResultOf(one)
