"""Time-series reads for everybody else: the interface TimeSeries over `timeseries.query`."""

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, TypeVar

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from picket.settings import Settings
from rpc import idl
from rpc.dispatcher import Dispatcher
from services.asked import fields, ranked_answer, told
from services.base import Service
from timeseries.across import Across, run_across
from timeseries.decoded import DecodedHours
from timeseries.latest import CheckState, latest_states
from timeseries.query import run_queries
from timeseries.question import Query as Question
from timeseries.question import Series
from timeseries.rank import Rank, run_rank
from timeseries.retention import Retention, kept
from timeseries.store import TimeSeriesStore

T = TypeVar("T")

THREADS = 2


class Query(Service):
    """Answers what the store holds: ranges of metrics, one of many nodes, the newest of each check."""

    name = "query"

    def __init__(self, *, rpc: Dispatcher, store: TimeSeriesStore, reactor: Any, settings: Settings) -> None:
        self._rpc, self._store, self._kept = rpc, store, kept(settings.retention)
        self._decoded = DecodedHours()
        self._threads = ThreadPool(1, THREADS, name="query")
        self._reactor = reactor

    async def setup(self) -> None:
        """Answer the interface TimeSeries."""
        self._threads.start()
        self._rpc.serve("TimeSeries", self)

    async def stop(self) -> None:
        """Let what is being decoded finish."""
        if self._threads.started:
            self._threads.stop()

    def _in_thread(self, thd_function: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """What the function returns, run in a thread with the caller's context variables."""
        run = copy_context().run
        return deferToThreadPool(self._reactor, self._threads, run, thd_function, *arguments)

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)

    def _retention(self, account_id: str) -> Retention:
        """How far back each level of the account goes now."""
        return self._kept.of(account_id, self._now_ms())

    async def query(
        self, account_id: str, context: idl.Context, node_id: str, query: idl.Query
    ) -> idl.Series:
        """TimeSeries.query of rpc/picket.thrift. Refused: bad_query."""
        return (await self.query_many(account_id, context, node_id, [query]))[0]

    async def query_many(
        self, account_id: str, _context: idl.Context, node_id: str, queries: list[idl.Query]
    ) -> list[idl.Series]:
        """TimeSeries.query_many of rpc/picket.thrift. Refused: bad_query."""
        with told():
            asked = [msgspec.convert(fields(query), Question) for query in queries]
            retention = self._retention(account_id)
            found = await run_queries(
                self._store, self._in_thread, account_id, node_id, asked, retention, self._decoded
            )
        return [_series(series) for series in found]

    async def rank(self, account_id: str, _context: idl.Context, rank: idl.Rank) -> idl.Ranked:
        """TimeSeries.rank of rpc/picket.thrift. Refused: bad_query."""
        with told():
            asked = msgspec.convert(fields(rank), Rank)
            retention = self._retention(account_id)
            found = await run_rank(self._store, self._in_thread, account_id, asked, retention, self._decoded)
        return ranked_answer(found)

    async def across(self, account_id: str, _context: idl.Context, across: idl.Across) -> idl.Spread:
        """TimeSeries.across of rpc/picket.thrift. Refused: bad_query."""
        with told():
            asked = msgspec.convert(fields(across), Across)
            retention = self._retention(account_id)
            found = await run_across(
                self._store, self._in_thread, account_id, asked, retention, self._decoded
            )
        return idl.Spread(**msgspec.structs.asdict(found))

    async def latest(self, account_id: str, _context: idl.Context, node_id: str) -> list[idl.CheckState]:
        """TimeSeries.latest of rpc/picket.thrift; empty for a node without data."""
        with told():
            states = await latest_states(self._store, self._in_thread, account_id, node_id, self._now_ms())
        return [_check_state(state) for state in states]


def _series(series: Series) -> idl.Series:
    columns = [idl.Column(**msgspec.structs.asdict(column)) for column in series.columns]
    return idl.Series(times=series.times, columns=columns, resolution=series.resolution)


def _check_state(state: CheckState) -> idl.CheckState:
    metrics = [idl.Metric(**msgspec.structs.asdict(metric)) for metric in state.metrics]
    return idl.CheckState(**{**msgspec.structs.asdict(state), "metrics": metrics})
