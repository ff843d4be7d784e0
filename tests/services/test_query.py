import struct
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from picket.settings import Settings
from rpc import idl, local
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused, Unavailable
from services.query import Query
from statslib import Stats
from tests.timeseries.samples import ACCOUNT, NODE, OTHER_ACCOUNT, measured, result
from timeseries.errors import StoreUnavailable
from timeseries.memory import MemoryStore


class AwayStore(MemoryStore):
    async def read(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")

    async def due_of(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")

    async def latest(self, *_where: Any) -> Any:
        raise StoreUnavailable("away")


class TestQuery(TestCase):
    async def serve(self, store: MemoryStore) -> Any:
        dispatcher = Dispatcher(cast(Any, reactor), Stats("test"))
        service = Query(rpc=dispatcher, store=store, reactor=reactor, settings=Settings())
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

    async def test_another_account_sees_nothing(self) -> None:
        await self.store.write([measured(self.now_ms, result(user=1.5))])
        assert (await self.timeseries.query(OTHER_ACCOUNT, NODE, self.asked())).columns == []
        assert await self.timeseries.latest(OTHER_ACCOUNT, NODE) == []

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
