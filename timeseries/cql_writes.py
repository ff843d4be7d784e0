"""Many writes at once, with few steps each: small ones go to Cassandra in batches, by loops of asyncio's.

A batch saves most of what a request costs both ends. It is unlogged, so that each of its rows is written as
if it came alone, and kept below the sizes from which on Cassandra warns of batches.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred

BATCH_BYTES = 4_800
"""Cassandra's own `batch_size_warn_threshold` is 5 KiB."""

BATCH_ROWS = 10
"""They may all be of different partitions: `unlogged_batch_across_partitions_warn_threshold`."""

ROW_BYTES = 60
"""What Cassandra adds to the bytes of a row's values."""

AT_ONCE = 128

Values = Sequence[str | int | bytes]


def batches(many: Iterable[Values]) -> Iterator[list[Values]]:
    """Cut into batches, in order; what is larger than a batch may be is alone."""
    batch: list[Values] = []
    size = 0
    for values in many:
        more = ROW_BYTES + sum(8 if isinstance(value, int) else len(value) for value in values)
        if batch and (size + more > BATCH_BYTES or len(batch) == BATCH_ROWS):
            yield batch
            batch, size = [], 0
        batch.append(values)
        size += more
    if batch:
        yield batch


class Group:
    """Statements of which somebody waits for the last to end."""

    def __init__(self, count: int) -> None:
        self.done: Deferred[None] = Deferred()
        self._left = count
        self._failure: BaseException | None = None

    def end(self, failure: BaseException | None = None) -> None:
        """One has ended; the first failure is that of all."""
        self._left -= 1
        self._failure = self._failure or failure
        if self._left or self.done.called:
            return
        if self._failure:
            self.done.errback(self._failure)
        else:
            self.done.callback(None)


class Writes:
    """Sends statements, AT_ONCE at a time, in their order.

    `send` makes the coroutine of the driver; with what that raises, `failed` is told of statement and group.
    """

    def __init__(
        self,
        send: Callable[[Any], Awaitable[object]],
        failed: Callable[[Any, Group, Exception], None],
    ) -> None:
        self._send, self._failed = send, failed
        self._line: deque[tuple[Any, Group]] = deque()
        self._loops: set[asyncio.Future[None]] = set()

    def run(self, statements: Sequence[Any]) -> Deferred[None]:
        """Fires when all have ended, with the first failure if there is one."""
        group = Group(len(statements))
        self._line.extend((statement, group) for statement in statements)
        for _ in range(min(len(statements), AT_ONCE - len(self._loops))):
            loop = asyncio.ensure_future(self._loop())
            self._loops.add(loop)
            loop.add_done_callback(self._loops.discard)
        return group.done

    async def _loop(self) -> None:
        while self._line:
            statement, group = self._line.popleft()
            try:
                await self._send(statement)
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits
                self._failed(statement, group, error)
            else:
                group.end()
