"""One AMQP channel over pika: every answer is raced against the channel's end and a timer.

pika's own Deferred channel is not used for publishing: with several messages in flight it takes the next
confirm for that of the returned message, whichever it was.
"""

from contextlib import suppress
from typing import Any

from pika import BasicProperties
from pika.exceptions import AMQPError
from pika.spec import Basic
from twisted.internet.defer import Deferred, DeferredSemaphore

from eventframework.acks import Acks
from eventframework.clock import Clock, within
from eventframework.errors import BrokerUnavailable, PublishRefused

ANSWER_S = 10.0
IN_FLIGHT = 500
"""Publishes without their confirm; the next ones wait."""


class Channel:
    """Calls that answer, or raise BrokerUnavailable; `raw` is pika's channel."""

    def __init__(self, raw: Any, clock: Clock) -> None:
        self.raw = raw
        self.clock = clock
        self._expected: set[Deferred[Any]] = set()
        self.acks = Acks(clock, self._acknowledge)
        raw.add_on_close_callback(self._on_close)

    def expect(self) -> Deferred[Any]:
        """A Deferred for an answer that fails when the channel ends."""
        answer: Deferred[Any] = Deferred()
        self._expected.add(answer)
        return answer.addBoth(self._arrived, answer)

    async def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of pika's channel that answers by its `callback`."""
        answer = self.expect()
        self.send(method, **arguments, callback=answer.callback)
        return await within(self.clock, ANSWER_S, answer, method)

    def send(self, method: str, **arguments: Any) -> None:
        """Call a method that has no answer."""
        try:
            getattr(self.raw, method)(**arguments)
        except AMQPError as error:
            raise BrokerUnavailable(f"{method}: {error!r}") from error

    def _acknowledge(self, delivery_tag: int, multiple: bool) -> None:
        """Settle deliveries; on a channel that has ended, they will come again instead."""
        with suppress(BrokerUnavailable):
            self.send("basic_ack", delivery_tag=delivery_tag, multiple=multiple)

    def _arrived(self, result: Any, answer: Deferred[Any]) -> Any:
        self._expected.discard(answer)
        return result

    def _on_close(self, _: Any, reason: Exception) -> None:
        for answer in list(self._expected):
            if not answer.called:
                answer.errback(BrokerUnavailable(f"the channel ended: {reason}"))


class Publisher:
    """Publishing with confirms, mandatory, at most IN_FLIGHT at once, and not while the broker blocks.

    `exchanges` are those known to be there; others are declared before the first publish to them.
    """

    def __init__(self, channel: Channel, exchanges: set[str]) -> None:
        self._channel = channel
        self._exchanges = exchanges
        self._declaring: dict[str, list[Deferred[Any]]] = {}
        self._sent = 0
        self._confirms: dict[int, Deferred[Any]] = {}
        self._returned: set[int] = set()
        self._turns = DeferredSemaphore(IN_FLIGHT)
        self._blocked = False
        self._unblocked: list[Deferred[Any]] = []

    async def open(self) -> None:
        """Put the channel into confirm mode."""
        self._channel.raw.add_on_return_callback(self._on_return)
        await self._channel.call("confirm_delivery", ack_nack_callback=self._on_confirm)

    def block(self, blocked: bool) -> None:
        """The broker blocks its publishers, or does no more."""
        self._blocked = blocked
        if not blocked:
            waiting, self._unblocked = self._unblocked, []
            _fire(waiting, None)

    async def publish(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        """Return at the confirm; raises PublishRefused or BrokerUnavailable."""
        confirmed = Deferred.fromCoroutine(self._publish(exchange, key, body, headers))
        await within(self._channel.clock, ANSWER_S, confirmed, f"{key} of {exchange}")

    async def _publish(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        await self._turns.acquire()
        try:
            while self._blocked:
                self._unblocked.append(self._channel.expect())
                await self._unblocked[-1]
            if exchange not in self._exchanges:
                await self._declared(exchange)
            await self._send(exchange, key, body, headers)
        finally:
            self._turns.release()

    def _declared(self, exchange: str) -> Deferred[Any]:
        """Fires once the exchange is there, for all who wait in the order in which they came."""
        declared = self._channel.expect()
        waiting = self._declaring.setdefault(exchange, [])
        waiting.append(declared)
        if len(waiting) == 1:
            Deferred.fromCoroutine(self._declare(exchange))
        return declared

    async def _declare(self, exchange: str) -> None:
        try:
            await self._channel.call("exchange_declare", exchange=exchange, durable=True)
            self._exchanges.add(exchange)
            outcome: Any = None
        except BrokerUnavailable as error:
            outcome = error
        _fire(self._declaring.pop(exchange), outcome)

    def _send(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> Deferred[Any]:
        number = self._sent + 1
        properties = BasicProperties(delivery_mode=2, message_id=str(number), headers=headers)
        self._channel.send(
            "basic_publish",
            exchange=exchange,
            routing_key=key,
            body=body,
            properties=properties,
            mandatory=True,
        )
        self._sent = number
        confirm = self._confirms[number] = self._channel.expect()
        return confirm

    def _on_return(self, _channel: Any, _method: Any, properties: BasicProperties, _body: bytes) -> None:
        self._returned.add(int(properties.message_id))

    def _on_confirm(self, frame: Any) -> None:
        refused = isinstance(frame.method, Basic.Nack)
        last = frame.method.delivery_tag
        numbers = [last]
        if frame.method.multiple:
            numbers = [number for number in self._confirms if number <= last]
        for number in numbers:
            self._settle(number, refused)

    def _settle(self, number: int, refused: bool) -> None:
        confirm = self._confirms.pop(number)
        returned = number in self._returned
        self._returned.discard(number)
        if refused:
            confirm.errback(PublishRefused("a queue is full, or the broker failed"))
        elif returned:
            confirm.errback(PublishRefused("no queue takes it"))
        else:
            confirm.callback(None)


def _fire(waiting: list[Deferred[Any]], outcome: Any) -> None:
    for one in waiting:
        if not one.called:
            one.errback(outcome) if outcome else one.callback(None)
