"""Many writes at once, with few steps each: small ones go to Cassandra in batches, by loops of asyncio's.

A batch saves most of what a request costs both ends. It is unlogged, so that each of its rows is written as
if it came alone. Of one partition it is one write to Cassandra, which bounds none of these; of several it is
kept below the sizes from which on Cassandra warns of batches.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred

BATCH_BYTES = 4_800
"""Cassandra's own `batch_size_warn_threshold` is 5 KiB."""

BATCH_ROWS = 10
"""They may all be of different partitions: `unlogged_batch_across_partitions_warn_threshold`."""

ROW_BYTES = 60
"""What Cassandra adds to the bytes of a row's values."""

PARTITION_BYTES = 64_000
"""Of one partition: some sixty frames, two milliseconds of work for Cassandra."""

AT_ONCE = 128

Values = Sequence[str | int | bytes]


class Batch(NamedTuple):
    """Rows that go together, and their size in Cassandra."""

    rows: Sequence[Values]
    size_bytes: int


def batches(many: Iterable[Values], key: int) -> Iterator[Sequence[Values]]:
    """Cut into batches, in order; what is larger than a batch may be is alone.

    The first `key` values of a row name its partition, and those of a partition come one after another.
    """
    pieces = (
        piece
        for _, some in groupby(many, itemgetter(slice(key)))
        for piece in _joined((Batch([values], _size(values)) for values in some), PARTITION_BYTES)
    )
    return (batch.rows for batch in _joined(pieces, BATCH_BYTES, BATCH_ROWS))


def _joined(pieces: Iterable[Batch], most_bytes: int, most_rows: int = sys.maxsize) -> Iterator[Batch]:
    """As few as can be, of pieces that stay whole and in order."""
    rows: list[Values] = []
    size = 0
    for piece in pieces:
        if rows and (size + piece.size_bytes > most_bytes or len(rows) + len(piece.rows) > most_rows):
            yield Batch(rows, size)
            rows, size = [], 0
        rows += piece.rows
        size += piece.size_bytes
    if rows:
        yield Batch(rows, size)


def _size(values: Values) -> int:
    return ROW_BYTES + sum(8 if isinstance(value, int) else len(value) for value in values)


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
