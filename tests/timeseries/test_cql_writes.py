"""Writes go in batches that Cassandra does not warn of, many at once, and end together."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from timeseries.cql_writes import (
    AT_ONCE,
    BATCH_BYTES,
    BATCH_ROWS,
    PARTITION_BYTES,
    Group,
    Values,
    Writes,
    batches,
)


def rows(*sizes: int) -> list[Values]:
    """A row of each size: of one partition if its key is the first value, each of another if it is two."""
    return [("account", number, bytes(size)) for number, size in enumerate(sizes)]


def cut(many: Sequence[Values], key: int = 2) -> list[list[int]]:
    """The sizes of the rows of each batch."""
    found = batches(many, key)
    return [[len(values[2]) for values in batch if isinstance(values[2], bytes)] for batch in found]


class TestBatches:
    def test_small_rows_go_together_in_their_order(self) -> None:
        assert cut(rows(100, 200, 300)) == [[100, 200, 300]]

    def test_of_several_partitions_one_has_no_more_bytes_than_cassandra_takes_without_a_word(self) -> None:
        assert cut(rows(*[1000] * 9)) == [[1000] * 4, [1000] * 4, [1000]]

    def test_one_has_no_more_rows_either(self) -> None:
        assert cut(rows(*[1] * (BATCH_ROWS + 1))) == [[1] * BATCH_ROWS, [1]]

    def test_what_is_too_large_is_alone(self) -> None:
        assert cut(rows(1, BATCH_BYTES, 1)) == [[1], [BATCH_BYTES], [1]]

    def test_what_is_of_one_partition_goes_together_though_it_is_much(self) -> None:
        assert cut(rows(*[1000] * 50), key=1) == [[1000] * 50]

    def test_what_is_too_much_for_a_batch_is_cut(self) -> None:
        large = PARTITION_BYTES // 4
        assert cut(rows(*[large] * 5), key=1) == [[large] * 3, [large] * 2]

    def test_small_partitions_go_together_and_a_large_one_alone(self) -> None:
        small, large = [("small", 1, b"1"), ("other", 1, b"2")], [("large", 1, bytes(3000))] * 2
        assert cut([*small, *large, *small], key=1) == [[1, 1], [3000, 3000], [1, 1]]

    def test_of_nothing_there_are_none(self) -> None:
        assert cut([]) == []


class TestWrites(TestCase):
    """The statements are numbers here; those that are negative fail."""

    timeout = 10

    async def setUp(self) -> None:  # type: ignore[override]
        await deferLater(cast(Any, reactor), 0)  # Inside the loop.
        self.sent: list[int] = []
        self.now = self.most = 0
        self.writes = Writes(self.send, lambda _, group, error: group.end(error))

    async def send(self, statement: int) -> None:
        self.sent.append(statement)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        if statement < 0:
            raise ValueError(statement)

    async def test_all_are_sent_in_order_so_many_at_once(self) -> None:
        many = list(range(3 * AT_ONCE))
        await self.writes.run(many)
        assert self.sent == many
        assert self.most == AT_ONCE

    async def test_groups_are_sent_beside_each_other_and_end_by_themselves(self) -> None:
        first, second = self.writes.run([1, 2]), self.writes.run([3])
        await second
        await first
        assert self.sent == [1, 2, 3]

    async def test_the_first_failure_is_told_when_all_have_ended(self) -> None:
        failure: Any = await self.failed([1, -2, 3, -4])
        assert failure.args == (-2,)
        assert self.sent == [1, -2, 3, -4]

    async def test_what_comes_after_a_failure_is_sent(self) -> None:
        await self.failed([-1])
        await self.writes.run([2])
        assert self.sent == [-1, 2]

    async def test_what_is_tried_again_has_not_ended(self) -> None:
        waiting: list[Group] = []
        writes = Writes(self.send, lambda _, group, __: waiting.append(group))
        done = writes.run([-1, 2])
        await Deferred.fromFuture(asyncio.ensure_future(asyncio.sleep(0.01)))
        assert not done.called
        waiting[0].end()
        await done

    def failed(self, statements: list[int]) -> Deferred[ValueError]:
        done: Deferred[Any] = self.writes.run(statements)
        return self.assertFailure(done, ValueError)
