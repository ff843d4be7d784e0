"""Time-series reads for everybody else: the interface TimeSeries over `timeseries.query`."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

import msgspec
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from picket.settings import Settings
from rpc import idl
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused, Unavailable
from services.base import Service
from services.engines import retention
from timeseries import query as reads
from timeseries.errors import DamagedBlock, InvalidQuery, StoreUnavailable
from timeseries.latest import CheckState, latest_states
from timeseries.store import TimeSeriesStore

T = TypeVar("T")

THREADS = 2


class Query(Service):
    """Answers what the store holds: ranges of metrics, and the newest state of each check."""

    name = "query"

    def __init__(self, *, rpc: Dispatcher, store: TimeSeriesStore, reactor: Any, settings: Settings) -> None:
        self._rpc, self._store, self._settings = rpc, store, settings
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

    async def query(
        self, account_id: str, _context: idl.Context, node_id: str, query: idl.Query
    ) -> idl.Series:
        """TimeSeries.query of rpc/picket.thrift. Refused: bad_query."""
        with _told():
            asked = msgspec.convert(_fields(query), reads.Query)
            kept = retention(self._settings, self._now_ms())
            series = await reads.run_query(self._store, self._in_thread, account_id, node_id, asked, kept)
        columns = [idl.Column(**msgspec.structs.asdict(column)) for column in series.columns]
        return idl.Series(times=series.times, columns=columns, resolution=series.resolution)

    async def latest(self, account_id: str, _context: idl.Context, node_id: str) -> list[idl.CheckState]:
        """TimeSeries.latest of rpc/picket.thrift; empty for a node without data."""
        with _told():
            states = await latest_states(self._store, self._in_thread, account_id, node_id, self._now_ms())
        return [_check_state(state) for state in states]


def _fields(query: idl.Query) -> dict[str, Any]:
    """Those that the caller set: thriftpy2 leaves the others None."""
    return {name: value for name, value in vars(query).items() if value is not None}


def _check_state(state: CheckState) -> idl.CheckState:
    metrics = [idl.Metric(**msgspec.structs.asdict(metric)) for metric in state.metrics]
    return idl.CheckState(**{**msgspec.structs.asdict(state), "metrics": metrics})


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the store and of the question, in the words of RPC."""
    try:
        yield
    except (InvalidQuery, msgspec.ValidationError) as error:
        raise Refused("bad_query", str(error)) from error
    except (StoreUnavailable, DamagedBlock) as error:
        raise Unavailable(str(error)) from error
