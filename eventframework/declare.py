"""What `eventframework.topology` names, as RabbitMQ wants it declared.

A failed message is published to the exchange `wait.<ms>` with the name of its queue as the key. It waits in
the queue `wait.<ms>` until its time is over, and is then dead-lettered to the default exchange with the same
key: back into the queue that it came from, and into no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eventframework.amqp import Channel
from eventframework.topology import DEAD, Overflow, Queue

WAITS_S = (0.1, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
"""Delays there are; a wanted one is rounded up, the longest excepted."""

FAR_OFF = 1000
"""The broker's own delivery limit: it keeps the order on a requeue, and is never to be reached."""

PRIVATE = {"x-max-length": 10_000, "x-overflow": Overflow.DROP_OLDEST.value}
DEAD_LETTERS = {"x-max-length": 100_000, "x-message-ttl": 14 * 24 * 3600 * 1000}


def wait_name(delay_s: float) -> str:
    """The exchange and queue for a delay."""
    longest = WAITS_S[-1]
    return f"wait.{int(1000 * next((wait for wait in WAITS_S if wait >= delay_s), longest))}"


@dataclass(frozen=True)
class Step:
    """A call of a channel, whichever of pika's kinds: it makes a thing, or finds it as it is wanted."""

    method: str
    arguments: dict[str, Any]

    @property
    def kind(self) -> str:
        """`queue` or `exchange`, or `queue_bind`."""
        return self.method.removesuffix("_declare")

    @property
    def name(self) -> str:
        """Of the queue or exchange."""
        return str(self.arguments[self.kind.removesuffix("_bind")])

    def look(self) -> "Step":
        """The call that only finds the thing, whatever its shape, or ends the channel."""
        return Step(self.method, {self.kind: self.name, "passive": True})


def queue_steps(queue: Queue, name: str) -> list[Step]:
    """The exchange, the queue under the given name, and its bindings."""
    kind = {"durable": True, "arguments": _durable(queue)}
    if not queue.durable:
        kind = {"exclusive": True, "auto_delete": True, "arguments": _private(queue)}
    return [
        _exchange(queue.exchange, "direct"),
        Step("queue_declare", {"queue": name} | kind),
        *(_binding(name, queue.exchange, key) for key in queue.keys),
    ]


def topology_steps(queues: Sequence[Queue]) -> list[Step]:
    """All that is durable: these queues, the ways back of failed messages, and where those at last end."""
    steps = [step for queue in queues for step in queue_steps(queue, queue.name)]
    steps.append(_quorum(DEAD, DEAD_LETTERS))
    for wait_s in WAITS_S:
        name = wait_name(wait_s)
        steps += [_exchange(name, "fanout"), _quorum(name, _wait(wait_s)), _binding(name, name, "")]
    return [step for number, step in enumerate(steps) if step not in steps[:number]]


async def declare_queue(channel: Channel, queue: Queue, name: str) -> None:
    """The exchange, the queue under the given name, and its bindings; raises TopologyClash."""
    await take(channel, queue_steps(queue, name))


async def take(channel: Channel, steps: Sequence[Step]) -> None:
    """One step after the other."""
    for step in steps:
        await channel.call(step.method, **step.arguments)


def _exchange(name: str, kind: str) -> Step:
    return Step("exchange_declare", {"exchange": name, "exchange_type": kind, "durable": True})


def _quorum(name: str, more: dict[str, Any]) -> Step:
    arguments = {"x-queue-type": "quorum"} | more
    return Step("queue_declare", {"queue": name, "durable": True, "arguments": arguments})


def _binding(queue: str, exchange: str, key: str) -> Step:
    return Step("queue_bind", {"queue": queue, "exchange": exchange, "routing_key": key})


def _wait(wait_s: float) -> dict[str, Any]:
    return {
        "x-message-ttl": int(wait_s * 1000),
        "x-dead-letter-exchange": "",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": Overflow.REFUSE.value,
    }


def _private(queue: Queue) -> dict[str, Any]:
    return PRIVATE | {"x-max-length-bytes": queue.most_bytes}


def _durable(queue: Queue) -> dict[str, Any]:
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-delivery-limit": FAR_OFF}
    if queue.ordered:
        arguments["x-single-active-consumer"] = True
    if queue.full is not Overflow.GROW:
        arguments |= {"x-max-length-bytes": queue.most_bytes, "x-overflow": queue.full.value}
    if queue.full is not Overflow.DROP_OLDEST:
        arguments |= {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
    return arguments
