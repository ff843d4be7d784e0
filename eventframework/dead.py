"""RabbitMQ's queue of dead letters: what a letter carries, and how they are looked at, replayed, dropped."""

from collections.abc import Awaitable, Callable
from typing import Any

from pika import BasicProperties

from eventframework.amqp import ANSWER_S
from eventframework.broker import DeadLetter
from eventframework.clock import Clock, within
from eventframework.errors import PublishRefused
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


class DeadLetters:
    """All of them, or those of one id; `new_channel` opens one of pika's Twisted channels for each walk."""

    def __init__(self, new_channel: Callable[[], Awaitable[Any]], clock: Clock) -> None:
        self._new_channel, self._clock = new_channel, clock

    async def oldest(self, limit: int, letter_id: str | None) -> list[DeadLetter]:
        """So many of the oldest: taken, and put back."""
        letters: list[DeadLetter] = []

        async def note(letter: DeadLetter) -> bool:
            letters.append(letter)
            if len(letters) >= limit:
                raise _StopWalk
            return False

        await self._walk(letter_id, note)
        return letters

    async def replay(self, publish: Callable[[str, bytes], Awaitable[None]], letter_id: str | None) -> int:
        """Publish each to its queue, and acknowledge it; raises PublishRefused where some stay dead."""
        replayed = 0
        refused: list[str] = []

        async def publish_again(letter: DeadLetter) -> bool:
            nonlocal replayed
            try:
                await publish(letter.queue, letter.body)
            except PublishRefused as error:
                refused.append(f"{letter.queue}: {error}")
                return False
            replayed += 1
            return True

        await self._walk(letter_id, publish_again)
        if refused:
            raise PublishRefused(f"{len(refused)} of {replayed + len(refused)} stay dead: {refused[0]}")
        return replayed

    async def drop(self, letter_id: str | None) -> int:
        """Acknowledge each."""
        dropped = 0

        async def acknowledge(_: DeadLetter) -> bool:
            nonlocal dropped
            dropped += 1
            return True

        await self._walk(letter_id, acknowledge)
        return dropped

    async def _walk(self, letter_id: str | None, visit: Visit) -> None:
        async def visit_wanted(letter: DeadLetter) -> bool:
            return letter_id in (None, letter.id) and await visit(letter)

        await _walk(await self._new_channel(), self._clock, visit_wanted)


class _StopWalk(Exception):
    """No more letters are wanted."""


async def _walk(channel: Any, clock: Clock, visit: Visit) -> None:
    """Call `visit` with each letter there is now, the oldest first, until it raises _StopWalk or an error.

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
        except _StopWalk:
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
