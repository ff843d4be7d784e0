import struct
from functools import partial
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from picket.settings import Settings
from rpc import idl, local
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused, Unavailable
from services.query import Query
from statslib import Stats
from tests.timeseries.samples import ACCOUNT, NODE, OTHER_ACCOUNT, measured, result
from timeseries.compaction import compact
from timeseries.errors import StoreUnavailable
from timeseries.memory import MemoryStore
from timeseries.store import DAY_MS, HOUR_MS


class AwayStore(MemoryStore):
    async def read(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")

    async def due_of(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")

    async def latest(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")


class SlowStore(MemoryStore):
    begun = cancelled = 0

    async def read(self, *_where: Any) -> Any:
        self.begun += 1
        try:
            await Deferred()
        except CancelledError:
            self.cancelled += 1
            raise


class TestQuery(TestCase):
    async def serve(self, store: MemoryStore) -> Any:
        dispatcher = Dispatcher(cast(Any, reactor), Stats("test"))
        settings = Settings.model_validate({"retention": {"accounts": {ACCOUNT: {"raw_days": 90}}}})
        service = Query(rpc=dispatcher, store=store, reactor=reactor, settings=settings)
        await service.setup()
        self.addCleanup(lambda: Deferred.fromCoroutine(service.stop()))
        return local.connect("TimeSeries", dispatcher)

    async def setUp(self) -> None:  # type: ignore[override]
        self.now_ms = round(reactor.seconds() * 1000)
        self.store = MemoryStore(reactor)
        self.timeseries = await self.serve(self.store)

    def asked(self, **fields: Any) -> idl.Query:
        usual: dict[str, Any] = {"check": "cpu", "start_ms": self.now_ms, "end_ms": self.now_ms + 10}
        return idl.Query(**usual | fields)

    async def test_a_range_is_answered_with_its_columns(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5, words="hot"))])
        series = await self.timeseries.query(ACCOUNT, NODE, self.asked())
        assert struct.unpack("<q", series.times) == (self.now_ms,)
        columns = {column.name: column for column in series.columns}
        assert struct.unpack("<d", columns["user"].values) == (1.5,)
        assert columns["words"].texts == ["hot"]
        assert (columns["user"].kind, series.resolution) == ("float", "raw")

    async def test_the_latest_results_are_answered_with_values_as_text(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5))])
        (state,) = await self.timeseries.latest(ACCOUNT, NODE)
        assert (state.check, state.state, state.time_ms) == ("cpu", "ok", self.now_ms)
        assert [(metric.name, metric.kind, metric.value) for metric in state.metrics] == [
            ("user", "float", "1.5")
        ]

    async def test_many_checks_are_answered_in_their_order(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5), result("mem", used=2))])
        asked = [self.asked(check="mem"), self.asked()]
        found = await self.timeseries.query_many(ACCOUNT, NODE, asked)
        assert [series.columns[0].name for series in found] == ["used", "user"]

    async def test_nodes_are_ranked_by_what_rows_hold(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5))])
        (hour,) = await self.store.due_of(ACCOUNT, NODE)
        await compact(self.store, partial(deferToThread), hour)
        rank = idl.Rank(
            node_ids=[NODE],
            check="cpu",
            metric="user",
            start_ms=hour.start_ms,
            end_ms=hour.start_ms + HOUR_MS,
        )
        found = await self.timeseries.rank(ACCOUNT, rank)
        assert [(each.node_id, each.value) for each in found.top] == [(NODE, 1.5)]
        assert (found.counted, found.total, found.mean) == (1, 1.5, 1.5)
        assert (await self.timeseries.rank(OTHER_ACCOUNT, rank)).top == []

    async def test_many_nodes_are_shown_together_over_time(self) -> None:
        frames = [measured(self.now_ms, result(user=of), node_id=node) for node, of in (("n1", 1), ("n2", 5))]
        await self.store.write(frames)
        range_ms: dict[str, Any] = {"start_ms": self.now_ms - HOUR_MS, "end_ms": self.now_ms + 1}
        asked: dict[str, Any] = {
            "node_ids": ["n1", "n2"],
            "check": "cpu",
            "metric": "user",
            "percentiles": [75],
        }
        found = await self.timeseries.across(ACCOUNT, idl.Across(**range_ms, **asked, max_points=1))
        assert struct.unpack("<q", found.counts) == (2,)
        lines = (found.total, found.mean, found.least, found.greatest, *found.percentiles)
        assert [struct.unpack("<d", line)[0] for line in lines] == [6, 3, 1, 5, 4]
        assert found.due_are_in
        wrongs: list[dict[str, Any]] = [{"by": "latest"}, {"max_points": 0}]
        for wrong in wrongs:
            with self.assertRaises(Refused):
                await self.timeseries.across(ACCOUNT, idl.Across(**range_ms | asked | wrong))

    async def test_what_cannot_be_ranked_is_refused(self) -> None:
        wrongs: list[dict[str, Any]] = [
            {},
            {"check": "cpu", "metric": "user", "by": "latest"},
            {"by": "nothing"},
        ]
        for wrong in wrongs:
            with self.assertRaises(Refused):
                await self.timeseries.rank(ACCOUNT, idl.Rank(node_ids=[NODE], **wrong))

    async def test_a_caller_that_stops_waiting_ends_the_reading(self) -> None:
        store = SlowStore(reactor)
        for hour in range(2):
            await store.write([measured(self.now_ms - hour * HOUR_MS, result(user=1.5))])
        timeseries = await self.serve(store)
        query = self.asked(start_ms=self.now_ms - HOUR_MS)
        call = Deferred.fromCoroutine(timeseries.query(ACCOUNT, NODE, query))
        call.cancel()
        with self.assertRaises(Unavailable):
            await call
        assert (store.begun, store.cancelled) == (1, 1)

    async def test_another_account_sees_nothing(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5))])
        assert (await self.timeseries.query(OTHER_ACCOUNT, NODE, self.asked())).columns == []
        assert await self.timeseries.latest(OTHER_ACCOUNT, NODE) == []

    async def test_how_long_an_account_keeps_its_values_decides_what_is_read(self) -> None:
        start_ms = self.now_ms - 60 * DAY_MS
        query = self.asked(start_ms=start_ms, end_ms=start_ms + HOUR_MS, max_points=1000)
        for account_id, expected in ((ACCOUNT, "raw"), (OTHER_ACCOUNT, "5m")):
            assert (await self.timeseries.query(account_id, NODE, query)).resolution == expected

    async def test_a_question_that_makes_no_sense_is_refused(self) -> None:
        for wrong in (self.asked(end_ms=self.now_ms), idl.Query(check="cpu")):
            with self.assertRaises(Refused) as caught:
                await self.timeseries.query(ACCOUNT, NODE, wrong)
            assert caught.exception.code == "bad_query"

    async def test_a_store_that_is_away_is_told_as_unavailable(self) -> None:
        timeseries = await self.serve(AwayStore(reactor))
        with self.assertRaises(Unavailable):
            await timeseries.query(ACCOUNT, NODE, self.asked())
        with self.assertRaises(Unavailable):
            await timeseries.latest(ACCOUNT, NODE)
