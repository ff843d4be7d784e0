"""What `eventframework.topology` names, as RabbitMQ wants it declared.

A failed message is published to the exchange `wait.<ms>` with the name of its queue as the key. It waits in
the queue `wait.<ms>` until its time is over, and is then dead-lettered to the default exchange with the same
key: back into the queue that it came from, and into no other.
"""

from typing import Any

from eventframework.amqp import Channel
from eventframework.topology import DEAD, Overflow, Queue

WAITS_S = (0.1, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
"""Delays there are; a wanted one is rounded up, the longest excepted."""

FAR_OFF = 1000
"""The broker's own delivery limit: it keeps the order on a requeue, and is never to be reached."""

PRIVATE = {"x-max-length": 10_000, "x-max-length-bytes": 32 << 20, "x-overflow": Overflow.DROP_OLDEST.value}
DEAD_LETTERS = {"x-max-length": 100_000, "x-message-ttl": 14 * 24 * 3600 * 1000}


def wait_name(delay_s: float) -> str:
    """The exchange and queue for a delay."""
    longest = WAITS_S[-1]
    return f"wait.{int(1000 * next((wait for wait in WAITS_S if wait >= delay_s), longest))}"


async def declare_queue(channel: Channel, queue: Queue, name: str) -> None:
    """The exchange, the queue under the given name, and its bindings."""
    await channel.call("exchange_declare", exchange=queue.exchange, durable=True)
    if queue.durable:
        await channel.call("queue_declare", queue=name, durable=True, arguments=_durable(queue))
    else:
        await channel.call("queue_declare", queue=name, exclusive=True, auto_delete=True, arguments=PRIVATE)
    for key in queue.keys:
        await channel.call("queue_bind", queue=name, exchange=queue.exchange, routing_key=key)


async def declare_waits(channel: Channel) -> set[str]:
    """The ways back of failed messages, and where those end that failed too often; returns the exchanges."""
    quorum = {"x-queue-type": "quorum"}
    await channel.call("queue_declare", queue=DEAD, durable=True, arguments=quorum | DEAD_LETTERS)
    for wait_s in WAITS_S:
        name = wait_name(wait_s)
        await channel.call("exchange_declare", exchange=name, exchange_type="fanout", durable=True)
        await channel.call("queue_declare", queue=name, durable=True, arguments=quorum | _wait(wait_s))
        await channel.call("queue_bind", queue=name, exchange=name, routing_key="")
    return {"", *map(wait_name, WAITS_S)}


def _wait(wait_s: float) -> dict[str, Any]:
    return {
        "x-message-ttl": int(wait_s * 1000),
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": Overflow.REFUSE.value,
    }


def _durable(queue: Queue) -> dict[str, Any]:
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": FAR_OFF}
    if queue.ordered:
        arguments["x-single-active-consumer"] = True
    if queue.full is not Overflow.GROW:
        arguments |= {"x-max-length-bytes": queue.most_bytes, "x-overflow": queue.full.value}
    if queue.full is not Overflow.DROP_OLDEST:
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
    return arguments
