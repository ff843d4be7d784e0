"""One AMQP channel over pika: every answer is raced against the channel's end and a timer."""

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, fail

from eventframework.acks import Acks
from eventframework.clock import Clock, stop_timer, within
from eventframework.errors import BrokerUnavailable
from eventframework.translate import PIKAS, translated

ANSWER_S = 10.0


class Channel:
    """Calls that answer, or raise BrokerUnavailable; `raw` is pika's channel."""

    def __init__(self, raw: Any, clock: Clock) -> None:
        self.raw = raw
        self.clock = clock
        self.closing = False
        self._reason: Exception | None = None
        self._expected: set[Deferred[Any]] = set()
        self.acks = Acks(clock, self._acknowledge)
        raw.add_on_close_callback(self._on_close)

    @property
    def ended(self) -> BrokerUnavailable | None:
        """Why it ended; None while it has not."""
        return translated(self._reason, "the channel") if self._reason else None

    def expect(self) -> Deferred[Any]:
        """A Deferred for an answer that fails when the channel ends, or has ended."""
        if ended := self.ended:
            return fail(ended)
        answer: Deferred[Any] = Deferred()
        self._expected.add(answer)
        return answer.addBoth(self._arrived, answer)

    async def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of pika's channel that answers by its `callback`."""
        answer = self.expect()
        try:
            self.send(method, **arguments, callback=answer.callback)
        except BrokerUnavailable:
            answer.addErrback(lambda _: None).cancel()
            raise
        return await within(self.clock, ANSWER_S, answer, method)

    def send(self, method: str, **arguments: Any) -> None:
        """Call a method that has no answer."""
        try:
            getattr(self.raw, method)(**arguments)
        except PIKAS as error:
            raise translated(error, method) from error

    async def sleep(self, delay_s: float) -> None:
        """Return after that time; raises BrokerUnavailable as soon as the channel ends."""
        waking = self.expect()
        timer = self.clock.callLater(delay_s, waking.callback, None)
        try:
            await waking
        finally:
            stop_timer(timer)

    def _acknowledge(self, delivery_tag: int, multiple: bool) -> None:
        """Settle deliveries; on a channel that has ended, they will come again instead."""
        with suppress(BrokerUnavailable):
            self.send("basic_ack", delivery_tag=delivery_tag, multiple=multiple)

    async def close(self) -> None:
        """Close it; what it had not acknowledged is then back in its queues, in order.

        pika would cancel the consumers first, and RabbitMQ 3.10 gives what a cancelled consumer had back
        behind what the next one has taken by then. So pika is told that it has cancelled them.
        """
        self.closing = True
        self.acks.flush()
        closed: Deferred[None] = Deferred()
        self.raw.add_on_close_callback(lambda *_: closed.callback(None))
        self.raw._cancelled.update(self.raw.consumer_tags)
        self.send("close")
        await within(self.clock, ANSWER_S, closed, "close")

    def _arrived(self, result: Any, answer: Deferred[Any]) -> Any:
        self._expected.discard(answer)
        return result

    def _on_close(self, _: Any, reason: Exception) -> None:
        self._reason = reason
        for answer in list(self._expected):
            if not answer.called:
                answer.errback(translated(reason, "the channel"))
