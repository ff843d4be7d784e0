"""RabbitMQ's queue of dead letters: what a letter carries in its headers, and walking them."""

from collections.abc import Awaitable, Callable
from typing import Any

from pika import BasicProperties

from eventframework.amqp import ANSWER_S
from eventframework.broker import DeadLetter
from eventframework.clock import Clock, within
from eventframework.topology import DEAD
from eventframework.translate import translating

ATTEMPTS, ERROR, QUEUE = "picket-attempts", "picket-error", "picket-queue"
FIRST_FAILED, LAST_FAILED = "picket-first-failed-ms", "picket-last-failed-ms"
LONGEST_ERROR = 30_000
"""Characters of a traceback that are kept, its last: all headers have to fit into one AMQP frame."""


def headers_of(letter: DeadLetter) -> dict[str, Any]:
    """What `letter_of` reads."""
    return {
        QUEUE: letter.queue,
        ATTEMPTS: letter.attempts,
        ERROR: letter.error[-LONGEST_ERROR:],
        FIRST_FAILED: letter.first_failed_ms,
        LAST_FAILED: letter.last_failed_ms,
    }


def letter_of(properties: BasicProperties, body: bytes) -> DeadLetter:
    """The letter; one that RabbitMQ itself put aside has only what the broker notes of it."""
    headers = properties.headers or {}
    broker = headers.get("x-death") or [{}]
    return DeadLetter(
        headers.get(QUEUE) or broker[0].get("queue", ""),
        body,
        headers.get(ATTEMPTS, 0),
        headers.get(ERROR) or f"put aside by RabbitMQ: {broker[0].get('reason', 'no reason given')}",
        headers.get(FIRST_FAILED, 0),
        headers.get(LAST_FAILED, 0),
    )


Visit = Callable[[DeadLetter], Awaitable[bool]]


async def walk(channel: Any, clock: Clock, visit: Visit) -> None:
    """Call `visit` with each letter there is now, the oldest first, until it raises StopWalk or an error.

    A letter of which it says True is gone for good; the others are put back. All are held before the first is
    visited, because RabbitMQ keeps no order of what was put back. `channel` is one of pika's Twisted
    channels, and closed at the end.
    """
    with translating("the dead letters"):
        held: dict[int, DeadLetter] = {}
        try:
            await _take_all(channel, clock, held)
            for tag in sorted(held, key=lambda tag: held[tag].last_failed_ms):
                if await visit(held[tag]):
                    channel.basic_ack(tag)
                    del held[tag]
        except StopWalk:
            pass
        finally:
            if channel.is_open:
                await _leave(channel, clock, list(held))


async def _take_all(channel: Any, clock: Clock, held: dict[int, DeadLetter]) -> None:
    """No more than there are at the beginning: a replayed letter may come back at once."""
    left: int | None = None
    while left != 0 and (got := await within(clock, ANSWER_S, channel.basic_get(DEAD), "basic_get")):
        left = got.method.message_count if left is None else left - 1
        held[got.method.delivery_tag] = letter_of(got.properties, got.body)


async def _leave(channel: Any, clock: Clock, kept: list[int]) -> None:
    for tag in kept:
        channel.basic_nack(tag, requeue=True)
    closed = channel.on_closed.addErrback(lambda _: None)
    channel.close()
    await within(clock, ANSWER_S, closed, "close")


class StopWalk(Exception):
    """No more letters are wanted."""
