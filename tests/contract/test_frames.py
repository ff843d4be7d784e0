"""What every store must do with frames: one class for all three."""

from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from tests.contract.stores import OnCassandra, OnEmbedded, OnMemory, StoreContract
from tests.timeseries.samples import NODE, OTHER_ACCOUNT, OTHER_NODE
from timeseries.cql import IN_FLIGHT
from timeseries.embedded import EmbeddedStore
from timeseries.errors import StoreUnavailable
from timeseries.store import DAY_MS, FUTURE_MS


class FrameContract(StoreContract):
    """Written once or many times, in any order, read back as they came."""

    async def test_what_is_written_is_read_back_as_it_was(self) -> None:
        written = self.frame(self.now_ms, "a:7", bytes(range(256)) * 50, received_ms=self.now_ms + 3)
        await self.store.write([written])
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 1) == [written]

    async def test_a_range_has_its_start_and_not_its_end(self) -> None:
        frames = [self.frame(self.now_ms + step) for step in range(5)]
        await self.store.write(frames)
        assert await self.store.read(self.account, NODE, self.now_ms + 1, self.now_ms + 4) == frames[1:4]

    async def test_frames_come_in_order_of_time_and_origin_whatever_the_order_of_writing(self) -> None:
        frames = [self.frame(self.now_ms + step // 2, f"a:{step % 2}") for step in range(10)]
        for late in reversed(frames):
            await self.store.write([late])
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 9) == frames

    async def test_a_frame_written_twice_comes_back_once(self) -> None:
        again = self.frame(self.now_ms)
        await self.store.write([again, again])
        await self.store.write([again])
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 1000) == [again]

    async def test_two_origins_at_one_time_are_two_frames(self) -> None:
        both = [self.frame(self.now_ms, "a:1"), self.frame(self.now_ms, "token")]
        await self.store.write(both)
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 1) == both

    async def test_an_account_or_node_never_sees_frames_of_another(self) -> None:
        await self.store.write([self.frame(self.now_ms)])
        for account, node in ((OTHER_ACCOUNT, NODE), (self.account, OTHER_NODE)):
            assert await self.store.read(account, node, self.now_ms, self.now_ms + 1) == []
            assert await self.store.latest(account, node) is None

    async def test_an_empty_store_and_an_empty_range_and_an_empty_write_are_no_errors(self) -> None:
        await self.store.write([])
        assert await self.store.read(self.account, NODE, self.now_ms - DAY_MS, self.now_ms) == []
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms) == []
        assert await self.store.latest(self.account, NODE) is None

    async def test_a_range_runs_over_midnights(self) -> None:
        midnight = self.now_ms // DAY_MS * DAY_MS
        times = (midnight - DAY_MS - 1, midnight - 1, midnight, midnight + 1)
        frames = [self.frame(time_ms) for time_ms in times]
        await self.store.write(frames)
        assert await self.store.read(self.account, NODE, times[0], times[-1] + 1) == frames
        assert await self.store.read(self.account, NODE, midnight - 1, midnight) == [frames[1]]

    async def test_the_latest_is_the_greatest_time_and_origin_not_the_last_written(self) -> None:
        latest = self.frame(self.now_ms, "b")
        await self.store.write([latest, self.frame(self.now_ms, "a")])
        await self.store.write([self.frame(self.now_ms - 5 * DAY_MS)])
        assert await self.store.latest(self.account, NODE) == latest

    async def test_the_latest_is_found_when_it_is_days_old(self) -> None:
        old = self.frame(self.now_ms - 13 * DAY_MS)
        await self.store.write([old])
        assert await self.store.latest(self.account, NODE) == old

    async def test_a_frame_of_the_far_future_is_kept_but_is_not_the_latest(self) -> None:
        soon, wrong = self.frame(self.now_ms + FUTURE_MS // 2), self.frame(self.now_ms + 3 * DAY_MS)
        await self.store.write([soon, wrong])
        assert await self.store.latest(self.account, NODE) == soon
        assert await self.store.read(self.account, NODE, wrong.time_ms, wrong.time_ms + 1) == [wrong]

    async def test_many_writes_at_once_all_arrive(self) -> None:
        writes = [[self.frame(self.now_ms + n, f"a:{n}", b"%d" % n)] for n in range(100)]
        await gatherResults([Deferred.fromCoroutine(self.store.write(frames)) for frames in writes])
        found = await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 100)
        assert [[frame] for frame in found] == writes

    async def test_a_thousand_frames_in_one_call_all_arrive(self) -> None:
        frames = [self.frame(self.now_ms + n, payload=b"%d" % n * 200) for n in range(1000)]
        await self.store.write(frames)
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + 1000) == frames


class DurableContract(FrameContract):
    """What holds for stores that have something to close."""

    async def test_after_closing_nothing_more_is_promised(self) -> None:
        await self.store.close()
        with pytest.raises(StoreUnavailable):
            await self.store.write([self.frame(self.now_ms)])
        with pytest.raises(StoreUnavailable):
            await self.store.read(self.account, NODE, 0, 1)


class TestOnMemory(FrameContract, OnMemory):
    __test__ = True


class TestOnEmbedded(DurableContract, OnEmbedded):
    __test__ = True

    async def test_what_is_written_outlives_a_restart(self) -> None:
        await self.store.write([self.frame(self.now_ms)])
        await self.reopen()
        assert await self.store.latest(self.account, NODE) == self.frame(self.now_ms)

    async def test_closing_waits_for_what_is_being_written(self) -> None:
        writing = Deferred.fromCoroutine(self.store.write([self.frame(self.now_ms)]))
        await self.store.close()
        assert self.successResultOf(writing) is None

    async def test_a_folder_that_cannot_be_made_is_told_as_unavailable(self) -> None:
        self.path.with_name("file").touch()
        nowhere = EmbeddedStore(self.path.with_name("file") / "series", reactor)
        with pytest.raises(StoreUnavailable):
            await nowhere.open()
        await nowhere.close()


class TestOnCassandra(DurableContract, OnCassandra):
    __test__ = True

    async def test_what_fails_takes_no_room_from_what_comes_after(self) -> None:
        many = [self.frame(self.now_ms + n) for n in range(2 * IN_FLIGHT)]
        await self.store.close()
        with pytest.raises(StoreUnavailable):
            await self.store.write(many)
        await self.store.open()
        await self.store.write(many)
        assert await self.store.read(self.account, NODE, self.now_ms, self.now_ms + DAY_MS) == many

    async def test_what_a_restart_lost_is_written_again(self) -> None:
        """A node that forgets its rows and comes up as a new generation while a write is held."""
        store = cast(Any, self.store)
        truth = store._hold._generation

        async def forgetful() -> tuple[str, int]:
            store._hold._generation = truth
            for table in ("frames", "due"):
                await store._cql.tell(f"TRUNCATE {self.cassandra.keyspace}.{table}")
            host, generation = await truth()
            return host, generation - 1

        store._hold._generation = forgetful
        await self.store.write([self.frame(self.now_ms)])
        assert await self.store.latest(self.account, NODE) == self.frame(self.now_ms)
