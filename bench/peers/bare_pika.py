"""Bare pika: its own Twisted adapter, as its documentation shows it, doing what the framework promises.

Durable messages into quorum queues, mandatory, each confirmed before its publish returns, each acknowledged
after its handling; a connection to publish and one to consume.
"""

from typing import Any

from pika import BasicProperties, URLParameters
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol

from bench.events_work import BATCH_WINDOW, NUMBER_BYTES, PARTITIONS, WINDOW, Arrived, event
from eventframework.event import encode

EXCHANGE = "bare"
DURABLE = {"x-queue-type": "quorum", "x-delivery-limit": 1000}
PARTITION = DURABLE | {
    "x-single-active-consumer": True,
    "x-max-length-bytes": (2 << 30) // PARTITIONS,
    "x-overflow": "reject-publish",
}
"""As the framework declares a partition's queue of the archive."""


class BarePika:
    """Events go over one queue, batches over PARTITIONS; what arrives is given to the handlers."""

    name = "bare pika"

    def __init__(self, url: str, reactor: Any) -> None:
        self._url = url
        self._reactor = reactor
        self._filling = encode(event(0), event_id="0" * 32, time_ms=0)[NUMBER_BYTES:]
        self._properties = BasicProperties(delivery_mode=2)

    async def open(self, on_event: Arrived, on_batch: Arrived) -> None:
        """Connect, declare and consume."""
        self._publishing, self._consuming = await self._connect(), await self._connect()
        self._in, self._out = await self._consuming.channel(), await self._publishing.channel()
        await self._out.confirm_delivery()
        await self._out.exchange_declare(EXCHANGE, durable=True)
        await self._consume("bare.events", DURABLE, WINDOW, on_event)
        for partition in range(PARTITIONS):
            name = f"bare.p{partition:02d}"
            await self._consume(name, PARTITION, BATCH_WINDOW, on_batch)

    async def close(self) -> None:
        """Say goodbye."""
        for protocol in (self._publishing, self._consuming):
            closed = protocol.closed
            protocol.close()
            await closed

    async def publish(self, number: int) -> None:
        """One event; returns when it is confirmed."""
        body = number.to_bytes(NUMBER_BYTES) + self._filling
        await self._out.basic_publish(EXCHANGE, "bare.events", body, self._properties, mandatory=True)

    async def publish_batch(self, number: int, body: bytes) -> None:
        """One batch; returns when it is confirmed."""
        key = f"bare.p{number % PARTITIONS:02d}"
        await self._out.basic_publish(EXCHANGE, key, body, self._properties, mandatory=True)

    async def _connect(self) -> Any:
        parameters = URLParameters(self._url)
        endpoint = HostnameEndpoint(self._reactor, parameters.host, parameters.port)
        protocol = TwistedProtocolConnection(parameters, custom_reactor=self._reactor)
        ready = protocol.ready
        connect: Any = connectProtocol
        await connect(endpoint, protocol)
        await ready
        return protocol

    async def _consume(self, name: str, arguments: dict[str, Any], prefetch: int, arrived: Arrived) -> None:
        await self._in.queue_declare(name, durable=True, arguments=arguments)
        await self._in.queue_bind(name, EXCHANGE, name)
        await self._in.basic_qos(prefetch_count=prefetch)
        queue, _ = await self._in.basic_consume(name)
        Deferred.fromCoroutine(_take(self._in, queue, arrived)).addErrback(lambda _: None)


async def _take(channel: Any, queue: Any, arrived: Arrived) -> None:
    while True:
        _, method, _, body = await queue.get()
        arrived(int.from_bytes(body[:NUMBER_BYTES]))
        channel.basic_ack(method.delivery_tag)
