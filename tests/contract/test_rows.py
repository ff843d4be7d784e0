"""What every store must do with what compaction makes of frames: rows, and the hours that are due."""

from typing import Any, cast

from tests.contract.stores import OnCassandra, OnEmbedded, OnMemory, StoreContract
from tests.timeseries.samples import NODE, OTHER_ACCOUNT, OTHER_NODE
from timeseries.retention import LATE_DAYS, Kept, Retention
from timeseries.store import DAY_MS, HOUR_MS, Hour, Level, Place, Row, SeriesKey, Span, shard_of


class RowContract(StoreContract):
    """Rows replace their former selves; an hour is due until a pass has seen all of it."""

    def row(
        self, period_ms: int, data: bytes = b"block", check: str = "cpu", key: str = "", **of: str
    ) -> Row:
        node = {"account_id": self.account, "node_id": NODE} | of
        return Row(Place(SeriesKey(**node, check=check, key=key), Level.RAW, period_ms), data)

    async def due(self, node_id: str = NODE) -> list[Hour]:
        return await self.store.due_of(self.account, node_id)

    async def put(self, *rows: Row) -> None:
        """As a pass does, of an hour that has a frame."""
        hour_ms = rows[0].place.period_ms
        await self.store.write([self.frame(hour_ms)])
        (hour,) = [hour for hour in await self.due() if hour.start_ms == hour_ms]
        await self.store.put(hour, rows)

    def this_hour_ms(self) -> int:
        return self.now_ms // HOUR_MS * HOUR_MS

    async def test_an_hour_is_due_from_its_first_frame_until_a_pass_has_seen_it(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.store.write([self.frame(hour_ms), self.frame(hour_ms + 1), self.frame(hour_ms - 1)])
        before, hour = await self.due()
        assert (before.start_ms, hour.start_ms) == (hour_ms - HOUR_MS, hour_ms)
        await self.store.put(hour, [self.row(hour_ms)])
        assert await self.due() == [before]

    async def test_frames_that_come_while_a_pass_runs_keep_their_hour_due(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.store.write([self.frame(hour_ms)])
        (hour,) = await self.due()
        await self.store.write([self.frame(hour_ms + 1)])
        await self.store.put(hour, [self.row(hour_ms)])
        (again,) = await self.due()
        assert again.start_ms == hour_ms
        assert await self.store.read(self.account, NODE, hour_ms + 1, hour_ms + 2)
        await self.store.put(again, [self.row(hour_ms)])
        assert await self.due() == []

    async def test_a_late_frame_makes_its_hour_due_again(self) -> None:
        hour_ms = self.this_hour_ms() - DAY_MS
        await self.store.write([self.frame(hour_ms)])
        await self.store.put((await self.due())[0], [self.row(hour_ms)])
        await self.store.write([self.frame(hour_ms + 5)])
        assert [hour.start_ms for hour in await self.due()] == [hour_ms]

    async def test_a_shard_has_the_due_hours_of_its_nodes_alone(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.store.write([self.frame(hour_ms), self.frame(hour_ms, node_id=OTHER_NODE)])
        for node_id in (NODE, OTHER_NODE):
            found = await self.store.due(shard_of(node_id), hour_ms + 1)
            ours = {hour.node_id for hour in found if hour.account_id == self.account}
            assert node_id in ours
            assert all(shard_of(one) == shard_of(node_id) for one in ours)
            earlier = await self.store.due(shard_of(node_id), hour_ms)
            assert not [hour for hour in earlier if hour.account_id == self.account]

    async def test_rows_come_in_order_of_their_periods_and_a_later_one_replaces_the_first(self) -> None:
        hour_ms = self.this_hour_ms()
        hours = [hour_ms + step * HOUR_MS for step in (2, 0, 1)]
        for start_ms in hours:
            await self.put(self.row(start_ms, b"first"))
        await self.put(self.row(hours[2], b"second" * 1000))
        series = self.row(0).place.series
        found = await self.store.rows(series, Level.RAW, hour_ms, hour_ms + 2 * HOUR_MS)
        assert found == [self.row(hour_ms, b"first"), self.row(hours[2], b"second" * 1000)]
        assert await self.store.rows(series, Level.FIVE_MINUTES, 0, hour_ms + DAY_MS) == []

    async def test_a_row_is_of_one_account_node_check_and_key(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.put(self.row(hour_ms), self.row(hour_ms, b"other", check="disk", key="/"))
        strangers = (
            self.row(0, account_id=OTHER_ACCOUNT),
            self.row(0, node_id=OTHER_NODE),
            self.row(0, check="disk"),
            self.row(0, key="/"),
        )
        for stranger in strangers:
            assert await self.store.rows(stranger.place.series, Level.RAW, 0, hour_ms + 1) == []

    async def test_a_pass_that_is_repeated_replaces_the_rows_that_it_brings_and_no_others(self) -> None:
        hour_ms = self.this_hour_ms()
        series = [self.row(0, check=check).place.series for check in ("cpu", "disk", "mem")]
        for level in Level:
            places = [Place(each, level, level.period(hour_ms)) for each in series]
            await self.put(
                *[Row(place, b"common beginning" * 9 + place.series.check.encode()) for place in places]
            )
            await self.put(Row(places[1], b"common beginning" * 8), Row(places[2], b""))
            found = {row.place.series.check: row.data for row in await self.store.find(places)}
            assert found == {
                "cpu": b"common beginning" * 9 + b"cpu",
                "disk": b"common beginning" * 8,
                "mem": b"",
            }
            for place in places:
                expected = [Row(place, found[place.series.check])]
                assert await self.store.rows(place.series, level, place.period_ms, hour_ms + 1) == expected

    async def test_the_rows_of_many_spans_come_in_one_call_in_the_order_of_the_spans(self) -> None:
        hour_ms = self.this_hour_ms()
        rows = [self.row(hour_ms), self.row(hour_ms, b"other", check="disk", key="/")]
        await self.put(*rows)
        series = [self.row(0, check="net").place.series, *(row.place.series for row in reversed(rows))]
        spans = [Span(each, Level.RAW, hour_ms, hour_ms + 1) for each in series]
        assert await self.store.rows_of(spans) == [[], rows[1:], rows[:1]]
        assert await self.store.rows_of([]) == []

    async def test_rows_are_found_by_their_places(self) -> None:
        hour_ms = self.this_hour_ms()
        there = [self.row(hour_ms), self.row(hour_ms, b"other", check="disk", key="/")]
        await self.put(*there)
        missing = [self.row(hour_ms - HOUR_MS), self.row(hour_ms, check="net")]
        found = await self.store.find([row.place for row in (*missing, *there)])
        assert sorted(found, key=lambda row: row.place.series) == there
        assert await self.store.find([]) == []

    async def test_a_pass_of_many_large_rows_is_kept_whole(self) -> None:
        hour_ms = self.this_hour_ms()
        there = [self.row(hour_ms, b"%d" % number * 5000, key=f"{number:03}") for number in range(100)]
        await self.put(*there)
        found = await self.store.find([row.place for row in there])
        assert sorted(found, key=lambda row: row.place.series) == there

    async def test_rows_are_in_one_line_however_far_their_periods_are_apart(self) -> None:
        for level, days in {Level.RAW: 1, Level.FIVE_MINUTES: 28, Level.HOUR: 366}.items():
            periods = [level.period(self.now_ms - back * days * DAY_MS) for back in (2, 1, 0)]
            series = self.row(0, check=level.value).place.series
            there = [Row(Place(series, level, period_ms), b"%d" % period_ms) for period_ms in periods]
            await self.store.write([self.frame(self.now_ms)])
            await self.store.put((await self.due())[-1], there)
            assert await self.store.rows(series, level, periods[0], periods[2] + 1) == there
            assert await self.store.rows(series, level, periods[0] + 1, periods[2]) == there[1:2]
            found = await self.store.find([row.place for row in there])
            assert sorted(found, key=lambda row: row.place.period_ms) == there
            await self.store.delete(self.account, NODE)
            assert await self.store.rows(series, level, periods[0], periods[2] + 1) == []

    async def test_the_keys_of_a_node_are_those_that_have_rows(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.put(self.row(hour_ms), self.row(hour_ms, check="disk", key="/"))
        await self.put(self.row(hour_ms, check="disk", key="/"), self.row(hour_ms, check="a"))
        found = await self.store.keys(self.account, NODE)
        assert [(one.check, one.key) for one in found] == [("a", ""), ("cpu", ""), ("disk", "/")]
        assert await self.store.keys(OTHER_ACCOUNT, NODE) == []

    async def test_a_deleted_node_has_no_frames_rows_or_due_hours_and_its_neighbour_has_all(self) -> None:
        hour_ms = self.this_hour_ms()
        for node_id in (NODE, OTHER_NODE):
            await self.store.write([self.frame(hour_ms - n * DAY_MS, node_id=node_id) for n in range(3)])
            hour = (await self.due(node_id))[0]
            await self.store.put(hour, [self.row(hour.start_ms, node_id=node_id)])
        await self.store.delete(self.account, NODE)
        assert await self.everything(NODE) == (0, 0, 0, 0)
        assert await self.everything(OTHER_NODE) == (3, 1, 2, 1)

    async def rows(self, like: Row) -> list[Row]:
        """All raw rows of that row's series."""
        return await self.store.rows(like.place.series, Level.RAW, 0, self.now_ms + DAY_MS)

    async def everything(self, node_id: str) -> tuple[int, int, int, int]:
        """How many frames, rows, due hours and keys the node has."""
        found = (
            await self.store.read(self.account, node_id, self.now_ms - 9 * DAY_MS, self.now_ms + DAY_MS),
            await self.store.rows(
                self.row(0, node_id=node_id).place.series, Level.RAW, 0, self.now_ms + DAY_MS
            ),
            await self.due(node_id),
            await self.store.keys(self.account, node_id),
        )
        return len(found[0]), len(found[1]), len(found[2]), len(found[3])

    async def test_a_pass_that_ran_while_its_node_was_deleted_brings_nothing_back(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.store.write([self.frame(hour_ms)])
        (hour,) = await self.due()
        await self.store.delete(self.account, NODE)
        await self.store.put(hour, [self.row(hour_ms)])
        assert await self.everything(NODE) == (0, 0, 0, 0)


class TestOnMemory(RowContract, OnMemory):
    __test__ = True

    async def test_rows_that_have_expired_are_gone(self) -> None:
        await expired(self)


class TestOnEmbedded(RowContract, OnEmbedded):
    __test__ = True

    async def test_rows_that_have_expired_are_gone(self) -> None:
        await expired(self)

    async def test_what_is_due_deleted_and_kept_outlives_a_restart(self) -> None:
        hour_ms = self.this_hour_ms()
        await self.store.write([self.frame(hour_ms + n * HOUR_MS) for n in range(3)])
        first, second, _ = await self.due()
        await self.store.put(first, [self.row(hour_ms)])
        await self.reopen()
        assert [hour.start_ms for hour in await self.due()] == [second.start_ms, second.start_ms + HOUR_MS]
        assert await self.store.rows(self.row(0).place.series, Level.RAW, 0, hour_ms + 1) == [
            self.row(hour_ms)
        ]
        await self.store.delete(self.account, NODE)
        await self.reopen()
        assert await self.everything(NODE) == (0, 0, 0, 0)
        await self.store.write([self.frame(hour_ms)])
        await self.reopen()
        assert await self.everything(NODE) == (1, 0, 1, 0)


class TestOnCassandra(RowContract, OnCassandra):
    __test__ = True

    async def test_what_is_written_lives_as_long_as_its_account_keeps_it(self) -> None:
        await self.store.close()
        days = Retention(0, raw_days=3, five_minutes_days=30)
        accounts = {self.account: days, "another": Retention(0, raw_days=200)}
        self.store = self.make_store(Kept(accounts=accounts))
        await self.store.open()
        hour_ms = self.this_hour_ms()
        await self.put(
            self.row(hour_ms), Row(self.row(hour_ms).place._replace(level=Level.FIVE_MINUTES), b"")
        )
        for table, column, kept_days in (
            ("frames", "payload", 3),
            ("rows_raw", "data", 3),
            ("rows_5m", "data", 30),
        ):
            ((ttl_s,),) = await cast(Any, self.store)._cql.ask(
                f"SELECT TTL({column}) FROM {self.cassandra.keyspace}.{table} "
                f"WHERE account = '{self.account}' ALLOW FILTERING"
            )
            assert (kept_days + LATE_DAYS) * 86_400 - 600 < ttl_s <= (kept_days + LATE_DAYS) * 86_400, table

    async def test_an_hour_is_due_though_its_mark_was_cleared_while_its_frame_was_written(self) -> None:
        hour_ms = self.this_hour_ms()
        cql = cast(Any, self.store)._cql
        run_all = cql.run_all

        async def slowly(name: str, many: Any, key: int) -> None:
            if name == "insert":
                (hour,) = await self.due()
                await self.store.put(hour, [self.row(hour_ms)])
                assert await self.due() == []
            await run_all(name, many, key)

        cql.run_all = slowly
        await self.store.write([self.frame(hour_ms)])
        assert [hour.start_ms for hour in await self.due()] == [hour_ms]


async def expired(test: RowContract) -> None:
    """For stores that expire rows when they are told to."""
    hour_ms = test.this_hour_ms()
    await test.put(test.row(hour_ms - HOUR_MS))
    await test.put(test.row(hour_ms))
    assert await test.store.expire(Level.FIVE_MINUTES, hour_ms) == 0
    assert await test.store.expire(Level.RAW, hour_ms) == 1
    assert await test.store.rows(test.row(0).place.series, Level.RAW, 0, hour_ms + 1) == [test.row(hour_ms)]
    assert await test.store.expire(Level.RAW, hour_ms + 1, {test.account: hour_ms, "another": 0}) == 0
    assert await test.store.expire(Level.RAW, 0, {test.account: hour_ms + 1}) == 1
    assert await test.store.rows(test.row(0).place.series, Level.RAW, 0, hour_ms + 1) == []
