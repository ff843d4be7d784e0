"""Publishing over one AMQP channel, with many messages in flight.

pika's own Deferred channel is not used for it: with several messages in flight it takes the next confirm for
that of the returned message, whichever it was.
"""

from typing import Any

from pika import BasicProperties
from pika.spec import Basic
from twisted.internet.defer import Deferred, DeferredSemaphore

from eventframework.amqp import ANSWER_S, Channel
from eventframework.errors import BrokerUnavailable, PublishRefused
from eventframework.patience import Patience

IN_FLIGHT = 500
"""Publishes without their confirm; the next ones wait."""

MOST_HELD = 5_000
MOST_HELD_BYTES = 64 << 20
"""What may wait while the broker blocks its publishers."""


class Publisher:
    """Publishing with confirms, mandatory, at most IN_FLIGHT at once, and not while the broker blocks.

    A publish ends within ANSWER_S, not counting the time that the broker blocks. While it does, MOST_HELD
    publishes of MOST_HELD_BYTES may wait; others fail at once, which is all that their callers see of it.
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
        self._patience = Patience(channel.clock, ANSWER_S)
        self._held_bytes = 0
        self.blocked = False
        self._unblocked: list[Deferred[Any]] = []

    def __len__(self) -> int:
        """Publishes under way, those included that have yet to be sent."""
        return len(self._patience)

    async def open(self) -> None:
        """Put the channel into confirm mode."""
        self._channel.raw.add_on_return_callback(self._on_return)
        await self._channel.call("confirm_delivery", ack_nack_callback=self._on_confirm)

    def block(self, blocked: bool) -> None:
        """The broker blocks its publishers, or does no more."""
        self.blocked = blocked
        self._patience.pause(blocked)
        if not blocked:
            waiting, self._unblocked = self._unblocked, []
            _fire(waiting, None)

    async def publish(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        """Return at the confirm; raises PublishRefused or BrokerUnavailable."""
        if self.blocked and (len(self) >= MOST_HELD or self._held_bytes + len(body) > MOST_HELD_BYTES):
            raise BrokerUnavailable(f"RabbitMQ takes nothing at the moment, and {len(self)} publishes wait")
        self._held_bytes += len(body)
        try:
            await self._patience.wait(self._begin(exchange, key, body, headers), f"{key} of {exchange}")
        finally:
            self._held_bytes -= len(body)

    def _begin(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> Deferred[None]:
        """Send it at once if nothing is in the way and nobody is before it; fires at the confirm."""
        if self.blocked or exchange not in self._exchanges or not self._turns.tokens:
            return Deferred.fromCoroutine(self._publish(exchange, key, body, headers))
        confirmed = self._send(exchange, key, body, headers)
        self._turns.acquire()
        return confirmed.addBoth(self._turn_over)

    def _turn_over(self, confirmed: Any) -> Any:
        self._turns.release()
        return confirmed

    async def _publish(self, exchange: str, key: str, body: bytes, headers: dict[str, Any]) -> None:
        await self._turns.acquire()
        try:
            while self.blocked:
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
        properties = BasicProperties(delivery_mode=2, message_id=str(number), headers=headers or None)
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
