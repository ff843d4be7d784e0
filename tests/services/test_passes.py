"""Which hours are passed and when, with a clock and a store of the test's own."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from services.passes import ASIDE_S, PATIENCE, UNAVAILABLE_S, Interrupted, Passes
from statslib import Stats
from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, NODE, frame, measured, result
from timeseries.errors import StoreUnavailable
from timeseries.memory import MemoryStore
from timeseries.store import HOUR_MS, Hour, shard_of

START = 500_000 * HOUR_MS
SHARD = shard_of(NODE)
AFTER_S = 600
OTHER = next(name for name in map("n{:010x}".format, range(99)) if shard_of(name) == SHARD and name != NODE)


class Store(MemoryStore):
    """Fails to put an hour of the nodes in `trouble`; with `puts`, waits until the test says so."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.trouble: dict[str, Exception] = {}
        self.puts: list[tuple[Hour, Deferred[None]]] | None = None

    async def put(self, hour: Hour, rows: Any) -> None:
        if hour.node_id in self.trouble:
            raise self.trouble[hour.node_id]
        if self.puts is not None:
            self.puts.append((hour, Deferred()))
            await self.puts[-1][1]
        await super().put(hour, rows)


class PassesTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = (START + 10 * HOUR_MS) / 1000
        self.store, self.stats = Store(self.clock), Stats("compact")
        self.passes = self.looking(still_s=0)
        self.lost: Exception | None = None

    def looking(self, still_s: float) -> Passes:
        return Passes(
            self.clock, self.store, at_once, self.stats, after_s=AFTER_S, still_s=still_s, at_once=2
        )

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def write(self, hour: int, *nodes: str) -> None:
        time_ms = START + hour * HOUR_MS
        for node in nodes or (NODE,):
            self.result(self.store.write([measured(time_ms, result(user=1), node_id=node)]))

    def look(self) -> list[tuple[str, int]]:
        hours = self.result(self.passes.look(SHARD))
        return [(hour.node_id, (hour.start_ms - START) // HOUR_MS) for hour in hours]

    def make(self) -> Deferred[None]:
        hours = self.result(self.passes.look(SHARD))
        return Deferred.fromCoroutine(self.passes.make(hours, self.confirm, lambda: False))

    async def confirm(self) -> None:
        if self.lost:
            raise self.lost

    def shown(self, name: str) -> float:
        return {metric.name: metric.value for metric in self.stats.metrics()}.get(name, 0)

    def test_an_hour_is_due_when_it_ended_long_enough_ago_the_oldest_first(self) -> None:
        for hour in (5, 3, 9, 10):
            self.write(hour)
        assert self.look() == [(NODE, 3), (NODE, 5)]
        self.clock.advance(AFTER_S)
        assert self.look() == [(NODE, 3), (NODE, 5), (NODE, 9)]
        assert (self.shown("due"), self.shown("lag_s")) == (3, 6 * 3600 + AFTER_S)

    def test_an_hour_whose_frames_are_just_coming_waits_until_none_has_come_for_a_while(self) -> None:
        self.passes = self.looking(still_s=30)
        self.write(3, NODE, OTHER)
        assert self.look() == []
        self.clock.advance(30)
        self.write(3)
        assert self.look() == [(OTHER, 3)]
        self.clock.advance(29)
        assert self.look() == [(OTHER, 3)]
        self.clock.advance(1)
        assert set(self.look()) == {(NODE, 3), (OTHER, 3)}

    def test_an_hour_whose_frames_do_not_end_is_passed_in_the_end(self) -> None:
        self.passes = self.looking(still_s=30)
        for _ in range(PATIENCE):
            self.write(3)
            assert self.look() == []
            self.clock.advance(30)
        self.write(3)
        assert self.look() == [(NODE, 3)]

    def test_a_clock_that_is_set_back_makes_no_hour_wait(self) -> None:
        self.passes = self.looking(still_s=30)
        self.write(3)
        assert self.look() == []
        self.clock.rightNow -= 3600
        assert self.look() == [(NODE, 3)]

    def test_a_pass_makes_rows_and_is_counted(self) -> None:
        self.write(3, NODE, OTHER)
        self.successResultOf(self.make())
        assert self.look() == []
        assert len(self.result(self.store.keys(ACCOUNT, OTHER))) == 1
        assert (self.shown("hours"), self.shown("points"), self.shown("lag_s")) == (2, 2, 0)
        assert self.shown("row_bytes") > 0

    def test_passes_of_one_node_follow_each_other_and_those_of_others_go_beside_them(self) -> None:
        third = "third"
        self.write(3, NODE, OTHER, third)
        self.write(4)
        puts = self.store.puts = []
        hours = [
            hour for node in (NODE, OTHER, third) for hour in self.result(self.store.due_of(ACCOUNT, node))
        ]
        hours.sort(key=lambda hour: hour.start_ms)
        made = Deferred.fromCoroutine(self.passes.make(hours, self.confirm, lambda: False))
        assert [hour.node_id for hour, _ in puts] == [NODE, OTHER]
        for number in (1, 0, 2):
            puts[number][1].callback(None)
        self.assertNoResult(made)
        assert [(hour.node_id, hour.start_ms) for hour, _ in puts[2:]] == [
            (third, START + 3 * HOUR_MS),
            (NODE, START + 4 * HOUR_MS),
        ]
        puts[3][1].callback(None)
        self.successResultOf(made)

    def test_an_hour_that_fails_is_set_aside_for_longer_each_time_and_keeps_no_other_waiting(self) -> None:
        self.store.trouble[NODE] = ValueError("poison")
        for failures, wait_s in enumerate((*ASIDE_S, ASIDE_S[-1]), 1):
            self.write(3, NODE, OTHER)
            self.successResultOf(self.make())
            assert self.look() == []
            assert (self.shown("failed"), self.shown("aside"), self.shown("due")) == (failures, 1, 1)
            self.clock.advance(wait_s - 1)
            assert self.look() == []
            self.clock.advance(1)
            assert self.look() == [(NODE, 3)]
        assert len(self.flushLoggedErrors(ValueError)) == 4
        self.store.trouble.clear()
        self.successResultOf(self.make())
        assert (self.look(), self.shown("aside")) == ([], 0)

    def test_a_store_that_is_away_ends_it_and_the_hour_is_left_alone_for_a_while(self) -> None:
        self.store.trouble[NODE] = StoreUnavailable("away")
        self.write(3)
        self.write(4, OTHER)
        self.failureResultOf(self.make(), StoreUnavailable)
        assert self.look() == [(OTHER, 4)]
        self.clock.advance(UNAVAILABLE_S)
        assert self.look() == [(NODE, 3), (OTHER, 4)]
        assert self.shown("failed") == 0

    def test_it_ends_when_all_that_have_begun_have_ended(self) -> None:
        puts = self.store.puts = []
        self.write(3, NODE, OTHER)
        made = self.make()
        puts[0][1].errback(StoreUnavailable("away"))
        self.assertNoResult(made)
        puts[1][1].callback(None)
        self.failureResultOf(made, StoreUnavailable)

    def test_who_is_not_sure_of_the_shard_any_more_writes_nothing(self) -> None:
        self.write(3)
        self.lost = Interrupted("another instance")
        self.failureResultOf(self.make(), Interrupted)
        assert self.result(self.store.keys(ACCOUNT, NODE)) == []
        assert self.look() == [(NODE, 3)]

    def test_nothing_is_begun_when_the_time_is_over(self) -> None:
        self.write(3)
        self.result(self.passes.make(self.result(self.passes.look(SHARD)), self.confirm, lambda: True))
        assert self.look() == [(NODE, 3)]

    def test_frames_that_cannot_be_read_are_counted_and_the_others_are_in_the_row(self) -> None:
        self.result(self.store.write([measured(START, result(user=1)), frame(START + 1, payload=b"\xff")]))
        self.successResultOf(self.make())
        assert (self.shown("unreadable"), self.shown("frames"), self.shown("points")) == (1, 2, 1)
